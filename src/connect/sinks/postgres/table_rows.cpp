#include "connect/sinks/postgres/table_rows.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "connect/json_members.h"

namespace millrace::connect::postgres {
namespace {

constexpr bool is_special(char c) {
  return c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\0';
}

/// Where the first special character may be: eight bytes at a time are passed by that hold none.
std::size_t first_special(std::string_view text) {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0} / 255;
  constexpr std::uint64_t kHigh = kOnes << 7U;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    const std::uint64_t below_14 = (eight - kOnes * 14) & ~eight & kHigh;
    const std::uint64_t others = eight ^ (kOnes * '\\');
    if ((below_14 | ((others - kOnes) & ~others & kHigh)) != 0) break;
  }
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

void append_escaped(std::string_view text, Buffer& out) {
  while (!text.empty()) {
    const std::size_t plain = first_special(text);
    out.append(text.substr(0, plain));
    if (plain == text.size()) return;
    switch (text[plain]) {
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        break;  // NUL: no text of PostgreSQL holds it
    }
    text.remove_prefix(plain + 1);
  }
}

}  // namespace

std::string_view column_type(const sql::Value& value) {
  switch (value.type()) {
    case sql::Value::Type::boolean:
      return "boolean";
    case sql::Value::Type::number: {
      const std::string text = scalar_text(value).value_or("");
      return text.find_first_of(".eE") == std::string::npos && text.size() <= 18 ? "bigint" : "double precision";
    }
    case sql::Value::Type::array:
    case sql::Value::Type::object:
      return "jsonb";
    default:
      return "text";
  }
}

std::optional<std::size_t> TableRows::known(std::string_view name) const {
  // Rows mostly have the same members in the same order: the next column is tried first.
  const std::size_t guess = cells_.size() - rows_.back();
  if (guess < columns_.size() && columns_[guess].name == name) return guess;
  const auto found = std::ranges::find(columns_, name, &Column::name);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns_.begin());
}

std::size_t TableRows::column(std::string_view name, std::string_view type, bool key) {
  if (const auto place = known(name)) return *place;
  columns_.push_back({std::string(name), type, key});
  return columns_.size() - 1;
}

void TableRows::put(std::size_t column, std::string_view text) {
  const std::size_t from = text_.size();
  append_escaped(text, text_);
  cells_.push_back({column, from, text_.size() - from});
}

void TableRows::put_plain(std::size_t column, std::string_view text) {
  cells_.push_back({column, text_.size(), text.size()});
  text_.append(text);
}

void TableRows::clear() {
  columns_.clear();
  rows_.clear();
  cells_.clear();
  text_.clear();
}

void TableRows::begin_row() {
  rows_.push_back(cells_.size());
}

void TableRows::drop_row() {
  cells_.resize(rows_.back());
  rows_.pop_back();
}

void TableRows::add(std::string_view name, const sql::Value& value, bool key) {
  if (value.is_undefined() || value.is_null()) {
    if (key) column(name, "text", true);
    return;
  }
  const auto there = known(name);
  const std::size_t place = there ? *there : column(name, column_type(value), key);
  arena_.reset();
  if (value.is_string()) return put(place, value.characters(arena_));
  if (value.is_number() && value.form() == sql::Value::Form::source) return put_plain(place, value.source());
  sql::TextWriter out(arena_, 64);
  sql::write_json(out, arena_, value);
  put(place, out.finish());
}

void TableRows::add_integer(std::string_view name, std::int64_t value, bool key) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  put_plain(column(name, "bigint", key), {text, static_cast<std::size_t>(end - text)});
}

void TableRows::add_text(std::string_view name, std::string_view value, bool key) {
  put(column(name, "text", key), value);
}

void TableRows::write(Buffer& out) const {
  std::vector<const Cell*> cells(columns_.size());
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    std::ranges::fill(cells, nullptr);
    const std::size_t end = row + 1 < rows_.size() ? rows_[row + 1] : cells_.size();
    for (std::size_t i = rows_[row]; i < end; ++i) cells[cells_[i].column] = &cells_[i];
    for (const Cell* cell : cells) {
      out.append(cell == nullptr ? std::string_view("\\N") : as_text(text_.view(cell->from, cell->size)));
      out.push_back('\t');
    }
    char number[24];
    out.append(std::string_view(
        number, static_cast<std::size_t>(std::to_chars(number, number + sizeof number, row).ptr - number)));
    out.push_back('\n');
  }
}

}  // namespace millrace::connect::postgres

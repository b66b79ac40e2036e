#include "connect/sinks/postgres/table_rows.h"

#include <algorithm>

#include "connect/json_members.h"

namespace millrace::connect::postgres {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\0':
        break;  // no text of PostgreSQL holds it
      default:
        out += c;
    }
  }
  return out;
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

std::size_t TableRows::column(std::string_view name, std::string_view type, bool key) {
  // Rows mostly have the same members in the same order: the next column is tried first.
  const std::size_t guess = rows_.back().size();
  if (guess < columns_.size() && columns_[guess].name == name) return guess;
  const auto found = std::ranges::find(columns_, name, &Column::name);
  if (found != columns_.end()) return static_cast<std::size_t>(found - columns_.begin());
  columns_.push_back({std::string(name), type, key});
  return columns_.size() - 1;
}

void TableRows::begin_row() {
  rows_.emplace_back();
  if (rows_.size() > 1) rows_.back().reserve(rows_[rows_.size() - 2].size());
}

void TableRows::drop_row() {
  rows_.pop_back();
}

void TableRows::add(std::string_view name, const sql::Value& value, bool key) {
  if (value.is_undefined() || value.is_null()) {
    if (key) column(name, "text", true);
    return;
  }
  const std::size_t place = column(name, column_type(value), key);
  arena_.reset();
  if (value.is_string()) return rows_.back().push_back({place, escaped(value.characters(arena_))});
  sql::TextWriter out(arena_, 64);
  sql::write_json(out, arena_, value);
  rows_.back().push_back({place, escaped(out.finish())});
}

void TableRows::add_integer(std::string_view name, std::int64_t value, bool key) {
  rows_.back().push_back({column(name, "bigint", key), std::to_string(value)});
}

void TableRows::add_text(std::string_view name, std::string_view value, bool key) {
  rows_.back().push_back({column(name, "text", key), escaped(value)});
}

void TableRows::write(Buffer& out) const {
  std::vector<const std::string*> cells(columns_.size());
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    std::ranges::fill(cells, nullptr);
    for (const Cell& cell : rows_[row]) cells[cell.column] = &cell.text;
    for (const std::string* cell : cells) {
      out.append(cell == nullptr ? std::string_view("\\N") : std::string_view(*cell));
      out.push_back('\t');
    }
    out.append(std::to_string(row));
    out.push_back('\n');
  }
}

}  // namespace millrace::connect::postgres

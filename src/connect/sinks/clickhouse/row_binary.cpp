#include "connect/sinks/clickhouse/row_binary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>

#include "connect/each_member.h"
#include "connect/json_members.h"

namespace millrace::connect::clickhouse {
namespace {

using Kind = ColumnType::Kind;

/// Arrays in arrays.
constexpr int kDeepest = 8;
constexpr std::size_t kLongestFixed = 1 << 20;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

template <class T>
bool whole_number(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// What stands in "name(...)"; nullopt: it is another one.
std::optional<std::string_view> inside(std::string_view text, std::string_view name) {
  if (!text.starts_with(name) || !text.ends_with(')')) return std::nullopt;
  text.remove_prefix(name.size());
  if (!text.starts_with('(')) return std::nullopt;
  return trimmed(text.substr(1, text.size() - 2));
}

struct Plain {
  std::string_view name;
  Kind kind;
  std::uint8_t bytes;
};
constexpr Plain kPlain[] = {
    {"Int8", Kind::integer, 1},   {"Int16", Kind::integer, 2},  {"Int32", Kind::integer, 4},
    {"Int64", Kind::integer, 8},  {"UInt8", Kind::natural, 1},  {"UInt16", Kind::natural, 2},
    {"UInt32", Kind::natural, 4}, {"UInt64", Kind::natural, 8}, {"Float32", Kind::real, 4},
    {"Float64", Kind::real, 8},   {"Bool", Kind::boolean, 1},   {"String", Kind::text, 0},
    {"Date", Kind::date, 2},      {"UUID", Kind::uuid, 0},
};

Result<ColumnType> parse_type(std::string_view text, int depth) {
  text = trimmed(text);
  const auto unknown = [&] {
    return fail(ErrorCode::invalid_argument, "a column's type has no form in RowBinary here", std::string(text));
  };
  if (depth > kDeepest) return unknown();
  for (const Plain& plain : kPlain) {
    if (text == plain.name) return ColumnType{.kind = plain.kind, .bytes = plain.bytes};
  }
  if (const auto low = inside(text, "LowCardinality")) return parse_type(*low, depth + 1);
  if (const auto maybe = inside(text, "Nullable")) {
    MR_TRY_ASSIGN(ColumnType type, parse_type(*maybe, depth + 1));
    if (type.kind == Kind::array || type.nullable) return unknown();
    type.nullable = true;
    return type;
  }
  if (const auto items = inside(text, "Array")) {
    MR_TRY_ASSIGN(ColumnType item, parse_type(*items, depth + 1));
    ColumnType type{.kind = Kind::array};
    type.items.push_back(std::move(item));
    return type;
  }
  if (const auto size = inside(text, "FixedString")) {
    ColumnType type{.kind = Kind::fixed_text};
    if (!whole_number(*size, type.size) || type.size == 0 || type.size > kLongestFixed) return unknown();
    return type;
  }
  const auto is_utc = [](std::string_view zone) { return zone == "'UTC'" || zone == "'Etc/UTC'"; };
  if (text == "DateTime") return ColumnType{.kind = Kind::time, .bytes = 4};
  if (const auto zone = inside(text, "DateTime")) {
    return ColumnType{.kind = Kind::time, .bytes = 4, .utc = is_utc(*zone)};
  }
  if (const auto parts = inside(text, "DateTime64")) {
    const auto comma = parts->find(',');
    std::uint8_t digits = 0;
    if (!whole_number(trimmed(parts->substr(0, comma)), digits) || digits > 9) return unknown();
    const bool utc = comma != std::string_view::npos && is_utc(trimmed(parts->substr(comma + 1)));
    return ColumnType{.kind = Kind::time64, .bytes = digits, .utc = utc};
  }
  return unknown();
}

void append_number(std::uint64_t number, std::size_t bytes, Buffer& out) {
  std::uint8_t* to = out.prepare(bytes);
  for (std::size_t i = 0; i < bytes; ++i) to[i] = static_cast<std::uint8_t>(number >> (8 * i));
  out.commit(bytes);
}

void append_length(std::uint64_t length, Buffer& out) {
  for (; length >= 0x80; length >>= 7U) out.push_back(static_cast<std::uint8_t>(length | 0x80U));
  out.push_back(static_cast<std::uint8_t>(length));
}

constexpr std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

/// Exactly `size` digits at the front of `text`, which go.
std::optional<int> take_digits(std::string_view& text, std::size_t size) {
  int number = 0;
  if (text.size() < size) return std::nullopt;
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(size);
  return number;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_char(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_char(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

/// "2026-11-21 12:30:00.250Z" in units of 10^-digits seconds. `zoned`: whether it names UTC.
std::optional<std::int64_t> read_time(std::string_view text, int digits, bool& zoned) {
  const auto day = take_date(text);
  if (!day || !take_char(text, " T")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take_char(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take_char(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  std::int64_t fraction = 0;
  if (take_char(text, ".")) {
    int seen = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), ++seen) {
      if (seen < digits) fraction = fraction * 10 + (text.front() - '0');
    }
    if (seen == 0) return std::nullopt;
    fraction *= power_of_ten(std::max(digits - seen, 0));
  }
  zoned = take_char(text, "Z");
  if (!text.empty()) return std::nullopt;
  const std::int64_t seconds = ((*day * 24 + *hour) * 60 + *minute) * 60 + *second;
  std::int64_t scaled = 0;
  if (__builtin_mul_overflow(seconds, power_of_ten(digits), &scaled)) return std::nullopt;
  return scaled + fraction;
}

/// Digits of a number in units of 10^-digits: "1700000000.25".
std::optional<std::int64_t> read_scaled(std::string_view text, int digits) {
  const bool negative = take_char(text, "-");
  const auto dot = text.find('.');
  std::int64_t whole = 0;
  if (!whole_number(text.substr(0, dot), whole)) return std::nullopt;
  std::int64_t scaled = 0;
  if (__builtin_mul_overflow(whole, power_of_ten(digits), &scaled)) return std::nullopt;
  std::string_view rest = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  for (int place = digits - 1; !rest.empty(); rest.remove_prefix(1), --place) {
    if (rest.front() < '0' || rest.front() > '9') return std::nullopt;
    if (place >= 0) scaled += (rest.front() - '0') * power_of_ten(place);
  }
  return negative ? -scaled : scaled;
}

std::optional<std::array<std::uint64_t, 2>> read_uuid(std::string_view text) {
  std::array<std::uint64_t, 2> halves{};
  std::size_t digits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '-' && (at == 8 || at == 13 || at == 18 || at == 23)) continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0 || digits == 32) return std::nullopt;
    halves[digits / 16] = halves[digits / 16] << 4U | static_cast<unsigned>(digit);
    ++digits;
  }
  return digits == 32 ? std::optional(halves) : std::nullopt;
}

/// One value. False: it does not fit the type.
class Writer {
 public:
  Writer(sql::Arena& arena, Buffer& out) : arena_(arena), out_(out) {}

  bool write(const ColumnType& type, const sql::Value& value) {
    const bool null = value.is_null() || value.is_undefined();
    if (type.nullable) {
      out_.push_back(null ? 1 : 0);
      if (null) return true;
    }
    if (null) return write_zero(type);
    switch (type.kind) {
      case Kind::integer:
        return integer(type, text_of(value));
      case Kind::natural:
        return natural(type, text_of(value));
      case Kind::real:
        return real(type, text_of(value));
      case Kind::boolean:
        return boolean(value);
      case Kind::text: {
        const auto text = sql::to_text(arena_, value);
        if (!text) return false;
        append_length(text->size(), out_);
        out_.append(*text);
        return true;
      }
      case Kind::fixed_text:
        return fixed_text(type, value);
      case Kind::date:
        return date(value);
      case Kind::time:
      case Kind::time64:
        return time(type, value);
      case Kind::uuid: {
        const auto halves = read_uuid(text_of(value));
        if (!halves) return false;
        append_number((*halves)[0], 8, out_);
        append_number((*halves)[1], 8, out_);
        return true;
      }
      case Kind::array:
        return array(type, value);
    }
    return false;
  }

 private:
  // As JSONEachRow: what is missing or null is the type's zero.
  bool write_zero(const ColumnType& type) {
    switch (type.kind) {
      case Kind::text:
      case Kind::array:
        append_length(0, out_);
        return true;
      case Kind::fixed_text:
        std::memset(out_.prepare(type.size), 0, type.size);
        out_.commit(type.size);
        return true;
      case Kind::uuid:
        append_number(0, 8, out_);
        append_number(0, 8, out_);
        return true;
      case Kind::time64:
        append_number(0, 8, out_);
        return true;
      default:
        append_number(0, type.bytes, out_);
        return true;
    }
  }

  std::string_view text_of(const sql::Value& value) {
    if (!value.is_string() && !value.is_number()) return {};
    return sql::to_text(arena_, value).value_or(std::string_view());
  }

  bool integer(const ColumnType& type, std::string_view text) {
    std::int64_t number = 0;
    if (!whole_number(text, number)) return false;
    const int unused = 64 - 8 * type.bytes;
    const std::int64_t most = std::numeric_limits<std::int64_t>::max() >> unused;
    if (number > most || number < -most - 1) return false;
    append_number(static_cast<std::uint64_t>(number), type.bytes, out_);
    return true;
  }

  bool natural(const ColumnType& type, std::string_view text) {
    std::uint64_t number = 0;
    if (!whole_number(text, number)) return false;
    if (number > std::numeric_limits<std::uint64_t>::max() >> (64 - 8 * type.bytes)) return false;
    append_number(number, type.bytes, out_);
    return true;
  }

  bool real(const ColumnType& type, std::string_view text) {
    double number = 0;
    if (!whole_number(text, number)) return false;
    if (type.bytes == 4) {
      append_number(std::bit_cast<std::uint32_t>(static_cast<float>(number)), 4, out_);
    } else {
      append_number(std::bit_cast<std::uint64_t>(number), 8, out_);
    }
    return true;
  }

  bool boolean(const sql::Value& value) {
    const std::string_view text =
        value.type() == sql::Value::Type::boolean ? (value.as_boolean() ? "1" : "0") : text_of(value);
    const bool set = text == "1" || text == "true";
    if (!set && text != "0" && text != "false") return false;
    out_.push_back(set ? 1 : 0);
    return true;
  }

  bool fixed_text(const ColumnType& type, const sql::Value& value) {
    if (!value.is_string()) return false;
    const std::string_view text = value.characters(arena_);
    if (text.size() > type.size) return false;
    out_.append(text);
    const std::size_t rest = type.size - text.size();
    std::memset(out_.prepare(rest), 0, rest);
    out_.commit(rest);
    return true;
  }

  bool date(const sql::Value& value) {
    std::string_view text = text_of(value);
    std::uint16_t days = 0;
    if (!value.is_string()) {
      if (!whole_number(text, days)) return false;
    } else {
      const auto day = take_date(text);
      if (!day || !text.empty() || *day < 0 || *day > std::numeric_limits<std::uint16_t>::max()) return false;
      days = static_cast<std::uint16_t>(*day);
    }
    append_number(days, 2, out_);
    return true;
  }

  bool time(const ColumnType& type, const sql::Value& value) {
    const int digits = type.kind == Kind::time64 ? type.bytes : 0;
    const std::string_view text = text_of(value);
    std::optional<std::int64_t> at = read_scaled(text, digits);
    if (!at && value.is_string()) {
      bool zoned = false;
      at = read_time(text, digits, zoned);
      if (!zoned && !type.utc) return false;  // which zone it means the server alone knows
    }
    if (!at) return false;
    if (type.kind == Kind::time64) {
      append_number(static_cast<std::uint64_t>(*at), 8, out_);
      return true;
    }
    if (*at < 0 || *at > std::numeric_limits<std::uint32_t>::max()) return false;
    append_number(static_cast<std::uint64_t>(*at), 4, out_);
    return true;
  }

  bool array(const ColumnType& type, const sql::Value& value) {
    if (value.type() != sql::Value::Type::array) return false;
    std::uint64_t count = 0;
    for (sql::ArrayItems items(value); items.next();) ++count;
    append_length(count, out_);
    sql::ArrayItems items(value);
    while (const auto item = items.next()) {
      if (!write(type.items.front(), *item)) return false;
    }
    return true;
  }

  sql::Arena& arena_;
  Buffer& out_;
};

}  // namespace

std::string quoted(std::string_view name) {
  std::string out = "`";
  for (const char c : name) {
    if (c == '`' || c == '\\') out += '\\';
    out += c;
  }
  return out + "`";
}

Result<ColumnType> parse_column_type(std::string_view text) {
  return parse_type(text, 0);
}

Result<RowBinary> RowBinary::of_table(std::string_view described) {
  RowBinary table;
  while (!described.empty()) {
    const auto end = described.find('\n');
    const std::string_view line = trimmed(described.substr(0, end));
    described = end == std::string_view::npos ? std::string_view() : described.substr(end + 1);
    if (line.empty()) continue;
    sql::JsonDocument document;
    if (!document.parse(line))
      return fail(ErrorCode::malformed, "DESCRIBE TABLE gave no JSON", std::string(line.substr(0, 200)));
    const sql::Value root = root_of(document);
    const std::string kind = member_text(root, "default_type");
    if (kind == "MATERIALIZED" || kind == "ALIAS" || kind == "EPHEMERAL") continue;
    Column column{member_text(root, "name"), {}, kind == "DEFAULT"};
    auto type = parse_column_type(member_text(root, "type"));
    if (!type) {
      return fail(ErrorCode::invalid_argument,
                  "a column's type has no form in RowBinary here: set insert.format=JSONEachRow",
                  column.name + " " + type.error().detail);
    }
    column.type = std::move(*type);
    table.names_ += (table.names_.empty() ? "" : ", ") + quoted(column.name);
    table.defaults_ = table.defaults_ || column.has_default;
    table.columns_.push_back(std::move(column));
  }
  if (table.columns_.empty()) return fail(ErrorCode::malformed, "DESCRIBE TABLE gave no column");
  return table;
}

Result<void> RowBinary::append(const sql::Value& object, bool skip_unknown, sql::Arena& arena, Buffer& out) {
  values_.assign(columns_.size(), sql::Value());
  std::size_t next = 0;  // objects mostly have the table's order: this column is tried first
  std::string unknown;
  each_member(object, arena, [&](std::string_view name, const sql::Value& value) {
    if (next >= columns_.size() || columns_[next].name != name) {
      const auto found = std::ranges::find(columns_, name, &Column::name);
      if (found == columns_.end()) {
        if (unknown.empty()) unknown = name;
        return;
      }
      next = static_cast<std::size_t>(found - columns_.begin());
    }
    values_[next++] = value;
  });
  if (!unknown.empty() && !skip_unknown) {
    return fail(ErrorCode::malformed, "the table has no such column (input_format_skip_unknown_fields=1 leaves it out)",
                unknown);
  }
  const std::size_t before = out.size();
  Writer writer(arena, out);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    if (defaults_) {
      const bool left_out = column.has_default && values_[i].is_undefined();
      out.push_back(left_out ? 1 : 0);
      if (left_out) continue;
    }
    if (!writer.write(column.type, values_[i])) {
      out.resize(before);
      return fail(ErrorCode::malformed, "the value is not of the column's type", column.name);
    }
  }
  return {};
}

}  // namespace millrace::connect::clickhouse

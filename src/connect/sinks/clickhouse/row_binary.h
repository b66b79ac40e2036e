// RowBinary: JSON objects as rows of ClickHouse's binary formats "RowBinary" and "RowBinaryWithDefaults"
// (ClickHouse documentation, Formats): the columns in the table's order, numbers little-endian, texts behind their
// length, a byte before what may be NULL or left to the column's DEFAULT. The server then parses nothing.
//
// A value becomes what the server would make of it in JSONEachRow; where that depends on settings of the server (times
// without a zone), the row is refused. Pure. Thread: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "sql/arena.h"
#include "sql/value.h"

namespace millrace::connect::clickhouse {

/// The type of a column as the rows need it.
struct ColumnType {
  enum class Kind : std::uint8_t { integer, natural, real, boolean, text, fixed_text, date, time, time64, uuid, array };
  Kind kind = Kind::text;
  std::uint8_t bytes = 0;  // of numbers; fixed_text: see size; time64: digits behind the second
  bool nullable = false;
  bool utc = false;                 // date, time: the column names the zone UTC
  std::uint32_t size = 0;           // fixed_text
  std::vector<ColumnType> items{};  // array: one
};

/// "LowCardinality(Nullable(String))". Errors: invalid_argument (a type that is not written here).
Result<ColumnType> parse_column_type(std::string_view text);

class RowBinary {
 public:
  /// `described`: the answer to DESCRIBE TABLE ... FORMAT JSONEachRow, a line for each column. Columns that nobody may
  /// insert into (MATERIALIZED, ALIAS, EPHEMERAL) are left out. Errors: malformed, invalid_argument (a column's type).
  static Result<RowBinary> of_table(std::string_view described);

  /// "RowBinaryWithDefaults" where a column has a DEFAULT.
  [[nodiscard]] std::string_view format() const { return defaults_ ? "RowBinaryWithDefaults" : "RowBinary"; }
  /// (`a`, `b`): what the rows hold.
  [[nodiscard]] const std::string& columns() const { return names_; }
  /// Errors: malformed (the object does not fit the table; nothing was appended). `skip_unknown`: members without a
  /// column are left out instead.
  Result<void> append(const sql::Value& object, bool skip_unknown, sql::Arena& arena, Buffer& out);

 private:
  struct Column {
    std::string name;
    ColumnType type;
    bool has_default = false;
  };
  std::vector<Column> columns_;
  std::string names_;
  bool defaults_ = false;
  std::vector<sql::Value> values_;  // of the row that is written, by column
};

/// `name` with its quotes.
std::string quoted(std::string_view name);

}  // namespace millrace::connect::clickhouse

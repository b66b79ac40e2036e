// TableRows: the rows of one table that one transaction will write: their columns, and their text in COPY's format.
// Pure. Thread: the task's.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "connect/runtime/sink_record.h"
#include "sql/arena.h"

namespace millrace::connect::postgres {

/// The type a column is made with, by what its first value looks like.
std::string_view column_type(const sql::Value& value);

struct Column {
  std::string name;
  std::string_view type;  // for CREATE and ALTER TABLE
  bool key = false;
};

class TableRows {
 public:
  /// Starts a row; add() its values by column; missing ones are NULL.
  void begin_row();
  void add(std::string_view column, const sql::Value& value, bool key = false);
  void add_integer(std::string_view column, std::int64_t value, bool key = false);
  void add_text(std::string_view column, std::string_view value, bool key = false);
  void drop_row();

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::size_t count() const { return rows_.size(); }
  /// COPY text: every column in order, then the row's number.
  void write(Buffer& out) const;

 private:
  std::size_t column(std::string_view name, std::string_view type, bool key);
  struct Cell {
    std::size_t column;
    std::string text;  // escaped
  };
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  sql::Arena arena_;
};

}  // namespace millrace::connect::postgres

// TableRows: the rows of one table that one transaction will write: their columns, and their text in COPY's format.
// Pure. Thread: the task's.
#pragma once

#include <optional>
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
  /// Forgets rows and columns; memory stays.
  void clear();
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
  struct Cell {
    std::size_t column;
    std::size_t from;  // in text_
    std::size_t size;
  };
  [[nodiscard]] std::optional<std::size_t> known(std::string_view name) const;
  std::size_t column(std::string_view name, std::string_view type, bool key);
  /// A cell of the last row, escaped for COPY.
  void put(std::size_t column, std::string_view text);
  /// The same for a text without anything to escape.
  void put_plain(std::size_t column, std::string_view text);

  std::vector<Column> columns_;
  std::vector<std::size_t> rows_;  // where each begins in cells_
  std::vector<Cell> cells_;
  Buffer text_;
  sql::Arena arena_;
};

}  // namespace millrace::connect::postgres

// DelimitedText: a CSV file (RFC 4180, plain or gzip) in memory, with where each row begins.
//
// The first row names the columns. The delimiter is the one of , ; tab | that the header holds most of. Quoted cells
// may hold delimiters, doubled quotes and line breaks; a byte order mark is skipped; empty lines are not rows. Cells
// are views into the text, except those with doubled quotes. Thread: one owner; rows may be read in any order.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::load {

struct Cell {
  std::string_view text;
  bool quoted = false;  // "" is text, an empty cell without quotes is nothing
};

/// The cells of one row; reused from row to row.
struct Row {
  std::vector<Cell> cells;
  std::deque<std::string> unescaped;
};

class DelimitedText {
 public:
  /// Reads the whole file; .gz is recognised by content. Errors: not_found, io_error, malformed (no header, an open
  /// quote).
  static Result<DelimitedText> load(const std::string& path);
  /// `name` is used in errors.
  static Result<DelimitedText> parse(std::string text, std::string_view name);

  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::size_t rows() const { return starts_.size(); }
  [[nodiscard]] char delimiter() const { return delimiter_; }
  void read_row(std::size_t row, Row& into) const;
  /// 1-based line of the file where the row begins.
  [[nodiscard]] std::size_t line_of(std::size_t row) const;

 private:
  /// Parses the row at `at`; returns where the next one begins, npos for an open quote.
  std::size_t scan(std::size_t at, Row* into) const;

  std::string text_;
  char delimiter_ = ',';
  std::vector<std::string> columns_;
  std::vector<std::size_t> starts_;
};

}  // namespace millrace::load

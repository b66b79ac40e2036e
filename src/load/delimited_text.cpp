#include "load/delimited_text.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millrace::load {
namespace {

constexpr std::size_t kLargestFile = 4ULL << 30U;  // decompressed; the whole file is kept in memory

}  // namespace

Result<DelimitedText> DelimitedText::load(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  if (file == nullptr)
    return fail(ErrorCode::not_found, "cannot open", fmt::format("{}: {}", path, std::strerror(errno)));
  std::string text;
  char chunk[1 << 16];
  int got = 0;
  while ((got = gzread(file, chunk, sizeof chunk)) > 0 && text.size() <= kLargestFile) {
    text.append(chunk, static_cast<std::size_t>(got));
  }
  int code = Z_OK;
  const char* const words = gzerror(file, &code);
  const std::string reason = code == Z_ERRNO ? std::strerror(errno) : words;
  if (gzclose(file) == Z_BUF_ERROR && got == 0)
    return fail(ErrorCode::malformed, "the gzip file ends in the middle", path);
  if (got < 0) return fail(ErrorCode::io_error, "cannot read", fmt::format("{}: {}", path, reason));
  if (text.size() > kLargestFile) return fail(ErrorCode::too_large, "more than 4 GiB of text", path);
  return parse(std::move(text), path);
}

Result<DelimitedText> DelimitedText::parse(std::string text, std::string_view name) {
  DelimitedText table;
  table.text_ = std::move(text);
  std::size_t at = table.text_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  const std::string_view header = std::string_view(table.text_).substr(at, table.text_.find('\n', at) - at);
  std::ptrdiff_t most = -1;
  for (const char candidate : {',', ';', '\t', '|'}) {
    const std::ptrdiff_t count = std::ranges::count(header, candidate);
    if (count > most) {
      most = count;
      table.delimiter_ = candidate;
    }
  }
  Row row;
  at = table.scan(at, &row);
  for (const Cell& cell : row.cells) table.columns_.emplace_back(cell.text);
  if (at == std::string::npos || table.columns_.empty() || (table.columns_.size() == 1 && table.columns_[0].empty())) {
    return fail(ErrorCode::malformed, "no header row with column names", std::string(name));
  }
  while (at < table.text_.size()) {
    const char first = table.text_[at];
    if (first == '\n' || first == '\r') {
      ++at;
      continue;
    }
    table.starts_.push_back(at);
    at = table.scan(at, nullptr);
    if (at == std::string::npos) {
      return fail(ErrorCode::malformed, "a quoted cell is never closed",
                  fmt::format("{}:{}", name, table.line_of(table.rows() - 1)));
    }
  }
  return table;
}

std::size_t DelimitedText::scan(std::size_t at, Row* into) const {
  if (into != nullptr) {
    into->cells.clear();
    into->unescaped.clear();
  }
  const std::string_view text = text_;
  while (true) {
    Cell cell;
    if (at < text.size() && text[at] == '"') {
      bool doubled = false;
      const std::size_t from = ++at;
      while (true) {
        at = text.find('"', at);
        if (at == std::string_view::npos) return at;
        if (at + 1 >= text.size() || text[at + 1] != '"') break;
        doubled = true;
        at += 2;
      }
      cell = {text.substr(from, at - from), true};
      ++at;
      if (doubled && into != nullptr) {
        std::string& plain = into->unescaped.emplace_back(cell.text);
        for (std::size_t quote = plain.find("\"\""); quote != std::string::npos;
             quote = plain.find("\"\"", quote + 1)) {
          plain.erase(quote, 1);
        }
        cell.text = plain;
      }
      while (at < text.size() && text[at] != delimiter_ && text[at] != '\n') ++at;  // blanks behind a quote
    } else {
      const std::size_t from = at;
      while (at < text.size() && text[at] != delimiter_ && text[at] != '\n') ++at;
      cell.text = text.substr(from, at - from);
      if ((at == text.size() || text[at] == '\n') && cell.text.ends_with('\r')) cell.text.remove_suffix(1);
    }
    if (into != nullptr) into->cells.push_back(cell);
    if (at >= text.size()) return text.size();
    if (text[at++] == '\n') return at;
  }
}

void DelimitedText::read_row(std::size_t row, Row& into) const {
  (void)scan(starts_[row], &into);
}

std::size_t DelimitedText::line_of(std::size_t row) const {
  return 1 + static_cast<std::size_t>(
                 std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(starts_[row]), '\n'));
}

}  // namespace millrace::load

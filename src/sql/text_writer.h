// TextWriter: a growing run of characters in an Arena, kMaxResult at most: what goes beyond is not written and
// overflowed() says so. finish() hands out a view that lives until the arena is reset.
#pragma once

#include <cstring>
#include <string_view>

#include "sql/arena.h"

namespace millrace::sql {

/// Text longer than this is no result (Undefined): a rule's output per message is bounded.
inline constexpr std::size_t kMaxResult = std::size_t{8} << 20U;

class TextWriter {
 public:
  explicit TextWriter(Arena& arena, std::size_t expected = 64) : arena_(arena) {
    begin_ = at_ = arena_.text(expected);
    limit_ = begin_ + expected;
  }

  void append(std::string_view text) {
    if (text.empty()) return;
    if (size() + text.size() > kMaxResult) [[unlikely]] {
      overflow();
      return;
    }
    char* to = prepare(text.size());
    std::memcpy(to, text.data(), text.size());
    at_ += text.size();
  }
  void push(char c) {
    *prepare(1) = c;
    ++at_;
  }
  /// Room for `count` characters; call commit() with how many were written.
  [[nodiscard]] char* prepare(std::size_t count) {
    if (static_cast<std::size_t>(limit_ - at_) < count) [[unlikely]]
      grow(count);
    return at_;
  }
  void commit(std::size_t count) { at_ += count; }
  void overflow() { overflowed_ = true; }
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  [[nodiscard]] std::string_view view() const { return {begin_, size()}; }
  /// Takes back everything after the first `size` characters.
  void truncate(std::size_t size) { at_ = begin_ + size; }
  [[nodiscard]] std::string_view finish() {
    arena_.give_back(at_, limit_);
    limit_ = at_;
    return view();
  }

 private:
  void grow(std::size_t count) {
    const std::size_t have = size();
    std::size_t want = (have + count) * 2;
    char* to = arena_.text(want);
    if (have != 0) std::memcpy(to, begin_, have);
    begin_ = to;
    at_ = to + have;
    limit_ = to + want;
  }

  Arena& arena_;
  char* begin_;
  char* at_;
  char* limit_;
  bool overflowed_ = false;
};

}  // namespace millrace::sql

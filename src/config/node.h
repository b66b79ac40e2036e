// Node: a configuration document as a tree that remembers where everything stood, so that every error can name its
// line.
// Read from YAML 1.2 (and therefore JSON). Anchors, tags and multiple documents are refused; depth and size are
// bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::config {

class Node {
 public:
  enum class Kind : std::uint8_t { null, scalar, sequence, map };
  struct Entry;  // a key and its value

  Kind kind = Kind::null;
  std::string text;            // scalar: its characters, quotes removed
  bool quoted = false;         // scalar: stood in quotes (so "5" is text and 5 may be a number)
  std::vector<Node> items;     // sequence
  std::vector<Entry> entries;  // map, in document order; duplicate keys are refused by the parser
  int line = 0;                // 1-based
  int column = 0;              // 1-based

  [[nodiscard]] const Node* find(std::string_view key) const;
};

// Not a std::pair: that would need a complete Node inside Node.
struct Node::Entry {
  std::string first;
  Node second;
};

inline const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

/// `source` is named in errors ("millrace.yaml:12:3: ..."). Error: invalid_argument with line, column and what was
/// found.
Result<Node> parse_yaml(std::string_view text, std::string_view source);

/// The candidate with the smallest edit distance to `key`, or empty when none is near ("did you mean ...?").
std::string nearest(std::string_view key, const std::vector<std::string>& candidates);

}  // namespace millrace::config

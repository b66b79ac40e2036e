#include "config/yaml_writer.h"

#include <array>
#include <cstdio>

namespace millrace::config {
namespace {

std::string scalar_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::scalar:
      // What stood without quotes may go without them; it may still need them when it spanned lines.
      return node.quoted                                 ? yaml_scalar(node.text)
             : node.text.find('\n') == std::string::npos ? node.text
                                                         : yaml_scalar(node.text);
    case Node::Kind::sequence:
      return "[]";
    case Node::Kind::map:
      return "{}";
  }
  return "";
}

bool is_block(const Node& node) {
  return !node.items.empty() || !node.entries.empty();
}

}  // namespace

std::string yaml_scalar(const std::string& text) {
  const bool looks_plain = !text.empty() && text.find_first_of(":#{}[],&*!|>'\"%@`\\?") == std::string::npos &&
                           text.front() != ' ' && text.back() != ' ' && text.front() != '-' && text != "~" &&
                           text != "null";
  bool control = false;
  for (const char c : text) control = control || static_cast<unsigned char>(c) < 0x20;
  if (looks_plain && !control) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 5> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      quoted += hex.data();
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string yaml_block(const Node& node, int indent) {
  const std::string space(static_cast<std::size_t>(indent), ' ');
  std::string out;
  if (!is_block(node)) return space + scalar_of(node) + "\n";
  for (const Node& item : node.items) {
    out += space + "-";
    out += is_block(item) ? "\n" + yaml_block(item, indent + 2) : " " + scalar_of(item) + "\n";
  }
  for (const auto& [key, value] : node.entries) {
    out += space + yaml_scalar(key) + ":";
    out += is_block(value) ? "\n" + yaml_block(value, indent + 2) : " " + scalar_of(value) + "\n";
  }
  return out;
}

}  // namespace millrace::config

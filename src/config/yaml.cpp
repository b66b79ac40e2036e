// parse_yaml: yaml-cpp's events become Nodes. Its own tree is not used: it resolves aliases (a small text can become a
// huge tree) and lets a later duplicate key hide an earlier one.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <stdexcept>

#include "config/node.h"

namespace millrace::config {
namespace {

constexpr std::size_t kLargestDocument = 4U << 20U;
constexpr std::size_t kDeepest = 64;

/// Leaves the parser from inside an event.
struct Refused : std::runtime_error {
  Refused(const YAML::Mark& mark, const std::string& what)
      : std::runtime_error(what), line(mark.line + 1), column(mark.column + 1) {}
  int line;
  int column;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { throw Refused(mark, "aliases are not supported"); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, "", anchor, Node::Kind::null); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp's own tags: "?" plain, "!" quoted or block.
    const bool quoted = tag == "!";
    Node* node = nullptr;
    if (awaits_key()) {
      check(mark, quoted ? "" : tag, anchor);
      take_key(mark, value);
      return;
    }
    const bool is_null = !quoted && (value.empty() || value == "~" || value == "null");
    node = add(mark, quoted ? "" : tag, anchor, is_null ? Node::Kind::null : Node::Kind::scalar);
    node->text = is_null ? "" : value;
    node->quoted = quoted;
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(add(mark, tag, anchor, Node::Kind::sequence), mark);
  }
  void OnSequenceEnd() override { open_.pop_back(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(add(mark, tag, anchor, Node::Kind::map), mark);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  /// A container being filled. Its address is stable: only the innermost one grows, and it is the last of its parent.
  struct Open {
    Node* node;
    bool has_key = false;
  };

  [[nodiscard]] bool awaits_key() const {
    return !open_.empty() && open_.back().node->kind == Node::Kind::map && !open_.back().has_key;
  }

  static void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refused(mark, "anchors are not supported");
    if (!tag.empty() && tag != "?" && tag != "!") throw Refused(mark, "tags are not supported: " + tag);
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    Node& map = *open_.back().node;
    for (const Node::Entry& entry : map.entries) {
      if (entry.first == key) {
        throw Refused(mark, "'" + key + "' is already set in line " + std::to_string(entry.second.line));
      }
    }
    map.entries.push_back({key, Node{}});
    // Until its value is known the entry stands where its key stands; a scalar is reported there as well.
    map.entries.back().second.line = mark.line + 1;
    map.entries.back().second.column = mark.column + 1;
    open_.back().has_key = true;
  }

  Node* add(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    check(mark, tag, anchor);
    if (awaits_key()) throw Refused(mark, "a key must be a plain word");
    Node* node = &root_;
    bool placed = false;
    if (!open_.empty()) {
      Open& parent = open_.back();
      if (parent.node->kind == Node::Kind::map) {
        node = &parent.node->entries.back().second;
        parent.has_key = false;
        placed = true;  // the key's line is the one people look for
      } else {
        node = &parent.node->items.emplace_back();
      }
    }
    node->kind = kind;
    if (!placed) {
      node->line = mark.line + 1;
      node->column = mark.column + 1;
    }
    return node;
  }

  void open(Node* node, const YAML::Mark& mark) {
    if (open_.size() >= kDeepest) throw Refused(mark, "nested deeper than " + std::to_string(kDeepest) + " levels");
    open_.push_back({node});
  }

  Node root_;
  std::vector<Open> open_;
};

std::unexpected<Error> refuse(std::string_view source, int line, int column, std::string_view what) {
  std::string where(source);
  if (line > 0) where += ":" + std::to_string(line) + ":" + std::to_string(column);
  return fail(ErrorCode::invalid_argument, "configuration", where + ": " + std::string(what));
}

}  // namespace

Result<Node> parse_yaml(std::string_view text, std::string_view source) {
  if (text.size() > kLargestDocument) {
    return refuse(source, 0, 0, "larger than " + std::to_string(kLargestDocument >> 20U) + " MiB");
  }
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder)) return Node{};  // empty, or comments only
    Node root = builder.take();
    TreeBuilder second;
    if (parser.HandleNextDocument(second)) return refuse(source, 0, 0, "more than one document");
    return root;
  } catch (const Refused& refused) {
    return refuse(source, refused.line, refused.column, refused.what());
  } catch (const YAML::Exception& error) {
    return refuse(source, error.mark.line + 1, error.mark.column + 1, "not YAML: " + error.msg);
  }
}

}  // namespace millrace::config

// OutputTree: an object that dotted names (AS a.b.c) build member by member. The less common way to an output; the
// common ones copy text. Lives in the arena of one message.
#pragma once

#include <span>
#include <string_view>

#include "sql/value.h"

namespace millrace::sql {

class OutputTree {
 public:
  explicit OutputTree(Arena& arena) : arena_(arena) {}
  /// All members of an object, in order.
  void add_members(const Value& object);
  /// The same; a member that is there already is replaced where it stands.
  void set_members(const Value& object);
  /// Sets a member; objects on the way are created, members on the way that are no objects are replaced.
  void set(std::span<const std::string_view> path, const Value& value);
  /// The object as a value in the arena.
  [[nodiscard]] Value value() const { return value_of(root_); }
  void write(TextWriter& out) const { write_branch(out, root_); }

 private:
  struct Branch;
  struct Entry {
    std::string_view name;  // characters
    Value value;
    Branch* branch = nullptr;  // instead of the value
    Entry* next = nullptr;
  };
  struct Branch {
    Entry* first = nullptr;
    Entry* last = nullptr;
  };
  Entry& entry(Branch& branch, std::string_view name);
  void fill(Branch& branch, const Value& object);
  [[nodiscard]] Value value_of(const Branch& branch) const;
  void write_branch(TextWriter& out, const Branch& branch) const;

  Arena& arena_;
  Branch root_;
};

}  // namespace millrace::sql

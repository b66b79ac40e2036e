#include "sql/output_tree.h"

#include <new>

namespace millrace::sql {

OutputTree::Entry& OutputTree::entry(Branch& branch, std::string_view name) {
  Entry* found = nullptr;
  for (Entry* at = branch.first; at != nullptr; at = at->next) {
    if (at->name == name) found = at;  // of members of one name the last counts
  }
  if (found != nullptr) return *found;
  auto* added = new (arena_.allocate(sizeof(Entry), alignof(Entry))) Entry{name, {}, nullptr, nullptr};
  (branch.last == nullptr ? branch.first : branch.last->next) = added;
  branch.last = added;
  return *added;
}

void OutputTree::fill(Branch& branch, const Value& object) {
  const auto append = [&](std::string_view name, const Value& value) {
    auto* added = new (arena_.allocate(sizeof(Entry), alignof(Entry))) Entry{name, value, nullptr, nullptr};
    (branch.last == nullptr ? branch.first : branch.last->next) = added;
    branch.last = added;
  };
  if (object.form() == Value::Form::built) {
    for (std::size_t i = 0; i < object.count(); ++i) append(object.members()[i].name, object.members()[i].value);
    return;
  }
  const JsonDocument& document = object.document();
  const std::uint32_t end = document.node(object.node()).end;
  for (std::uint32_t i = object.node() + 1; i < end; i = document.node(i).end) {
    const JsonNode& member = document.node(i);
    const std::string_view raw = document.key_of(member);
    const Value name = member.key_escaped ? Value::string_source(raw) : Value::string(raw);
    append(name.characters(arena_), Value::of(document, i));
  }
}

void OutputTree::add_members(const Value& object) {
  fill(root_, object);
}

void OutputTree::set_members(const Value& object) {
  Branch added;
  fill(added, object);
  for (const Entry* at = added.first; at != nullptr; at = at->next) {
    if (!at->value.is_undefined()) set({&at->name, 1}, at->value);
  }
}

void OutputTree::set(std::span<const std::string_view> path, const Value& value) {
  Branch* branch = &root_;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    Entry& step = entry(*branch, path[i]);
    if (step.branch == nullptr) {
      step.branch = new (arena_.allocate(sizeof(Branch), alignof(Branch))) Branch{};
      if (step.value.type() == Value::Type::object) fill(*step.branch, step.value);
    }
    branch = step.branch;
  }
  Entry& leaf = entry(*branch, path.back());
  leaf.value = value;
  leaf.branch = nullptr;
}

Value OutputTree::value_of(const Branch& branch) const {
  std::size_t count = 0;
  for (const Entry* at = branch.first; at != nullptr; at = at->next) ++count;
  Member* members = arena_.array<Member>(count);
  std::size_t size = 0;
  for (const Entry* at = branch.first; at != nullptr; at = at->next) {
    const Value value = at->branch != nullptr ? value_of(*at->branch) : at->value;
    if (!value.is_undefined()) new (members + size++) Member{at->name, value};
  }
  return Value::object(members, size);
}

void OutputTree::write_branch(TextWriter& out, const Branch& branch) const {
  out.push('{');
  bool first = true;
  for (const Entry* at = branch.first; at != nullptr; at = at->next) {
    if (at->branch == nullptr && at->value.is_undefined()) continue;
    if (!first) out.push(',');
    first = false;
    write_json_string(out, at->name);
    out.push(':');
    if (at->branch != nullptr) {
      write_branch(out, *at->branch);
    } else {
      write_json(out, arena_, at->value);
    }
  }
  out.push('}');
}

}  // namespace millrace::sql

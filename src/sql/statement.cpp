#include "sql/statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "sql/output_tree.h"

namespace millrace::sql {

namespace {

std::unexpected<Error> refuse(std::string_view text, std::uint32_t at, std::string_view what) {
  return fail(ErrorCode::invalid_argument, "SQL", describe_position(text, at, what));
}

constexpr std::size_t kMaxItems = 4096;

}  // namespace

bool Statement::Item::is_named_as(const Item& other) const {
  if (parts != other.parts || front() != other.front()) return false;
  for (std::uint32_t i = 1; i < parts; ++i) {
    if (names[i] != other.names[i]) return false;
  }
  return true;
}

Result<void> Statement::add_item(const SelectItem& item, std::string_view text, Program& program) {
  Item out;
  MR_TRY_ASSIGN(out.node, program.compile(item.value, text));
  const auto name = item.alias.empty() ? implied_name(item.value) : item.alias;
  if (name.empty()) return refuse(text, item.at, "this item needs a name: ... AS name");
  Arena arena(256);
  TextWriter key(arena);
  write_json_string(key, name.front());
  key.push(':');
  out.key_text = program.paths().keep(key.view());
  out.parts = static_cast<std::uint32_t>(name.size());
  if (out.parts > 1 || out.front() != name.front()) {
    out.names = std::make_unique<std::string_view[]>(name.size());
    for (std::size_t i = 0; i < name.size(); ++i) out.names[i] = program.paths().keep(name[i]);
  }
  // Of two items with one name the later counts.
  std::erase_if(items_, [&](const Item& earlier) { return earlier.is_named_as(out); });
  items_.push_back(std::move(out));
  return {};
}

Result<Statement> Statement::compile(std::string_view text, Program& program) {
  MR_TRY_ASSIGN(SelectStatement parsed, parse_statement(text, program.options().dialect));
  Statement out;
  out.filters_ = std::move(parsed.filters);
  if (parsed.items.size() > kMaxItems) return refuse(text, 0, "SELECT has more than 4096 items");
  if (!parsed.variables.empty() || parsed.expansion) out.rare_ = std::make_unique<Rare>();
  for (const Assignment& assignment : parsed.variables) {
    MR_TRY_ASSIGN(const auto node, program.compile(assignment.value, text));
    program.declare_variable(assignment.name);
    out.rare_->variables.push_back(node);
  }
  if (parsed.where) {
    MR_TRY_ASSIGN(out.where_, program.compile(*parsed.where, text));
  }
  if (parsed.expansion) {
    Expanded expanded;
    MR_TRY_ASSIGN(expanded.array, program.compile(parsed.expansion->array, text));
    program.declare_element(parsed.expansion->name);
    if (parsed.expansion->condition) {
      MR_TRY_ASSIGN(expanded.condition, program.compile(*parsed.expansion->condition, text));
    }
    out.rare_->expansion = expanded;
  }
  MR_TRY(out.add_items(parsed, text, program));
  out.needs_json_ = program.reads_members() || out.merges_;
  out.items_.shrink_to_fit();
  return out;
}

Result<void> Statement::add_items(const SelectStatement& parsed, std::string_view text, Program& program) {
  if (parsed.value_only) {
    const Expression& value = parsed.items[0].value;
    shape_ = value.kind == Expression::Kind::star ? Shape::payload : Shape::value;
    if (shape_ == Shape::payload) return {};
    Item item;
    MR_TRY_ASSIGN(item.node, program.compile(value, text));
    items_.push_back(std::move(item));
    return {};
  }
  bool star = false;
  bool dotted = false;
  for (const SelectItem& item : parsed.items) {
    if (item.value.kind == Expression::Kind::star && item.alias.empty()) {
      star = true;
      continue;
    }
    MR_TRY(add_item(item, text, program));
    dotted = dotted || items_.back().parts > 1;
  }
  shape_ = items_.empty() ? Shape::payload : dotted ? Shape::tree : star ? Shape::merge : Shape::object;
  merges_ = star && !items_.empty();
  return {};
}

void Statement::begin(const Program& program, Evaluation& evaluation) const {
  evaluation.begin_rule(rare_ ? rare_->variables.size() : 0);
  if (!rare_) [[likely]]
    return;
  for (std::size_t i = 0; i < rare_->variables.size(); ++i) {
    evaluation.set_variable(static_cast<std::uint32_t>(i), program.evaluate(evaluation, rare_->variables[i]));
  }
}

std::optional<std::string_view> Statement::select(const Program& program, Evaluation& evaluation) const {
  switch (shape_) {
    case Shape::payload:
      return evaluation.payload();
    case Shape::value: {
      TextWriter out(evaluation.arena(), 256);
      write(out, evaluation, program.evaluate(evaluation, items_[0].node));
      return finish(out, evaluation);
    }
    case Shape::object:
      return select_object(program, evaluation);
    case Shape::merge:
      return select_merged(program, evaluation);
    case Shape::tree:
      return select_tree(program, evaluation);
  }
  return std::nullopt;
}

std::string_view Statement::finish(TextWriter& out, Evaluation& evaluation) const {
  if (out.overflowed()) evaluation.spend(std::size_t{Evaluation::kFuel} + 1);
  return out.finish();
}

/// What is built may be far larger than what built it: it is paid for before it is written.
void Statement::write(TextWriter& out, Evaluation& evaluation, const Value& value) {
  if (!evaluation.spend(value.weight() / Evaluation::kBytesPerStep)) return out.overflow();
  write_json(out, evaluation.arena(), value);
}

std::string_view Statement::select_object(const Program& program, Evaluation& evaluation) const {
  TextWriter out(evaluation.arena(), 512);
  out.push('{');
  bool first = true;
  for (const Item& item : items_) {
    const Value value = program.evaluate(evaluation, item.node);
    if (value.is_undefined()) continue;
    if (!first) out.push(',');
    first = false;
    out.append(item.key_text);
    write(out, evaluation, value);
  }
  out.push('}');
  return finish(out, evaluation);
}

std::optional<std::string_view> Statement::select_merged(const Program& program, Evaluation& evaluation) const {
  if (!evaluation.payload_is_json()) return std::nullopt;
  const JsonDocument& document = evaluation.document();
  const JsonNode& root = document.node(JsonDocument::kRoot);
  if (root.type != JsonType::object) return std::nullopt;

  // Values first: functions may allocate, and the output grows in place when nothing else does.
  struct Replacement {
    std::uint32_t node;
    std::size_t item;
  };
  Arena& arena = evaluation.arena();
  Value* values = arena.array<Value>(items_.size());
  Replacement* replacements = arena.array<Replacement>(items_.size());
  std::size_t replaced = 0;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    values[i] = program.evaluate(evaluation, items_[i].node);
    if (values[i].is_undefined()) continue;
    if (!evaluation.spend((root.end - JsonDocument::kRoot) / 8)) return std::string_view();
    const std::uint32_t found = document.find(JsonDocument::kRoot, items_[i].front());
    if (found != JsonDocument::kAbsent) replacements[replaced++] = {found, i};
  }
  std::sort(replacements, replacements + replaced,
            [](const Replacement& a, const Replacement& b) { return a.node < b.node; });

  const std::string_view text = document.span_of(root);
  if (!evaluation.spend(text.size() / Evaluation::kBytesPerStep)) return std::string_view();
  TextWriter out(arena, text.size() + 64 * items_.size());
  std::size_t copied = 0;
  for (std::size_t i = 0; i < replaced; ++i) {
    const std::string_view old = document.source_of(document.node(replacements[i].node));
    const auto at = static_cast<std::size_t>(old.data() - text.data());
    out.append(text.substr(copied, at - copied));
    write(out, evaluation, values[replacements[i].item]);
    values[replacements[i].item] = {};
    copied = at + old.size();
  }
  std::size_t end = text.size() - 1;  // the closing brace
  while (end > copied && static_cast<unsigned char>(text[end - 1]) <= ' ') --end;
  out.append(text.substr(copied, end - copied));
  bool empty = root.end == JsonDocument::kRoot + 1;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (values[i].is_undefined()) continue;
    if (!empty) out.push(',');
    empty = false;
    out.append(items_[i].key_text);
    write(out, evaluation, values[i]);
  }
  out.push('}');
  return finish(out, evaluation);
}

std::optional<std::string_view> Statement::select_tree(const Program& program, Evaluation& evaluation) const {
  Arena& arena = evaluation.arena();
  OutputTree tree(arena);
  if (merges_) {
    if (!evaluation.payload_is_json()) return std::nullopt;
    const Value root = Value::of(evaluation.document(), JsonDocument::kRoot);
    if (root.type() != Value::Type::object) return std::nullopt;
    const std::size_t copying = root.weight() / Evaluation::kBytesPerStep;
    if (!evaluation.spend(copying + root.members_to_search() * items_.size() / 8)) return std::string_view();
    tree.add_members(root);
  }
  for (const Item& item : items_) {
    const Value value = program.evaluate(evaluation, item.node);
    const std::string_view one = item.front();
    if (value.is_undefined()) continue;
    if (!evaluation.spend(value.weight() / Evaluation::kBytesPerStep)) return std::string_view();
    tree.set(item.names ? std::span<const std::string_view>(item.names.get(), item.parts)
                        : std::span<const std::string_view>(&one, 1),
             value);
  }
  TextWriter out(arena, evaluation.payload().size() + 512);
  tree.write(out);
  return finish(out, evaluation);
}

}  // namespace millrace::sql

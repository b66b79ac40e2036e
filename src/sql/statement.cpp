#include "sql/statement.h"

#include <fmt/format.h>

#include <algorithm>

#include "sql/output_tree.h"

namespace millrace::sql {

namespace {

std::unexpected<Error> refuse(std::string_view text, std::uint32_t at, std::string_view what) {
  return fail(ErrorCode::invalid_argument, "SQL", describe_position(text, at, what));
}

/// An unnamed item is called after the last name of its path or after its function.
std::vector<std::string> implied_name(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::path:
    case Expression::Kind::member:
      return {expression.names.back()};
    case Expression::Kind::call:
      return {expression.text};
    default:
      return {};
  }
}

constexpr std::size_t kMaxItems = 4096;

}  // namespace

Result<void> Statement::add_item(const SelectItem& item, std::string_view text, Paths& paths) {
  Item out;
  MR_TRY_ASSIGN(out.node, program_.compile(item.value, text, paths));
  out.name = item.alias.empty() ? implied_name(item.value) : item.alias;
  if (out.name.empty()) return refuse(text, item.at, "this item needs a name: ... AS name");
  Arena arena(256);
  TextWriter key(arena);
  write_json_string(key, out.name.front());
  key.push(':');
  out.key_text = std::string(key.view());
  // Of two items with one name the later counts.
  std::erase_if(items_, [&](const Item& earlier) { return earlier.name == out.name; });
  items_.push_back(std::move(out));
  return {};
}

Result<Statement> Statement::compile(std::string_view text, const Options& options, Paths& paths) {
  MR_TRY_ASSIGN(const SelectStatement parsed, parse_statement(text));
  Statement out(options);
  out.filter_ = parsed.filter;
  if (parsed.items.size() > kMaxItems) return refuse(text, 0, "SELECT has more than 4096 items");
  if (parsed.where) {
    MR_TRY_ASSIGN(out.where_, out.program_.compile(*parsed.where, text, paths));
  }
  bool star = false;
  bool dotted = false;
  if (parsed.value_only) {
    const Expression& value = parsed.items[0].value;
    if (value.kind == Expression::Kind::star) {
      out.shape_ = Shape::payload;
      return out;
    }
    out.shape_ = Shape::value;
    Item item;
    MR_TRY_ASSIGN(item.node, out.program_.compile(value, text, paths));
    out.items_.push_back(std::move(item));
    return out;
  }
  for (const SelectItem& item : parsed.items) {
    if (item.value.kind == Expression::Kind::star && item.alias.empty()) {
      star = true;
      continue;
    }
    MR_TRY(out.add_item(item, text, paths));
    dotted = dotted || out.items_.back().name.size() > 1;
  }
  out.shape_ = out.items_.empty() ? Shape::payload : dotted ? Shape::tree : star ? Shape::merge : Shape::object;
  out.merges_ = star && !out.items_.empty();
  return out;
}

std::optional<std::string_view> Statement::select(Evaluation& evaluation) const {
  switch (shape_) {
    case Shape::payload:
      return evaluation.payload();
    case Shape::value: {
      TextWriter out(evaluation.arena(), 256);
      write_json(out, evaluation.arena(), program_.evaluate(evaluation, items_[0].node));
      return out.finish();
    }
    case Shape::object:
      return select_object(evaluation);
    case Shape::merge:
      return select_merged(evaluation);
    case Shape::tree:
      return select_tree(evaluation);
  }
  return std::nullopt;
}

std::string_view Statement::select_object(Evaluation& evaluation) const {
  TextWriter out(evaluation.arena(), 512);
  out.push('{');
  bool first = true;
  for (const Item& item : items_) {
    const Value value = program_.evaluate(evaluation, item.node);
    if (value.is_undefined()) continue;
    if (!first) out.push(',');
    first = false;
    out.append(item.key_text);
    write_json(out, evaluation.arena(), value);
  }
  out.push('}');
  return out.finish();
}

std::optional<std::string_view> Statement::select_merged(Evaluation& evaluation) const {
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
    values[i] = program_.evaluate(evaluation, items_[i].node);
    if (values[i].is_undefined()) continue;
    const std::uint32_t found = document.find(JsonDocument::kRoot, items_[i].name.front());
    if (found != JsonDocument::kAbsent) replacements[replaced++] = {found, i};
  }
  std::sort(replacements, replacements + replaced,
            [](const Replacement& a, const Replacement& b) { return a.node < b.node; });

  const std::string_view text = document.span_of(root);
  TextWriter out(arena, text.size() + 64 * items_.size());
  std::size_t copied = 0;
  for (std::size_t i = 0; i < replaced; ++i) {
    const std::string_view old = document.source_of(document.node(replacements[i].node));
    const auto at = static_cast<std::size_t>(old.data() - text.data());
    out.append(text.substr(copied, at - copied));
    write_json(out, arena, values[replacements[i].item]);
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
    write_json(out, arena, values[i]);
  }
  out.push('}');
  return out.finish();
}

std::optional<std::string_view> Statement::select_tree(Evaluation& evaluation) const {
  Arena& arena = evaluation.arena();
  OutputTree tree(arena);
  if (merges_) {
    if (!evaluation.payload_is_json()) return std::nullopt;
    const Value root = Value::of(evaluation.document(), JsonDocument::kRoot);
    if (root.type() != Value::Type::object) return std::nullopt;
    tree.add_members(root);
  }
  for (const Item& item : items_) {
    const Value value = program_.evaluate(evaluation, item.node);
    if (!value.is_undefined()) tree.set(item.name, value);
  }
  TextWriter out(arena, evaluation.payload().size() + 512);
  tree.write(out);
  return out.finish();
}

}  // namespace millrace::sql

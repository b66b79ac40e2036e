#include "connect/transforms/parts.h"

#include <algorithm>

#include "connect/json_members.h"

namespace millrace::connect {

void each_member(const sql::Value& object, sql::Arena& arena,
                 const std::function<void(std::string_view, const sql::Value&)>& visit) {
  if (object.form() == sql::Value::Form::built) {
    for (std::size_t i = 0; i < object.count(); ++i) visit(object.members()[i].name, object.members()[i].value);
    return;
  }
  const sql::JsonDocument& document = object.document();
  for (std::uint32_t at = object.node() + 1; at < document.node(object.node()).end; at = document.node(at).end) {
    const sql::JsonNode& node = document.node(at);
    std::string_view name = document.key_of(node);
    if (node.key_escaped) {
      char* to = arena.text(name.size());
      name = {to, sql::decode_json_string(name, to)};
    }
    visit(name, sql::Value::of(document, at));
  }
}

void ObjectBuilder::set(std::string_view name, const sql::Value& value) {
  const auto found = std::ranges::find(members_, name, &sql::Member::name);
  if (found != members_.end()) {
    found->value = value;
  } else {
    add(name, value);
  }
}

sql::Value ObjectBuilder::finish() {
  auto* members = arena_.array<sql::Member>(members_.size());
  std::uninitialized_copy(members_.begin(), members_.end(), members);
  return sql::Value::object(members, members_.size());
}

Result<std::vector<std::pair<std::string, std::string>>> pairs_of(const Settings& settings, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& item : settings.list(key)) {
    const auto colon = item.find(':');
    if (colon == std::string::npos) {
      return fail(ErrorCode::invalid_argument, "Invalid mapping, expected name:value", std::string(key) + ": " + item);
    }
    pairs.emplace_back(split_list(item.substr(0, colon)).empty() ? "" : split_list(item.substr(0, colon)).front(),
                       split_list(item.substr(colon + 1)).empty() ? "" : split_list(item.substr(colon + 1)).front());
  }
  return pairs;
}

sql::Value literal(std::string_view text, sql::Arena& arena) {
  if (text == "true" || text == "false") return sql::Value::boolean(text == "true");
  if (text == "null") return sql::Value::null();
  if (sql::Decimal::parse(text)) return sql::Value::number_source(arena.copy(text));
  return sql::Value::string(arena.copy(text));
}

std::optional<std::int64_t> int64_of(const sql::Value& value) {
  if (value.form() == sql::Value::Form::integer) return value.as_integer();
  const auto text = scalar_text(value);
  if (!text) return std::nullopt;
  const auto number = sql::Decimal::parse(*text);
  return number ? number->to_int64() : std::nullopt;
}

}  // namespace millrace::connect

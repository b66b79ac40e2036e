#include "config/schema.h"

#include <algorithm>

#include "base/assert.h"
#include "config/quantity.h"

namespace millrace::config {
namespace {

std::string printed(const Setting& row, std::int64_t value) {
  if (row.kind == Kind::bytes) return format_size(value);
  if (row.kind == Kind::duration) return format_duration_ms(value);
  return std::to_string(value);
}

/// What a value may be, for error texts and the reference page.
std::string allowed(const Setting& row, bool with_units = true) {
  switch (row.kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::text:
      return "text";
    case Kind::choice: {
      std::string list;
      for (const auto choice : row.choices) list += (list.empty() ? "" : ", ") + std::string(choice);
      return list;
    }
    case Kind::custom:
      return std::string(row.type_name);
    default:
      break;
  }
  std::string text = printed(row, row.range.min);
  if (row.range.max == std::numeric_limits<std::int64_t>::max()) {
    text += " or more";
  } else {
    text += " to " + printed(row, row.range.max);
  }
  if (with_units && row.kind == Kind::bytes) text += " (bytes, or with a unit: 64MiB)";
  if (with_units && row.kind == Kind::duration) text += " (milliseconds, or with a unit: 5s)";
  return text;
}

void store_number(const Setting::Slot& slot, std::int64_t value) {
  if (auto* const* to = std::get_if<std::int32_t*>(&slot)) **to = static_cast<std::int32_t>(value);
  if (auto* const* to = std::get_if<std::int64_t*>(&slot)) **to = value;
  if (auto* const* to = std::get_if<std::uint64_t*>(&slot)) **to = static_cast<std::uint64_t>(value);
  if (auto* const* to = std::get_if<std::optional<std::int64_t>*>(&slot)) **to = value;
  if (auto* const* to = std::get_if<std::chrono::milliseconds*>(&slot)) **to = std::chrono::milliseconds(value);
}

/// False when `text` is not a value of this row.
bool assign(const Setting& row, void* settings, const std::string& text) {
  const Setting::Slot slot = row.slot(settings);
  std::optional<std::int64_t> number;
  switch (row.kind) {
    case Kind::boolean:
      if (text != "true" && text != "false") return false;
      *std::get<bool*>(slot) = text == "true";
      return true;
    case Kind::choice:
      if (std::find(row.choices.begin(), row.choices.end(), text) == row.choices.end()) return false;
      *std::get<std::string*>(slot) = text;
      return true;
    case Kind::text:
      *std::get<std::string*>(slot) = text;
      return true;
    case Kind::integer:
      number = parse_integer(text);
      break;
    case Kind::bytes:
      number = parse_size(text);
      break;
    case Kind::duration:
      number = parse_duration_ms(text);
      break;
    case Kind::custom:
      return false;
  }
  if (!number || *number < row.range.min || *number > row.range.max) return false;
  store_number(slot, *number);
  return true;
}

void read_value(const Setting& row, void* settings, const Node& node, Problems& problems) {
  if (row.kind == Kind::custom) {
    row.read(settings, node, problems);
    return;
  }
  const std::string named = "'" + std::string(row.key) + "'";
  if (node.kind != Node::Kind::scalar) {
    const char* what = node.kind == Node::Kind::null ? " has no value" : " is a single value";
    problems.add(node, named + what + ", allowed: " + allowed(row));
  } else if (!assign(row, settings, node.text)) {
    const std::string value = row.secret ? "not a value of this key" : node.text;
    problems.add(node, named + " is " + value + ", allowed: " + allowed(row));
  }
}

std::string_view kind_name(const Setting& row) {
  switch (row.kind) {
    case Kind::boolean:
      return "boolean";
    case Kind::integer:
      return "integer";
    case Kind::bytes:
      return "size";
    case Kind::duration:
      return "duration";
    case Kind::text:
      return "text";
    case Kind::choice:
      return "one of";
    case Kind::custom:
      return row.type_name;
  }
  return "";
}

}  // namespace

UntypedSchema::UntypedSchema(std::vector<Setting> rows) : rows_(std::move(rows)) {
  for (const Setting& row : rows_) {
    MR_ASSERT(find(row.key) == &row);  // declared once
    MR_ASSERT(!is_prefix(row.key));    // a key is a value or a group, not both
  }
}

std::vector<std::string> UntypedSchema::keys() const {
  std::vector<std::string> keys;
  for (const Setting& row : rows_) keys.emplace_back(row.key);
  return keys;
}

const Setting* UntypedSchema::find(std::string_view key) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const Setting& row) { return row.key == key; });
  return found == rows_.end() ? nullptr : &*found;
}

bool UntypedSchema::is_prefix(std::string_view key) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const Setting& row) {
    return row.key.size() > key.size() && row.key.starts_with(key) && row.key[key.size()] == '.';
  });
}

std::string UntypedSchema::unknown(const std::string& key) const {
  // Groups are candidates too: a misspelt group is better answered with the group than with one of its keys.
  std::vector<std::string> known = keys();
  for (const Setting& row : rows_) {
    for (std::size_t dot = row.key.find('.'); dot != std::string_view::npos; dot = row.key.find('.', dot + 1)) {
      known.emplace_back(row.key.substr(0, dot));
    }
  }
  return unknown_key(key, known);
}

void UntypedSchema::read_map(void* settings, const Node& map, const std::string& prefix, Seen& seen,
                             Problems& problems) const {
  for (const auto& [name, node] : map.entries) {
    const std::string key = prefix + name;
    if (const Setting* row = find(key)) {
      const auto [place, first] = seen.emplace(row->key, node.line);
      if (first) {
        read_value(*row, settings, node, problems);
      } else {
        problems.add(node, "'" + key + "' is already set in line " + std::to_string(place->second));
      }
    } else if (!is_prefix(key)) {
      problems.add(node, unknown(key));
    } else if (node.kind == Node::Kind::map) {
      read_map(settings, node, key + ".", seen, problems);
    } else if (node.kind != Node::Kind::null) {
      problems.add(node, "'" + key + "' is a group of keys, not a value");
    }
  }
}

void UntypedSchema::read(void* settings, const Node& document, Problems& problems) const {
  if (document.kind == Node::Kind::null) return;
  if (document.kind != Node::Kind::map) {
    problems.add(document, "a map of keys is expected here");
    return;
  }
  Seen seen;
  read_map(settings, document, "", seen, problems);
}

void UntypedSchema::set(void* settings, std::string_view assignment, Problems& problems) const {
  const std::size_t equals = assignment.find('=');
  Node value;
  if (equals == std::string_view::npos) {
    problems.add(value, "--set " + std::string(assignment) + ": key=value is expected");
    return;
  }
  const std::string key(assignment.substr(0, equals));
  const std::string_view text = assignment.substr(equals + 1);
  const Setting* row = find(key);
  if (row == nullptr) {
    problems.add(value, "--set: " + (is_prefix(key) ? "'" + key + "' is a group of keys, not a value" : unknown(key)));
    return;
  }
  if (row->kind == Kind::custom) {
    auto parsed = parse_yaml(text, "--set " + key);
    if (!parsed) {
      problems.add(value, parsed.error().detail);
      return;
    }
    value = std::move(*parsed);
    value.line = 0;
  } else {
    value.kind = Node::Kind::scalar;
    value.text = text;
  }
  read_value(*row, settings, value, problems);
}

std::string UntypedSchema::print(const void* settings) const {
  std::string text;
  for (const Setting& row : rows_) {
    const std::string value = print_value(row, settings);
    if (value.empty()) {
      text += "# " + std::string(row.key) + " is not set\n";
    } else if (value.find('\n') != std::string::npos) {
      text += std::string(row.key) + ":\n" + value;
    } else {
      text += std::string(row.key) + ": " + value + "\n";
    }
  }
  return text;
}

std::string UntypedSchema::reference(const void* defaults) const {
  std::string text = "| key | type | default | allowed | what it does |\n|---|---|---|---|---|\n";
  for (const Setting& row : rows_) {
    std::string value(row.default_note);
    if (value.empty()) value = row.secret ? std::string() : print_value(row, defaults);
    const bool has_values = row.kind != Kind::text && row.kind != Kind::custom;
    text += "| `" + std::string(row.key) + "` | " + std::string(kind_name(row)) + " | ";
    text += row.default_note.empty() && !value.empty() ? "`" + value + "`" : value;
    text += " | " + (has_values ? allowed(row, false) : "") + " | " + std::string(row.sentence) + " |\n";
  }
  return text;
}

Error to_error(const Problems& problems, std::string_view source) {
  std::string text;
  for (const auto& [line, what] : problems.list()) {
    if (!text.empty()) text += '\n';
    if (line > 0) text += std::string(source) + ":" + std::to_string(line) + ": ";
    text += what;
  }
  return Error{ErrorCode::invalid_argument, "configuration", std::move(text)};
}

}  // namespace millrace::config

#include "references/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "codec/base64.h"
#include "config/quantity.h"
#include "connect/settings/destination_url.h"
#include "connect/sinks/postgres/postgres_settings.h"
#include "net/http/message.h"
#include "sql/protobuf_schema.h"

namespace millrace::references {
namespace {

using config::Node;
using net::http::json_string;

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxDescriptor = std::size_t{8} << 20U;
constexpr std::int64_t kMostConnections = 64;
constexpr std::chrono::milliseconds kLongest{2'000};

/// Takes members out of one definition; the first error wins.
class Reading {
 public:
  Reading(Kind kind, std::string_view name, const Node& node) : kind_(kind), name_(name), node_(node) {}

  [[nodiscard]] std::unexpected<Error> refuse(std::string_view key, std::string_view what) const {
    return fail(
        ErrorCode::invalid_argument, "reference",
        fmt::format("{} {}{}: {}", sql::to_string(kind_), name_, key.empty() ? "" : fmt::format(", {}", key), what));
  }
  Result<void> keys(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : node_.entries) {
      if (std::ranges::find(known, key) != known.end()) continue;
      std::vector<std::string> names(known.begin(), known.end());
      const std::string near = config::nearest(key, names);
      return refuse(key, near.empty() ? "is not known here" : fmt::format("is not known; did you mean {}?", near));
    }
    return {};
  }
  [[nodiscard]] bool has(std::string_view key) const { return node_.find(key) != nullptr; }
  Result<void> text(std::string_view key, bool required, std::string& out) const {
    const Node* const found = node_.find(key);
    if (found == nullptr) {
      if (required) return refuse(key, "is missing");
      return {};
    }
    if (found->kind != Node::Kind::scalar || (required && found->text.empty())) return refuse(key, "expected a text");
    out = found->text;
    return {};
  }
  template <class T, class Parse>
  Result<void> number(std::string_view key, std::int64_t min, std::int64_t max, Parse parse, T& out) const {
    const Node* const found = node_.find(key);
    if (found == nullptr) return {};
    const std::optional<std::int64_t> value = parse(found->text);
    if (!value || *value < min || *value > max) return refuse(key, fmt::format("expected {} to {}", min, max));
    out = T(*value);
    return {};
  }

 private:
  Kind kind_;
  std::string_view name_;
  const Node& node_;
};

constexpr std::int64_t kMostBytes = std::int64_t{64} << 30U;

Result<void> read_table(const Reading& reading, Definition& out) {
  MR_TRY(reading.keys(
      {"topic", "maxBytes", "postgres", "user", "passwordFile", "table", "key", "sortKey", "ttl", "cacheBytes"}));
  if (reading.has("topic") == reading.has("postgres")) {
    return reading.refuse("", "is either a topic or a table of a postgres database");
  }
  MR_TRY(reading.text("topic", false, out.topic));
  MR_TRY(reading.number("maxBytes", 1024, kMostBytes, config::parse_size, out.max_bytes));
  MR_TRY(reading.number("cacheBytes", 1024, kMostBytes, config::parse_size, out.cache_bytes));
  if (!out.topic.empty()) return {};
  MR_TRY(reading.text("postgres", true, out.postgres));
  const auto parameters = connect::postgres::parse_url(out.postgres);
  if (!parameters) return reading.refuse("postgres", "expected jdbc:postgresql://host:port/database");
  if (parameters->contains("password")) {
    return reading.refuse("postgres", "a password in the URL would be stored and shown; use passwordFile");
  }
  MR_TRY(reading.text("user", false, out.user));
  MR_TRY(reading.text("passwordFile", false, out.password_file));
  MR_TRY(reading.text("table", true, out.table));
  MR_TRY(reading.text("key", false, out.key));
  MR_TRY(reading.text("sortKey", false, out.sort_key));
  constexpr std::int64_t kDay = 86'400'000;
  return reading.number("ttl", 0, 365 * kDay, config::parse_duration_ms, out.ttl);
}

Result<void> read_function(const Reading& reading, const Node& node, Definition& out) {
  MR_TRY(reading.keys({"url", "headers", "timeout", "connections"}));
  MR_TRY(reading.text("url", true, out.url));
  if (const auto fault = connect::url_fault(out.url)) return reading.refuse("url", *fault);
  MR_TRY(reading.number("timeout", 1, kLongest.count(), config::parse_duration_ms, out.timeout));
  MR_TRY(reading.number("connections", 1, kMostConnections, config::parse_integer, out.connections));
  const Node* const headers = node.find("headers");
  if (headers == nullptr) return {};
  if (headers->kind != Node::Kind::map) return reading.refuse("headers", "expected a map of names and values");
  const auto is_clean = [](std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; });
  };
  for (const auto& [name, value] : headers->entries) {
    const bool word = !name.empty() && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (!word || !is_clean(value.text)) return reading.refuse("headers", "a name or value is no HTTP header");
    out.headers.emplace_back(name, value.text);
  }
  return {};
}

Result<void> read_descriptor(const Reading& reading, Definition& out) {
  MR_TRY(reading.keys({"file", "descriptorSet"}));
  std::string coded;
  MR_TRY(reading.text("file", false, out.file));
  MR_TRY(reading.text("descriptorSet", false, coded));
  if (out.file.empty() == coded.empty()) return reading.refuse("", "has either a file or a descriptorSet in base64");
  if (!out.file.empty()) {
    std::ifstream in(out.file, std::ios::binary);
    if (!in) return reading.refuse("file", out.file + " cannot be read");
    out.descriptor_set.assign(std::istreambuf_iterator<char>(in), {});
  } else {
    out.descriptor_set.resize(coded.size());
    const auto size = decode_base64(coded, reinterpret_cast<std::uint8_t*>(out.descriptor_set.data()));
    if (!size) return reading.refuse("descriptorSet", "is no base64");
    out.descriptor_set.resize(*size);
  }
  if (out.descriptor_set.size() > kMaxDescriptor) return reading.refuse("", "is larger than 8 MiB");
  const auto schema = sql::ProtobufSchema::parse(as_bytes(out.descriptor_set));
  if (!schema) return reading.refuse("", schema.error().detail);
  return {};
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

}  // namespace

Result<Definition> parse_definition(Kind kind, std::string_view name, const Node& node) {
  const Reading reading(kind, name, node);
  Definition out;
  out.kind = kind;
  out.name = name;
  if (!is_name(name)) return reading.refuse("", "a name is 1 to 128 letters, digits, '_', '-' and '.'");
  if (node.kind != Node::Kind::map) return reading.refuse("", "expected an object");
  switch (kind) {
    case Kind::table:
      MR_TRY(read_table(reading, out));
      break;
    case Kind::function:
      MR_TRY(read_function(reading, node, out));
      break;
    case Kind::descriptor:
      MR_TRY(read_descriptor(reading, out));
      break;
  }
  return out;
}

std::string to_json(const Definition& definition, bool shown) {
  std::string out = "{";
  const auto raw = [&](std::string_view key, std::string_view value) {
    if (out.size() > 1) out += ',';
    out += fmt::format("\"{}\":{}", key, value);
  };
  const auto text = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) raw(key, json_string(value));
  };
  switch (definition.kind) {
    case Kind::table:
      if (!definition.topic.empty()) {
        text("topic", definition.topic);
        raw("maxBytes", std::to_string(definition.max_bytes));
        break;
      }
      text("postgres", definition.postgres);
      text("user", definition.user);
      text("passwordFile", definition.password_file);
      text("table", definition.table);
      text("key", definition.key);
      text("sortKey", definition.sort_key);
      raw("ttl", std::to_string(definition.ttl.count()));
      raw("cacheBytes", std::to_string(definition.cache_bytes));
      break;
    case Kind::function: {
      text("url", definition.url);
      std::string headers;
      for (const auto& [name, value] : definition.headers) {
        headers += fmt::format("{}{}:{}", headers.empty() ? "" : ",", json_string(name),
                               json_string(shown ? "[hidden]" : value));
      }
      if (!headers.empty()) raw("headers", "{" + headers + "}");
      raw("timeout", std::to_string(definition.timeout.count()));
      raw("connections", std::to_string(definition.connections));
      break;
    }
    case Kind::descriptor: {
      if (shown) {
        std::string names;
        const auto schema = sql::ProtobufSchema::parse(as_bytes(definition.descriptor_set));
        for (const std::string& name : schema ? (*schema)->messages() : std::vector<std::string>()) {
          names += (names.empty() ? "" : ",") + json_string(name);
        }
        text("file", definition.file);
        raw("messages", "[" + names + "]");
        break;
      }
      text("descriptorSet", to_base64(as_bytes(definition.descriptor_set)));
      break;
    }
  }
  return out + "}";
}

}  // namespace millrace::references

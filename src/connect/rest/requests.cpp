#include "connect/rest/requests.h"

#include "connect/json_members.h"

namespace millrace::connect {
namespace {

using Patch = std::map<std::string, std::optional<std::string>>;

Result<Patch> read_members(const sql::JsonDocument& document, const sql::Value& object) {
  if (object.type() != sql::Value::Type::object) {
    return fail(ErrorCode::invalid_argument, "the configuration must be a JSON object");
  }
  Patch members;
  for (std::uint32_t at = object.node() + 1; at < document.node(object.node()).end; at = document.node(at).end) {
    const sql::JsonNode& node = document.node(at);
    std::string name(node.key_size, '\0');
    name.resize(sql::decode_json_string(document.key_of(node), name.data()));
    const sql::Value value = sql::Value::of(document, at);
    if (value.type() == sql::Value::Type::array || value.type() == sql::Value::Type::object) {
      return fail(ErrorCode::invalid_argument, "the value of a configuration key must be a text", name);
    }
    members[name] = scalar_text(value);
  }
  return members;
}

Result<void> parse(sql::JsonDocument& document, std::string_view body) {
  if (document.parse(body)) return {};
  return fail(ErrorCode::malformed, "the request body is not JSON", document.fault_text());
}

ConnectorConfig without_nulls(const Patch& members) {
  ConnectorConfig config;
  for (const auto& [key, value] : members) {
    if (value) config.emplace(key, *value);
  }
  return config;
}

constexpr const char* kNoOffsets = "Partitions / offsets need to be provided for an alter offsets request";

Result<sql::Value> offset_list(sql::JsonDocument& document, std::string_view body) {
  MR_TRY(parse(document, body));
  const sql::Value list = root_of(document).member("offsets");
  if (list.type() != sql::Value::Type::array) return fail(ErrorCode::invalid_argument, kNoOffsets);
  return list;
}

}  // namespace

Result<CreateRequest> read_create_request(std::string_view body) {
  sql::JsonDocument document;
  MR_TRY(parse(document, body));
  const sql::Value root = root_of(document);
  if (root.type() != sql::Value::Type::object)
    return fail(ErrorCode::invalid_argument, "the request body must be a JSON object");
  CreateRequest request;
  request.name = member_text(root, "name");
  while (!request.name.empty() && static_cast<unsigned char>(request.name.front()) <= ' ') request.name.erase(0, 1);
  while (!request.name.empty() && static_cast<unsigned char>(request.name.back()) <= ' ') request.name.pop_back();
  if (const sql::Value config = root.member("config"); !config.is_undefined() && !config.is_null()) {
    MR_TRY_ASSIGN(const Patch members, read_members(document, config));
    request.config = without_nulls(members);
  }
  if (const std::string state = member_text(root, "initial_state"); !state.empty()) {
    request.initial_state = parse_target_state(state);
    if (!request.initial_state) {
      return fail(ErrorCode::invalid_argument, "initial_state must be one of RUNNING, PAUSED, STOPPED", state);
    }
  }
  return request;
}

Result<ConnectorConfig> read_config(std::string_view body) {
  MR_TRY_ASSIGN(const Patch members, read_config_patch(body));
  return without_nulls(members);
}

Result<Patch> read_config_patch(std::string_view body) {
  sql::JsonDocument document;
  MR_TRY(parse(document, body));
  return read_members(document, root_of(document));
}

Result<std::map<TopicPartition, std::optional<Offset>>> read_offsets(std::string_view body) {
  sql::JsonDocument document;
  MR_TRY_ASSIGN(const sql::Value list, offset_list(document, body));
  std::map<TopicPartition, std::optional<Offset>> offsets;
  sql::ArrayItems items(list);
  while (const auto item = items.next()) {
    const sql::Value partition = item->member("partition");
    const std::string topic = member_text(partition, "kafka_topic");
    const std::int64_t number = member_number(partition, "kafka_partition", -1);
    if (topic.empty() || number < 0 || number > std::numeric_limits<std::int32_t>::max()) {
      return fail(
          ErrorCode::invalid_argument,
          "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'");
    }
    const TopicPartition key{topic, PartitionIndex(static_cast<std::int32_t>(number))};
    const sql::Value offset = item->member("offset");
    if (offset.is_null() || offset.is_undefined()) {
      offsets[key] = std::nullopt;
      continue;
    }
    const std::int64_t position = member_number(offset, "kafka_offset", -1);
    if (position < 0) {
      return fail(ErrorCode::invalid_argument, "The offset for a sink connector must contain the key 'kafka_offset'");
    }
    offsets[key] = Offset(position);
  }
  if (offsets.empty()) return fail(ErrorCode::invalid_argument, kNoOffsets);
  return offsets;
}

Result<SourceOffsets::Changes> read_source_offsets(std::string_view body) {
  sql::JsonDocument document;
  MR_TRY_ASSIGN(const sql::Value list, offset_list(document, body));
  SourceOffsets::Changes changes;
  sql::ArrayItems items(list);
  while (const auto item = items.next()) {
    const sql::Value partition = item->member("partition");
    const sql::Value offset = item->member("offset");
    if (partition.type() != sql::Value::Type::object) {
      return fail(ErrorCode::invalid_argument, "Partition objects cannot be null");
    }
    const bool gone = offset.is_null() || offset.is_undefined();
    if (!gone && offset.type() != sql::Value::Type::object) {
      return fail(ErrorCode::invalid_argument, "an offset must be an object, or null to reset it");
    }
    changes[compact_json(partition)] = gone ? std::nullopt : std::optional(compact_json(offset));
  }
  if (changes.empty()) return fail(ErrorCode::invalid_argument, kNoOffsets);
  return changes;
}

}  // namespace millrace::connect

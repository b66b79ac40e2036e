// Requests: the JSON bodies of the interface, read strictly where Connect is strict and leniently where Jackson is
// (numbers and booleans become text). Pure.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "connect/runtime/source_offsets.h"
#include "connect/runtime/state.h"
#include "connect/settings/config_key.h"
#include "model/ids.h"
#include "model/topic_partition.h"

namespace millrace::connect {

struct CreateRequest {
  std::string name;
  ConnectorConfig config;
  std::optional<TargetState> initial_state;
};
/// Errors: malformed (not JSON, not an object), invalid_argument (a member of the wrong kind).
Result<CreateRequest> read_create_request(std::string_view body);
Result<ConnectorConfig> read_config(std::string_view body);
/// nullopt values: the key is to be removed.
Result<std::map<std::string, std::optional<std::string>>> read_config_patch(std::string_view body);
/// {"offsets": [{"partition": {"kafka_topic", "kafka_partition"}, "offset": {"kafka_offset"} | null}]}
Result<std::map<TopicPartition, std::optional<Offset>>> read_offsets(std::string_view body);
/// The same for sources: partitions and offsets are JSON objects, in the form of compact_json.
Result<SourceOffsets::Changes> read_source_offsets(std::string_view body);

}  // namespace millrace::connect

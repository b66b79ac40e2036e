#include "app/group_offsets.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/byte_reader.h"
#include "kafka/protocol/messages/describe_groups.h"
#include "kafka/protocol/messages/list_offsets.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/protocol/messages/offset_fetch.h"
#include "kafka/server/error_codes.h"

namespace millrace::app {
namespace {

using namespace kafka;

// ConsumerProtocolAssignment: version, topics with their partitions; what follows is the assignor's.
std::vector<TopicPartition> parse_assignment(ByteView bytes) {
  ByteReader in(bytes);
  in.skip(sizeof(std::int16_t));
  std::vector<TopicPartition> partitions;
  const auto topics = in.be<std::int32_t>();
  for (std::int32_t i = 0; i < topics && in.ok(); ++i) {
    const auto size = in.be<std::int16_t>();
    if (size < 0) break;
    const std::string topic(in.text(static_cast<std::size_t>(size)));
    const auto count = in.be<std::int32_t>();
    for (std::int32_t k = 0; k < count && in.ok(); ++k) {
      const auto partition = in.be<std::int32_t>();
      if (in.ok()) partitions.push_back({topic, PartitionIndex(partition)});
    }
  }
  return partitions;
}

std::string_view words_of(std::int16_t code) {
  switch (static_cast<KafkaError>(code)) {
    case KafkaError::coordinator_load_in_progress:
      return "The coordinator is loading and hence can't process requests.";
    case KafkaError::coordinator_not_available:
      return "The coordinator is not available.";
    case KafkaError::unknown_member_id:
      return "The coordinator is not aware of this member.";
    case KafkaError::non_empty_group:
      return "The group is not empty.";
    case KafkaError::group_id_not_found:
      return "The group id does not exist.";
    case KafkaError::group_subscribed_to_topic:
      return "The consumer group is actively subscribed to the topic.";
    case KafkaError::unknown_topic_or_partition:
      return "This server does not host this topic-partition.";
    default:
      return "";
  }
}

}  // namespace

std::unexpected<Error> group_refused(const std::string& group, std::int16_t code) {
  const std::string_view words = words_of(code);
  return fail(ErrorCode::invalid_argument, "",
              words.empty() ? fmt::format("{}: Kafka error {}", group, code) : fmt::format("{}: {}", group, words));
}

Result<GroupView> look_at_group(Client& client, const std::string& id) {
  DescribeGroupsRequest describe;
  describe.groups.emplace_back(id);
  MR_TRY_ASSIGN(const auto described, client.ask<DescribeGroupsResponse>(ApiKey::describe_groups, 5, describe));
  if (described.message.groups.size() != 1) return group_refused(id, code(KafkaError::unknown_server_error));
  const auto& found = described.message.groups.front();
  if (found.error_code != 0) return group_refused(id, found.error_code);
  GroupView group{.id = id, .state = std::string(found.group_state), .protocol = std::string(found.protocol_data)};
  OffsetFetchRequest fetch;
  fetch.group_id = id;
  fetch.topics.reset();
  MR_TRY_ASSIGN(const auto offsets, client.ask<OffsetFetchResponse>(ApiKey::offset_fetch, 7, fetch));
  if (offsets.message.error_code != 0) return group_refused(id, offsets.message.error_code);
  for (const auto& topic : offsets.message.topics) {
    for (const auto& partition : topic.partitions) {
      const TopicPartition name{std::string(topic.name), PartitionIndex(partition.partition_index)};
      group.partitions[name].committed = partition.committed_offset;
    }
  }
  for (const auto& member : found.members) {
    GroupView::Member& one = group.members.emplace_back(GroupView::Member{
        std::string(member.member_id), std::string(member.client_host), std::string(member.client_id)});
    if (found.protocol_type == "consumer") one.partitions = parse_assignment(member.member_assignment);
    for (const TopicPartition& partition : one.partitions) {
      GroupView::Row& row = group.partitions[partition];
      row.owner = one.id;
      row.host = one.host;
      row.client = one.client;
    }
  }
  std::vector<TopicPartition> names;
  for (const auto& [name, row] : group.partitions) names.push_back(name);
  if (names.empty()) return group;
  // A partition that is gone has no end, and is shown all the same.
  for (const TopicPartition& name : names) {
    const auto end = log_offsets(client, {name}, kLatest);
    if (end) group.partitions[name].end = end->at(name);
  }
  return group;
}

Result<std::map<TopicPartition, std::int64_t>> log_offsets(Client& client,
                                                           const std::vector<TopicPartition>& partitions,
                                                           std::int64_t timestamp_ms) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  for (const TopicPartition& partition : partitions) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) {
      request.topics.emplace_back().name = partition.topic;
    }
    auto& asked = request.topics.back().partitions.emplace_back();
    asked.partition_index = partition.partition.value();
    asked.timestamp = timestamp_ms;
  }
  MR_TRY_ASSIGN(const auto answer, client.ask<ListOffsetsResponse>(ApiKey::list_offsets, 7, request));
  std::map<TopicPartition, std::int64_t> offsets;
  for (const auto& topic : answer.message.topics) {
    for (const auto& partition : topic.partitions) {
      const TopicPartition name{std::string(topic.name), PartitionIndex(partition.partition_index)};
      if (partition.error_code != 0) return group_refused(name.to_string(), partition.error_code);
      offsets[name] = partition.offset;
    }
  }
  return offsets;
}

Result<std::vector<TopicPartition>> parse_topic_partitions(Client& client, const std::string& text) {
  const auto colon = text.find(':');
  const std::string topic = text.substr(0, colon);
  std::vector<TopicPartition> partitions;
  if (colon == std::string::npos) {
    MetadataRequest request;
    request.allow_auto_topic_creation = false;
    request.topics->push_back({.name = topic});
    MR_TRY_ASSIGN(const auto answer, client.ask<MetadataResponse>(ApiKey::metadata, 12, request));
    for (const auto& found : answer.message.topics) {
      if (found.error_code != 0) return group_refused(topic, found.error_code);
      for (const auto& partition : found.partitions) {
        partitions.push_back({topic, PartitionIndex(partition.partition_index)});
      }
    }
    return partitions;
  }
  for (std::size_t at = colon + 1; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    std::int32_t partition = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, partition);
    if (error != std::errc{} || stop != text.data() + end) {
      return fail(ErrorCode::invalid_argument, "", fmt::format("--topic is TOPIC or TOPIC:0,1, not '{}'", text));
    }
    partitions.push_back({topic, PartitionIndex(partition)});
    at = end + 1;
  }
  return partitions;
}

std::string describe_partitions(const std::vector<TopicPartition>& partitions) {
  std::map<std::string, std::vector<std::int32_t>> by_topic;
  for (const TopicPartition& partition : partitions) by_topic[partition.topic].push_back(partition.partition.value());
  std::string text;
  for (auto& [topic, numbers] : by_topic) {
    std::ranges::sort(numbers);
    text += fmt::format("{}{}({})", text.empty() ? "" : ", ", topic, fmt::join(numbers, ","));
  }
  return text.empty() ? "-" : text;
}

}  // namespace millrace::app

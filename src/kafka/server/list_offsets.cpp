// ListOffsets (KIP-79, KIP-734): where a partition begins, ends, or passes a timestamp. Looking for a timestamp may
// read the disk, so a request that does is answered by the disk threads.
#include "kafka/protocol/messages/list_offsets.h"

#include <algorithm>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

constexpr std::int64_t kLatest = -1;
constexpr std::int64_t kEarliest = -2;
constexpr std::int64_t kMaxTimestamp = -3;   // since version 7
constexpr std::int64_t kEarliestLocal = -4;  // since version 8

using Wanted = ListOffsetsRequest::ListOffsetsPartition;
using Found = ListOffsetsResponse::ListOffsetsPartitionResponse;

KafkaError look_up(topics::Partition& partition, const Wanted& wanted, std::int16_t version, Found& out) {
  if (wanted.current_leader_epoch > kLeaderEpoch) return KafkaError::unknown_leader_epoch;
  Result<std::optional<storage::TimestampedOffset>> found = std::nullopt;
  if (wanted.timestamp == kLatest) {
    found = storage::TimestampedOffset{-1, partition.high_watermark()};
  } else if (wanted.timestamp == kEarliest || (wanted.timestamp == kEarliestLocal && version >= 8)) {
    found = storage::TimestampedOffset{-1, partition.log_start()};
  } else if (wanted.timestamp == kMaxTimestamp && version >= 7) {
    found = partition.find_max_timestamp();
  } else if (wanted.timestamp >= 0) {
    found = partition.find_timestamp(wanted.timestamp);
  } else {
    return KafkaError::invalid_request;
  }
  if (!found) return to_kafka(found.error().code);
  if (*found) {
    out.timestamp = (*found)->timestamp_ms;
    out.offset = (*found)->offset.value();
    out.leader_epoch = kLeaderEpoch;
  }
  return KafkaError::none;
}

// One per topic of the message: whether the client may know. Asked on the loop.
std::vector<bool> allowed_topics(const Request& request, const ListOffsetsRequest& message) {
  std::vector<bool> allowed;
  allowed.reserve(message.topics.size());
  for (const auto& topic : message.topics) allowed.push_back(may_topic(request, AclOperation::describe, topic.name));
  return allowed;
}

ListOffsetsResponse answer(const ListOffsetsRequest& message, const std::vector<bool>& allowed,
                           const topics::TopicTable& table, std::int16_t version) {
  ListOffsetsResponse response;
  response.topics.reserve(message.topics.size());
  for (const auto& asked : message.topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = asked.name;
    topic.partitions.reserve(asked.partitions.size());
    for (const auto& wanted : asked.partitions) {
      auto& out = topic.partitions.emplace_back();
      out.partition_index = wanted.partition_index;
      if (!allowed[response.topics.size() - 1]) {
        out.error_code = code(KafkaError::topic_authorization_failed);
        continue;
      }
      const auto partition = find_partition(table.find(asked.name), wanted.partition_index);
      out.error_code = code(partition == nullptr ? KafkaError::unknown_topic_or_partition
                                                 : look_up(*partition, wanted, version, out));
    }
  }
  return response;
}

bool asks_the_disk(const ListOffsetsRequest& message) {
  return std::ranges::any_of(message.topics, [](const auto& topic) {
    return std::ranges::any_of(topic.partitions, [](const Wanted& wanted) {
      return wanted.timestamp >= 0 || wanted.timestamp == kMaxTimestamp;
    });
  });
}

struct Lookup {
  Request request;
  ListOffsetsRequest message;
  std::vector<bool> allowed;
  std::shared_ptr<const topics::TopicTable> table;
};

}  // namespace

void handle_list_offsets(Endpoint& endpoint, Request request) {
  auto message = request.decode<ListOffsetsRequest>();
  if (!message) return request.malformed(message.error());
  auto allowed = allowed_topics(request, *message);
  if (!asks_the_disk(*message)) {
    return request.respond(answer(*message, allowed, *endpoint.table(), request.version()));
  }
  auto lookup = std::make_unique<Lookup>(std::move(request), std::move(*message), std::move(allowed), endpoint.table());
  lookup->request.connection().begin_disk_read();
  endpoint.disk().post([&loop = endpoint.executor(), lookup = std::move(lookup)]() mutable {
    auto response = answer(lookup->message, lookup->allowed, *lookup->table, lookup->request.version());
    loop.post([lookup = std::move(lookup), response = std::move(response)] {
      lookup->request.respond(response);
      lookup->request.connection().end_disk_read();
    });
  });
}

}  // namespace millrace::kafka

// What `millrace groups` asks a server about one group and its partitions. Blocks; one question after the other.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kafka/client/client.h"
#include "model/topic_partition.h"

namespace millrace::app {

struct GroupView {
  struct Member {
    std::string id;
    std::string host;
    std::string client;
    std::vector<TopicPartition> partitions = {};
  };
  struct Row {
    std::int64_t committed = -1;  // -1: nothing
    std::int64_t end = -1;        // of the log; -1: the partition does not exist
    std::string owner = {};       // the member's id
    std::string host = {};
    std::string client = {};
  };
  std::string id;
  std::string state;
  std::string protocol;
  std::vector<Member> members = {};
  std::map<TopicPartition, Row> partitions = {};  // committed, or assigned to a member
};

inline constexpr std::int64_t kLatest = -1;
inline constexpr std::int64_t kEarliest = -2;

Result<GroupView> look_at_group(kafka::Client& client, const std::string& id);

/// The first offset whose record is not older than `timestamp_ms`, or kEarliest, kLatest. -1 where there is none.
/// Error: not_found.
Result<std::map<TopicPartition, std::int64_t>> log_offsets(kafka::Client& client,
                                                           const std::vector<TopicPartition>& partitions,
                                                           std::int64_t timestamp_ms);

/// "topic" (all its partitions) or "topic:0,3". Errors: not_found, invalid_argument.
Result<std::vector<TopicPartition>> parse_topic_partitions(kafka::Client& client, const std::string& text);

/// "readings(0,1), other(2)".
[[nodiscard]] std::string describe_partitions(const std::vector<TopicPartition>& partitions);

/// A refusal in Kafka's words.
[[nodiscard]] std::unexpected<Error> group_refused(const std::string& group, std::int16_t code);

}  // namespace millrace::app

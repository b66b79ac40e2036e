// How a table of topics is made from the partitions that a log holds, and what a new topic comes to.
#pragma once

#include <memory>
#include <vector>

#include "storage/log.h"
#include "topics/topic_log.h"

namespace millrace::topics {

/// Largest number of partitions one topic may ask for.
inline constexpr std::int32_t kMaxPartitionsPerTopic = 10'000;

std::shared_ptr<const TopicTable> build_topic_table(const std::vector<storage::Log::PartitionEntry>& partitions,
                                                    std::uint64_t version);
/// `table` with the topic of `partitions` as they say, or without `name` when there are none. The other topics are
/// shared.
std::shared_ptr<const TopicTable> with_topic(const TopicTable& table, std::string_view name,
                                             const std::vector<storage::Log::PartitionEntry>& partitions,
                                             std::uint64_t version);

struct PlannedTopic {
  std::vector<storage::PartitionSpec> partitions;
  Topic preview;  // without partitions
};
/// Checks a request against the table. Errors: already_exists, invalid_argument.
Result<PlannedTopic> plan_topic(const TopicTable& table, const NewTopic& request, const storage::LogConfig& defaults,
                                std::int32_t default_partitions, Uuid id);

/// The partitions that `topic` lacks for `total`. Error: invalid_argument, detail is Kafka's text.
Result<std::vector<storage::PartitionSpec>> plan_partitions(const Topic& topic, std::int32_t total);

/// What makes every partition of `topic` follow `settings`. Error: invalid_argument, detail is Kafka's text.
Result<std::vector<storage::PartitionChange>> plan_config(const Topic& topic, const storage::LogConfig& defaults,
                                                          const std::map<std::string, std::string>& settings);

/// What makes partitions follow defaults that changed since they were made (server configuration).
std::vector<storage::PartitionChange> plan_defaults(const std::vector<storage::Log::PartitionEntry>& partitions,
                                                    const storage::LogConfig& defaults);

}  // namespace millrace::topics

#include "topics/topic_metrics.h"

#include <algorithm>

namespace millrace::topics {
namespace {

// Partitions shown one by one, in the order of their topics' names; a page stays readable and cheap with 10,000 of
// them.
constexpr std::size_t kMaxSeries = 2000;

std::vector<const Topic*> sorted_topics(const TopicTable& table) {
  std::vector<const Topic*> topics;
  topics.reserve(table.topics.size());
  for (const auto& [name, topic] : table.topics) topics.push_back(topic.get());
  std::ranges::sort(topics, {}, &Topic::name);
  return topics;
}

std::size_t partition_count(const TopicTable& table) {
  std::size_t count = 0;
  for (const auto& [name, topic] : table.topics) count += topic->partitions.size();
  return count;
}

template <class Value>
std::function<std::vector<metrics::Registry::Sample>()> per_partition(const TopicLog& log, Value value) {
  return [&log, value] {
    std::vector<metrics::Registry::Sample> samples;
    const auto table = log.table();
    for (const Topic* topic : sorted_topics(*table)) {
      for (const auto& partition : topic->partitions) {
        if (samples.size() == kMaxSeries) return samples;
        samples.emplace_back(
            metrics::Labels{{"topic", topic->name}, {"partition", std::to_string(partition->name().partition.value())}},
            static_cast<double>(value(*partition)));
      }
    }
    return samples;
  };
}

}  // namespace

void register_topic_metrics(metrics::Registry& registry, const TopicLog& log) {
  registry.collect_gauge("millrace_log_start_offset", "First offset that a partition still holds",
                         per_partition(log, [](const Partition& partition) { return partition.log_start().value(); }));
  registry.collect_gauge(
      "millrace_log_end_offset", "Offset of the next record; everything before it is on disk",
      per_partition(log, [](const Partition& partition) { return partition.high_watermark().value(); }));
  registry.collect_gauge("millrace_log_size_bytes", "Bytes of a partition, segments and memory",
                         per_partition(log, [](const Partition& partition) { return partition.size_bytes(); }));
  registry.collect_gauge(
      "millrace_partitions_not_shown", "Partitions beyond those that have lines of their own", [&log] {
        const std::size_t count = partition_count(*log.table());
        return std::vector<metrics::Registry::Sample>{{{}, static_cast<double>(count - std::min(count, kMaxSeries))}};
      });
  registry.collect_gauge("millrace_topics", "Topics, internal ones included", [&log] {
    return std::vector<metrics::Registry::Sample>{{{}, static_cast<double>(log.table()->topics.size())}};
  });
}

}  // namespace millrace::topics

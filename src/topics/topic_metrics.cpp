#include "topics/topic_metrics.h"

namespace millrace::topics {
namespace {

template <class Value>
std::function<std::vector<metrics::Registry::Sample>()> per_partition(const TopicLog& log, Value value) {
  return [&log, value] {
    std::vector<metrics::Registry::Sample> samples;
    const auto table = log.table();
    for (const auto& [name, topic] : table->topics) {
      for (const auto& partition : topic->partitions) {
        samples.emplace_back(
            metrics::Labels{{"topic", name}, {"partition", std::to_string(partition->name().partition.value())}},
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
  registry.collect_gauge("millrace_topics", "Topics, internal ones included", [&log] {
    return std::vector<metrics::Registry::Sample>{{{}, static_cast<double>(log.table()->topics.size())}};
  });
}

}  // namespace millrace::topics

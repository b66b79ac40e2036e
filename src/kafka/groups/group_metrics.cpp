#include "kafka/groups/group_metrics.h"

#include <algorithm>

namespace millrace::kafka {
namespace {

using Snapshots = std::function<std::vector<std::shared_ptr<const GroupSnapshot>>()>;
using Samples = std::vector<metrics::Registry::Sample>;

template <class Add>
std::function<Samples()> per_group(Snapshots snapshots, Add add) {
  return [snapshots = std::move(snapshots), add] {
    Samples samples;
    for (const auto& snapshot : snapshots()) {
      for (const GroupSnapshot::Group& group : snapshot->groups) add(group, samples);
    }
    return samples;
  };
}

metrics::Labels labels_of(const GroupSnapshot::Group& group, const GroupPartition& partition) {
  return {{"group", group.id}, {"topic", partition.topic}, {"partition", std::to_string(partition.partition)}};
}

}  // namespace

void GroupSnapshot::add(const kafka::Group& group) {
  ++all_groups;
  if (groups.size() >= kMaxGroupSeries) {
    ++left_out;
    return;
  }
  Group& one = groups.emplace_back(Group{group.id(), group.state(), group.members().size()});
  for (const auto& [topic, partitions] : group.offsets()) {
    for (const auto& [partition, entry] : partitions) {
      if (!entry.stored) continue;
      if (offsets >= kMaxOffsetSeries) {
        ++left_out;
        continue;
      }
      ++offsets;
      one.offsets.push_back({{topic, partition}, entry.stored->offset.offset});
    }
  }
}

GroupMetrics::GroupMetrics(metrics::Registry& registry)
    : commits_(registry.counter("millrace_kafka_group_offset_commits_total", "Offsets committed by consumer groups")),
      rebalances_(registry.counter("millrace_kafka_group_rebalances_total", "Rebalances of consumer groups completed")),
      members_expired_(registry.counter("millrace_kafka_group_members_expired_total",
                                        "Members of consumer groups removed because they fell silent")),
      offsets_expired_(registry.counter("millrace_kafka_group_offsets_expired_total",
                                        "Committed offsets removed after offsets.retention.minutes")) {}

void GroupMetrics::count(const GroupCoordinator::Counts& now, const GroupCoordinator::Counts& before) {
  const auto add = [](metrics::Counter& counter, std::uint64_t more) {
    if (more != 0) counter.add(more);
  };
  add(commits_, now.commits - before.commits);
  add(rebalances_, now.rebalances - before.rebalances);
  add(members_expired_, now.members_expired - before.members_expired);
  add(offsets_expired_, now.offsets_expired - before.offsets_expired);
}

void register_group_series(metrics::Registry& registry, const topics::TopicLog& log, Snapshots snapshots) {
  const auto total = [&](std::string_view name, std::string_view help, std::size_t GroupSnapshot::* count) {
    registry.collect_gauge(name, help, [snapshots, count] {
      std::size_t sum = 0;
      for (const auto& snapshot : snapshots()) sum += (*snapshot).*count;
      return Samples{{metrics::Labels{}, static_cast<double>(sum)}};
    });
  };
  total("millrace_kafka_groups", "Consumer groups", &GroupSnapshot::all_groups);
  total("millrace_kafka_group_series_left_out",
        "Groups and committed offsets that are not on this page, which has 1,000 and 10,000 of a loop",
        &GroupSnapshot::left_out);
  registry.collect_gauge("millrace_kafka_group_members", "Members of a consumer group",
                         per_group(snapshots, [](const GroupSnapshot::Group& group, Samples& samples) {
                           samples.emplace_back(metrics::Labels{{"group", group.id}},
                                                static_cast<double>(group.members));
                         }));
  registry.collect_gauge("millrace_kafka_group_state", "1 for the state that a consumer group is in",
                         per_group(snapshots, [](const GroupSnapshot::Group& group, Samples& samples) {
                           samples.emplace_back(
                               metrics::Labels{{"group", group.id}, {"state", std::string(to_string(group.state))}}, 1);
                         }));
  registry.collect_gauge("millrace_kafka_group_committed_offset", "Offset that a consumer group has committed",
                         per_group(snapshots, [](const GroupSnapshot::Group& group, Samples& samples) {
                           for (const auto& one : group.offsets) {
                             samples.emplace_back(labels_of(group, one.partition), static_cast<double>(one.offset));
                           }
                         }));
  registry.collect_gauge("millrace_kafka_group_lag_records", "Records behind the committed offset of a consumer group",
                         per_group(snapshots, [&log](const GroupSnapshot::Group& group, Samples& samples) {
                           const auto table = log.table();
                           for (const auto& one : group.offsets) {
                             const topics::Topic* topic = table->find(one.partition.topic);
                             const auto index = static_cast<std::size_t>(one.partition.partition);
                             if (topic == nullptr || index >= topic->partitions.size()) continue;
                             const std::int64_t end = topic->partitions[index]->high_watermark().value();
                             samples.emplace_back(labels_of(group, one.partition),
                                                  static_cast<double>(std::max<std::int64_t>(end - one.offset, 0)));
                           }
                         }));
}

}  // namespace millrace::kafka

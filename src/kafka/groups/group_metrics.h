// GroupMetrics: what /metrics says about consumer groups. Counters are added to by every loop; what is told per group
// and per committed offset comes from snapshots, at most kMaxGroupSeries and kMaxOffsetSeries of them per loop. Thread:
// any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kafka/groups/coordinator.h"
#include "metrics/registry.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

inline constexpr std::size_t kMaxGroupSeries = 1'000;
inline constexpr std::size_t kMaxOffsetSeries = 10'000;

/// The groups of one loop as of a moment; immutable.
struct GroupSnapshot {
  struct CommittedOffset {
    GroupPartition partition;
    std::int64_t offset = 0;
  };
  struct Group {
    std::string id;
    GroupState state;
    std::size_t members = 0;
    std::vector<CommittedOffset> offsets = {};
  };
  std::vector<Group> groups = {};
  std::size_t all_groups = 0;  // there are, shown or not
  std::size_t offsets = 0;     // shown
  std::size_t left_out = 0;    // groups that are not shown, and offsets of those that are

  /// Adds a group and as many of its offsets as the limits allow.
  void add(const kafka::Group& group);
};

class GroupMetrics {
 public:
  explicit GroupMetrics(metrics::Registry& registry);
  /// Adds what `now` has more than `before`.
  void count(const GroupCoordinator::Counts& now, const GroupCoordinator::Counts& before);

 private:
  metrics::Counter& commits_;
  metrics::Counter& rebalances_;
  metrics::Counter& members_expired_;
  metrics::Counter& offsets_expired_;
};

/// `snapshots` is called at every exposition; `log` must outlive them.
void register_group_series(metrics::Registry& registry, const topics::TopicLog& log,
                           std::function<std::vector<std::shared_ptr<const GroupSnapshot>>()> snapshots);

}  // namespace millrace::kafka

#include "storage/compaction_plan.h"

#include <algorithm>
#include <limits>

namespace millrace::storage {
namespace {

bool clean(const SegmentState& state) {
  return state.compacted && state.clean_until >= state.next;
}

bool expired(const SegmentState& state, std::int64_t now_ms) {
  return state.compacted && state.delete_horizon_ms != kNoTimestamp && state.delete_horizon_ms <= now_ms;
}

// Segments join while the one they become stays within segment.bytes, its indexes and 32-bit offsets.
class Grouping {
 public:
  Grouping(const LogConfig& config, CompactionPlan& plan) : config_(config), plan_(plan) {}

  void add(const SegmentRef& segment) {
    const SegmentState& state = segment.state;
    const bool fits = open_ && size_ + state.size <= static_cast<std::uint64_t>(config_.segment_bytes) &&
                      state.next - plan_.groups.back().front().state.base <= std::numeric_limits<std::int32_t>::max() &&
                      index_entries_ + state.index_entries <= kMaxIndexBytes / kIndexEntryBytes / 2 &&
                      time_entries_ + state.time_entries <= kMaxIndexBytes / kTimeEntryBytes / 2;
    if (!fits) {
      plan_.groups.emplace_back();
      size_ = index_entries_ = time_entries_ = 0;
      open_ = true;
    }
    plan_.groups.back().push_back(segment);
    size_ += state.size;
    index_entries_ += state.index_entries;
    time_entries_ += state.time_entries;
    plan_.bytes += state.size;
  }
  void interrupt() { open_ = false; }

 private:
  const LogConfig& config_;
  CompactionPlan& plan_;
  bool open_ = false;
  std::uint64_t size_ = 0;
  std::uint64_t index_entries_ = 0;
  std::uint64_t time_entries_ = 0;
};

}  // namespace

std::optional<CompactionPlan> plan_compaction(std::span<const SegmentRef> segments, const LogConfig& config,
                                              std::int64_t now_ms) {
  if (!config.compact || segments.size() < 2) return std::nullopt;
  CompactionPlan plan;
  std::size_t count = 0;
  std::uint64_t clean_bytes = 0;
  std::uint64_t dirty_bytes = 0;
  bool overdue = false;
  for (; count + 1 < segments.size(); ++count) {
    const SegmentState& state = segments[count].state;
    if (state.swap) return std::nullopt;  // the last compaction is not settled yet
    if (clean(state) && plan.dirty.empty()) {
      clean_bytes += state.size;
      overdue = overdue || expired(state, now_ms);
      continue;
    }
    if (config.min_compaction_lag_ms > 0 && now_ms - newest_ms(state) < config.min_compaction_lag_ms) break;
    if (plan.dirty.empty()) plan.dirty_from = state.compacted ? std::max(state.base, state.clean_until) : state.base;
    plan.dirty.push_back(segments[count]);
    dirty_bytes += state.size;
    overdue = overdue || (config.max_compaction_lag_ms != LogConfig::kNever &&
                          now_ms - state.created_ms > config.max_compaction_lag_ms);
  }
  if (count == 0) return std::nullopt;
  plan.end = segments[count - 1].state.next;
  if (plan.dirty.empty()) plan.dirty_from = plan.end;
  if (dirty_bytes > 0) {
    plan.dirty_ratio = static_cast<double>(dirty_bytes) / static_cast<double>(clean_bytes + dirty_bytes);
    overdue = overdue || plan.dirty_ratio >= config.min_cleanable_dirty_ratio;
  }
  if (!overdue) return std::nullopt;
  Grouping grouping(config, plan);
  for (const SegmentRef& segment : segments.first(count)) {
    // Nothing is new: only tombstones whose time is over go.
    if (plan.dirty.empty() && !expired(segment.state, now_ms)) {
      grouping.interrupt();
    } else {
      grouping.add(segment);
    }
  }
  if (plan.groups.empty()) return std::nullopt;
  return plan;
}

}  // namespace millrace::storage

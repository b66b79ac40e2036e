#include "kafka/groups/group_shard.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace millrace::kafka {
namespace {

constexpr std::chrono::seconds kHouseInterval{1};

}  // namespace

GroupShard::GroupShard(TimedExecutor& loop, topics::TopicLog& log, const Clock& clock, const GroupSettings& settings,
                       GroupMetrics& metrics, std::int32_t index, std::int32_t count, Rng rng)
    : loop_(loop),
      log_(log),
      clock_(clock),
      settings_(settings),
      metrics_(metrics),
      index_(index),
      count_(count),
      group_log_(log, clock, loop, settings, [this] { settle(); }),
      coordinator_(settings, group_log_, rng),
      snapshot_(std::make_shared<const GroupSnapshot>()) {}

void GroupShard::start(Executor& loader) {
  loading_since_ = clock_.mono();
  table_ = log_.table();
  loader.post([this] {
    auto loaded = GroupLog::load(
        log_, index_, count_, [this](ByteView key, std::optional<ByteView> value) { load_record(key, value); },
        abandoned_);
    loop_.post([this, loaded = std::move(loaded)] { finish_loading(loaded); });
  });
}

void GroupShard::load_record(ByteView key, std::optional<ByteView> value) {
  auto parsed = parse_group_key(key);
  if (!parsed) {
    ++unreadable_;
    return;
  }
  if (const auto* offset = std::get_if<OffsetKey>(&*parsed)) {
    if (!value) return coordinator_.load_offset(*offset, std::nullopt);
    auto stored = parse_offset_value(*value);
    if (stored) return coordinator_.load_offset(*offset, std::move(*stored));
    ++unreadable_;
  } else if (const auto* group = std::get_if<GroupKey>(&*parsed)) {
    if (!value) return coordinator_.load_group(*group, std::nullopt);
    auto stored = parse_group_value(*value);
    if (stored) return coordinator_.load_group(*group, std::move(*stored));
    ++unreadable_;
  }
}

void GroupShard::finish_loading(const Result<void>& loaded) {
  if (stopped_) {
    refusal_ = KafkaError::not_coordinator;
    return;
  }
  if (!loaded) {
    // Groups that are only half known would go back to old offsets: better none.
    refusal_ = KafkaError::coordinator_not_available;
    log::error("groups_not_loaded",
               {{"reason", loaded.error().message()}, {"effect", "the groups of this loop are refused"}});
    return;
  }
  refusal_ = KafkaError::none;
  if (unreadable_ != 0) log::warn("group_records_skipped", {{"records", unreadable_}});
  run([this](GroupCoordinator& coordinator, Now now) {
    coordinator.finish_loading(now);
    drop_offsets_of_missing_topics();
  });
  if (!coordinator_.groups().empty()) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.mono() - loading_since_);
    log::info("groups_loaded", {{"groups", coordinator_.groups().size()}, {"took_ms", took.count()}});
  }
}

void GroupShard::stop() {
  stopped_ = true;
  abandon_loading();
  if (refusal_ == KafkaError::coordinator_load_in_progress)
    return;  // nobody waits, and the coordinator is the loader's
  refusal_ = KafkaError::not_coordinator;
  run([](GroupCoordinator& coordinator, Now) { coordinator.stop(); });
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  if (house_timer_ != 0) loop_.cancel(std::exchange(house_timer_, 0));
}

void GroupShard::settle() {
  // An answer may bring the next event, and that other answers.
  for (auto answers = coordinator_.take_answers(); !answers.empty(); answers = coordinator_.take_answers()) {
    for (Task& answer : answers) answer();
  }
  const GroupCoordinator::Counts& counts = coordinator_.counts();
  metrics_.count(counts, counted_);
  counted_ = counts;
  if (refusal_ != KafkaError::none) return;
  set_timer();
  if (house_timer_ == 0 && !coordinator_.groups().empty()) {
    house_timer_ = loop_.run_after(kHouseInterval, [this] { keep_house(); });
  }
}

void GroupShard::set_timer() {
  const MonoTime at = coordinator_.deadline();
  if (at >= timer_at_ || at == MonoTime::max()) return;
  if (timer_ != 0) loop_.cancel(timer_);
  timer_at_ = at;
  timer_ = loop_.run_after(std::max(at - clock_.mono(), MonoTime(0)), [this] {
    timer_ = 0;
    timer_at_ = MonoTime::max();
    run([](GroupCoordinator& coordinator, Now now) { coordinator.on_time(now); });
  });
}

void GroupShard::keep_house() {
  house_timer_ = 0;
  drop_deleted_topics();
  publish();
  settle();
}

void GroupShard::drop_deleted_topics() {
  if (log_.table_version() == table_->version) return;
  const auto before = std::exchange(table_, log_.table());
  for (const auto& [name, topic] : before->topics) {
    const topics::Topic* after = table_->find(name);
    // Made again under the same name is another topic, whose offsets begin anew.
    if (after == nullptr || after->id != topic->id) coordinator_.topic_deleted(now(), name);
  }
}

// Of topics that were deleted just before the last stop.
void GroupShard::drop_offsets_of_missing_topics() {
  std::set<std::string> missing;
  for (const auto& [id, group] : coordinator_.groups()) {
    for (const auto& [topic, partitions] : group->offsets()) {
      if (table_->find(topic) == nullptr) missing.insert(topic);
    }
  }
  for (const std::string& topic : missing) coordinator_.topic_deleted(now(), topic);
}

void GroupShard::publish() {
  auto snapshot = std::make_shared<GroupSnapshot>();
  for (const auto& [id, group] : coordinator_.groups()) snapshot->add(*group);
  snapshot_.with([&](auto& current) { current = std::move(snapshot); });
}

}  // namespace millrace::kafka

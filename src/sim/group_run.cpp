#include "sim/group_run.h"

#include <algorithm>

#include "sim/group_member.h"

namespace millrace::sim {
namespace {

using kafka::GroupCoordinator;
using kafka::KafkaError;

constexpr int kSteps = 600;
constexpr int kCalmSeconds = 600;
constexpr int kPatienceSeconds = 40;

class GroupRun {
 public:
  GroupRun(std::uint64_t seed, const GroupRunOptions& options) : world_(seed, options.bugs) {
    world_.trace.keep_lines(options.keep_lines);
    // Offsets and empty groups stay: their expiry is not what is looked at here.
    world_.settings.retention_check_interval = std::chrono::hours(1'000'000);
    world_.start();
    const std::size_t dynamic = 1 + world_.rng.below(3);
    for (std::size_t i = 0; i < dynamic; ++i) members_.emplace_back(world_, "m" + std::to_string(i), std::nullopt);
    const std::size_t fixed = world_.rng.below(3);
    for (std::size_t i = 0; i < fixed; ++i) members_.emplace_back(world_, "s" + std::to_string(i), std::to_string(i));
    // Somebody starts a second process with the instance of another.
    if (fixed != 0 && world_.rng.chance(1, 2)) {
      rival_ = members_.size();
      members_.emplace_back(world_, "rival", "0");
    }
    waited_.resize(members_.size(), 0);
  }

  GroupRunResult run() {
    for (int i = 0; i < kSteps && !world_.violation; ++i) step();
    calm_down();
    world_.counts.rebalances += world_.coordinator->counts().rebalances;
    world_.counts.expired_members += world_.coordinator->counts().members_expired;
    return {.violation = world_.violation,
            .trace_hash = world_.trace.hash(),
            .counts = world_.counts,
            .lines = world_.trace.lines()};
  }

 private:
  void step() {
    const std::uint64_t dice = world_.rng.below(1000);
    if (dice < 450) return deliver();
    if (dice < 720) return any_member().act();
    if (dice < 840) return settle(1 + world_.rng.below(3));
    if (dice < 920) return advance(std::chrono::milliseconds(world_.rng.between(1, 2'000)));
    if (dice < 925) return advance(std::chrono::seconds(world_.rng.between(5, 40)));
    if (dice < 930) return world_.clock.jump_wall(std::chrono::hours(world_.rng.between(-3, 3)));
    if (dice < 945) return any_member().time_out();
    if (dice < 955) return any_member().die();
    if (dice < 990) return fetch();
    if (dice < 994) return delete_offset();
    if (dice < 996) return delete_group();
    world_.crash();
  }

  SimMember& any_member() { return members_[world_.rng.below(members_.size())]; }

  void deliver() {
    if (world_.network.empty()) return;
    std::swap(world_.network[world_.rng.below(world_.network.size())], world_.network.back());
    Task message = std::move(world_.network.back());
    world_.network.pop_back();
    message();
  }

  void settle(std::size_t count) {
    world_.store.settle(std::min(count, world_.store.waiting()), world_.now());
    world_.settle();
  }

  void advance(std::chrono::nanoseconds by) {
    const MonoTime until = world_.clock.mono() + by;
    while (world_.coordinator->deadline() <= until) {
      world_.clock.advance_to(world_.coordinator->deadline());
      world_.coordinator->on_time(world_.now());
      world_.settle();
    }
    world_.clock.advance_to(until);
  }

  void fetch() {
    const auto partition = static_cast<std::int32_t>(world_.rng.below(kGroupPartitions));
    world_.send<kafka::OffsetFetchResult>(
        &GroupCoordinator::fetch, kafka::OffsetFetch{"g", std::vector<kafka::GroupPartition>{{"t", partition}}}, {},
        [this, partition](const kafka::OffsetFetchResult& result) {
          ++world_.counts.fetches;
          const std::int64_t offset = result.entries.at(0).offset.offset;
          world_.trace.note("fetched", static_cast<std::uint64_t>(partition), static_cast<std::uint64_t>(offset));
          if (auto wrong = world_.model.fetched(partition, offset)) world_.violate(std::move(*wrong));
        },
        [](const kafka::OffsetFetchResult&) {});
  }

  void delete_offset() {
    const auto partition = static_cast<std::int32_t>(world_.rng.below(kGroupPartitions));
    auto attempt = std::make_shared<std::size_t>(0);
    world_.send<kafka::OffsetDeleteResult>(
        &GroupCoordinator::delete_offsets, kafka::OffsetDelete{"g", {{"t", partition}}},
        [this, partition, attempt] { *attempt = world_.model.attempt(partition, GroupModel::kNothing); },
        [this, partition, attempt](const kafka::OffsetDeleteResult& result) {
          world_.trace.note("offset deleted", static_cast<std::uint64_t>(result.error));
          if (result.error != KafkaError::none || result.partitions.at(0) != KafkaError::none) return;
          ++world_.counts.deletions;
          world_.model.acknowledged(partition, *attempt);
        },
        [](const kafka::OffsetDeleteResult&) {});
  }

  void delete_group() {
    auto attempts = std::make_shared<std::vector<std::size_t>>();
    world_.send<KafkaError>(
        &GroupCoordinator::delete_group, kafka::DeleteGroup{"g"},
        [this, attempts] {
          const auto group = world_.coordinator->groups().find("g");
          if (group == world_.coordinator->groups().end() || group->second->state() != kafka::GroupState::empty) return;
          world_.model.group_deleted();  // whether or not its answer arrives
          world_.newest_process.clear();
          for (std::int32_t i = 0; i < kGroupPartitions; ++i) {
            attempts->push_back(world_.model.attempt(i, GroupModel::kNothing));
          }
        },
        [this, attempts](KafkaError error) {
          world_.trace.note("group deleted", static_cast<std::uint64_t>(error));
          if (error != KafkaError::none) return;
          ++world_.counts.deletions;
          for (std::size_t i = 0; i < attempts->size(); ++i) {
            world_.model.acknowledged(static_cast<std::int32_t>(i), (*attempts)[i]);
          }
        },
        [](KafkaError) {});
  }

  // No faults any more: within ten minutes everybody must have settled (I13).
  void calm_down() {
    world_.calm = true;
    if (rival_) members_[*rival_].retire();
    for (int second = 0; second < kCalmSeconds && !world_.violation; ++second) {
      for (std::size_t i = 0; i < members_.size(); ++i) {
        waited_[i] = members_[i].waiting() ? waited_[i] + 1 : 0;
        if (waited_[i] > kPatienceSeconds) members_[i].time_out();
        members_[i].act();
      }
      fetch();
      for (int turn = 0; turn < 4; ++turn) {
        for (std::size_t left = world_.network.size(); left > 0; --left) deliver();
        settle(world_.store.waiting());
      }
      advance(std::chrono::seconds(1));
    }
    if (!world_.violation) check_settled();
  }

  void check_settled() {
    std::vector<int> owners(kGroupPartitions, 0);
    std::int32_t generation = -1;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (rival_ && i == *rival_) continue;
      const SimMember& member = members_[i];
      if (!member.stable()) return world_.violate("a member has not settled after all faults ended");
      if (generation != -1 && member.generation() != generation) return world_.violate("two generations at the end");
      generation = member.generation();
      for (const std::int32_t partition : member.partitions()) ++owners[static_cast<std::size_t>(partition)];
    }
    if (std::ranges::any_of(owners, [](int count) { return count != 1; })) {
      world_.violate("a partition has no owner, or two, at the end");
    }
  }

  GroupWorld world_;
  std::deque<SimMember> members_;
  std::optional<std::size_t> rival_;
  std::vector<int> waited_;
};

}  // namespace

GroupRunResult run_group(std::uint64_t seed, const GroupRunOptions& options) {
  return GroupRun(seed, options).run();
}

}  // namespace millrace::sim

#include "sim/group_member.h"

#include <algorithm>

namespace millrace::sim {

using kafka::GroupCoordinator;
using kafka::KafkaError;

namespace {

std::string encode(const std::vector<std::int32_t>& partitions) {
  std::string text;
  for (const std::int32_t partition : partitions) text += static_cast<char>('0' + partition);
  return text;
}

std::vector<std::int32_t> decode(const std::string& text) {
  std::vector<std::int32_t> partitions;
  for (const char character : text) partitions.push_back(character - '0');
  return partitions;
}

}  // namespace

void SimMember::act() {
  if (waiting_) return;
  if (retired_) {
    if (state_ == State::stable) leave();
    return;
  }
  switch (state_) {
    case State::outside:
      return join();
    case State::joined:
      return sync(unsent_);
    case State::stable:
      if (!committing_ && world_.rng.chance(1, 3)) return commit();
      if (!world_.calm && world_.rng.chance(1, 30)) return leave();
      return heartbeat();
  }
}

void SimMember::time_out() {
  ++epoch_;
  waiting_ = false;
  committing_ = false;
}

void SimMember::die() {
  begin_again(true);
  time_out();
  name_ += "'";
}

void SimMember::begin_again(bool forget_id) {
  state_ = State::outside;
  partitions_.clear();
  unsent_.clear();
  if (!forget_id) return;
  member_id_.clear();
  generation_ = -1;
  previous_generation_ = -1;
}

void SimMember::join() {
  waiting_ = true;
  kafka::JoinGroup request{.group = "g",
                           .member_id = member_id_,
                           .instance_id = instance_,
                           .client_id = name_,
                           .client_host = "/sim",
                           .session_timeout = std::chrono::seconds(10),
                           .rebalance_timeout = std::chrono::seconds(20),
                           .protocol_type = "consumer",
                           .protocols = {{"range", std::string(6, '\0')}},
                           .needs_member_id = !instance_ && world_.rng.chance(1, 2),
                           .can_skip_assignment = true,
                           .reason = std::nullopt};
  const bool returns = instance_ && member_id_.empty();
  world_.send<kafka::JoinGroupResult>(
      &GroupCoordinator::join, std::move(request), {},
      [this, returns, name = name_](const kafka::JoinGroupResult& result) {
        world_.trace.note("join answered", static_cast<std::uint64_t>(result.error),
                          static_cast<std::uint64_t>(result.generation), result.members.size());
        if (result.error != KafkaError::none) return;
        world_.model.generation_told(result.generation);
        if (!returns) return;
        ++world_.counts.replaced_members;
        world_.newest_process[*instance_] = name;
      },
      [this, epoch = epoch_](kafka::JoinGroupResult result) {
        if (epoch == epoch_) on_joined(std::move(result));
      });
}

void SimMember::on_joined(kafka::JoinGroupResult result) {
  waiting_ = false;
  if (result.error == KafkaError::member_id_required) {
    member_id_ = result.member_id;
    return;
  }
  if (result.error != KafkaError::none) {
    const bool lost = result.error == KafkaError::unknown_member_id || result.error == KafkaError::fenced_instance_id;
    return begin_again(lost);
  }
  member_id_ = result.member_id;
  previous_generation_ = generation_;
  generation_ = result.generation;
  state_ = State::joined;
  unsent_.clear();
  if (result.leader != member_id_ || result.skip_assignment) return;
  // An assignor: every partition to one member, in an order that changes.
  std::vector<std::string> order;
  for (const kafka::JoinedMember& member : result.members) order.push_back(member.id);
  std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(world_.rng.below(order.size())));
  std::vector<std::vector<std::int32_t>> shares(order.size());
  for (std::int32_t i = 0; i < kGroupPartitions; ++i) shares[static_cast<std::size_t>(i) % order.size()].push_back(i);
  for (std::size_t i = 0; i < order.size(); ++i) unsent_.push_back({order[i], encode(shares[i])});
}

void SimMember::sync(std::vector<kafka::MemberAssignment> assignments) {
  waiting_ = true;
  kafka::SyncGroup request{.group = "g",
                           .generation = generation_,
                           .member_id = member_id_,
                           .instance_id = instance_,
                           .protocol_type = std::nullopt,
                           .protocol = std::nullopt,
                           .assignments = std::move(assignments)};
  world_.send<kafka::SyncGroupResult>(
      &GroupCoordinator::sync, std::move(request), {},
      [this, generation = generation_, owner = owner()](const kafka::SyncGroupResult& result) {
        world_.trace.note("sync answered", static_cast<std::uint64_t>(result.error),
                          static_cast<std::uint64_t>(generation), result.assignment.size());
        if (result.error != KafkaError::none) return;
        ++world_.counts.assignments;
        if (auto wrong = world_.model.assigned(generation, decode(result.assignment), owner)) {
          world_.violate(std::move(*wrong));
        }
      },
      [this, epoch = epoch_](const kafka::SyncGroupResult& result) {
        if (epoch == epoch_) on_synced(result);
      });
}

void SimMember::on_synced(const kafka::SyncGroupResult& result) {
  waiting_ = false;
  unsent_.clear();
  if (result.error == KafkaError::none) {
    state_ = State::stable;
    partitions_ = decode(result.assignment);
    return;
  }
  begin_again(result.error != KafkaError::rebalance_in_progress);
}

void SimMember::heartbeat() {
  waiting_ = true;
  world_.send<KafkaError>(&GroupCoordinator::heartbeat, kafka::Heartbeat{"g", generation_, member_id_, instance_}, {},
                          {}, [this, epoch = epoch_](KafkaError error) {
                            if (epoch == epoch_) on_heartbeat(error);
                          });
}

void SimMember::on_heartbeat(KafkaError error) {
  waiting_ = false;
  if (error == KafkaError::none) return;
  // ILLEGAL_GENERATION keeps the id, as clients do.
  const bool keeps_id = error == KafkaError::rebalance_in_progress || error == KafkaError::illegal_generation;
  begin_again(!keeps_id);
}

void SimMember::commit() {
  if (partitions_.empty()) return heartbeat();
  committing_ = true;
  const std::int32_t partition = partitions_[world_.rng.below(partitions_.size())];
  const std::int64_t offset = ++world_.last_offset;
  const bool late = previous_generation_ >= 0 && !world_.calm && world_.rng.chance(1, 8);
  const std::int32_t generation = late ? previous_generation_ : generation_;
  kafka::OffsetCommit request{
      .group = "g", .generation = generation, .member_id = member_id_, .instance_id = instance_};
  request.entries.push_back({{"t", partition}, {.offset = offset}});
  auto attempt = std::make_shared<std::size_t>(0);
  auto stale = std::make_shared<bool>(false);
  world_.send<kafka::OffsetCommitResult>(
      &GroupCoordinator::commit, std::move(request),
      [this, attempt, stale, partition, offset, generation, name = name_] {
        *attempt = world_.model.attempt(partition, offset);
        const std::string* newest = instance_ ? &world_.newest_process[*instance_] : nullptr;
        *stale = generation < world_.model.told() || (newest != nullptr && !newest->empty() && *newest != name);
      },
      [this, attempt, stale, partition](const kafka::OffsetCommitResult& results) {
        world_.trace.note("commit answered", static_cast<std::uint64_t>(results.at(0)),
                          static_cast<std::uint64_t>(partition), *attempt);
        if (results.at(0) != KafkaError::none) {
          ++world_.counts.fenced;
          return;
        }
        ++world_.counts.commits;
        world_.model.acknowledged(partition, *attempt);
        if (*stale) world_.violate("a member of an older generation, or one that was replaced, has committed");
      },
      [this, epoch = epoch_](const kafka::OffsetCommitResult& results) {
        if (epoch == epoch_) on_committed(results);
      });
}

void SimMember::on_committed(const kafka::OffsetCommitResult& results) {
  committing_ = false;
  const KafkaError error = results.at(0);
  if (error == KafkaError::unknown_member_id || error == KafkaError::fenced_instance_id) begin_again(true);
}

void SimMember::leave() {
  // A static member keeps its place, and comes back within its session.
  if (instance_) return begin_again(true);
  kafka::LeaveGroup request{"g", {{member_id_, std::nullopt, std::nullopt}}};
  world_.send<kafka::LeaveGroupResult>(&GroupCoordinator::leave, std::move(request), {}, {},
                                       [](const kafka::LeaveGroupResult&) {});
  begin_again(true);
}

}  // namespace millrace::sim

// SimMember: one consumer process, as a Java or C client behaves: joins, assigns when it leads, syncs, sends
// heartbeats, commits, leaves, dies and comes back, loses its connection. Thread: the simulation's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/group_world.h"

namespace millrace::sim {

class SimMember {
 public:
  /// With an instance it is a static member; several processes may have the same one.
  SimMember(GroupWorld& world, std::string name, std::optional<std::string> instance)
      : world_(world), name_(std::move(name)), instance_(std::move(instance)) {}

  /// Something that a process does when it feels like it.
  void act();
  /// Its patience with an unanswered request is over.
  void time_out();
  /// kill -9, and a new process under the same name.
  void die();
  [[nodiscard]] bool stable() const { return state_ == State::stable; }
  [[nodiscard]] bool waiting() const { return waiting_; }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  [[nodiscard]] const std::vector<std::int32_t>& partitions() const { return partitions_; }
  void retire() { retired_ = true; }

 private:
  enum class State : std::uint8_t { outside, joined, stable };

  void join();
  void sync(std::vector<kafka::MemberAssignment> assignments);
  void heartbeat();
  void commit();
  void leave();
  void begin_again(bool forget_id);
  void on_joined(kafka::JoinGroupResult result);
  void on_synced(const kafka::SyncGroupResult& result);
  void on_heartbeat(kafka::KafkaError error);
  void on_committed(const kafka::OffsetCommitResult& results);
  [[nodiscard]] std::string owner() const { return instance_ ? "instance " + *instance_ : name_; }

  GroupWorld& world_;
  std::string name_;
  std::optional<std::string> instance_;
  State state_ = State::outside;
  std::string member_id_;
  std::int32_t generation_ = -1;
  std::int32_t previous_generation_ = -1;  // some thread of the process may still work for it
  std::vector<std::int32_t> partitions_;
  std::uint64_t epoch_ = 0;  // of its connection; answers to an earlier one are not heard
  bool waiting_ = false;
  bool committing_ = false;
  bool retired_ = false;
  std::vector<kafka::MemberAssignment> unsent_;  // the assignment it made as a leader
};

}  // namespace millrace::sim

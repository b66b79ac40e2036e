// GroupModel: what a coordinator of consumer groups promised, seen from outside (invariant I9). Every commit and
// deletion that reached the coordinator is an attempt, in order; an answer or a fetch that showed one makes it the
// least that any later fetch may show. Thread: the simulation's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::sim {

class GroupModel {
 public:
  static constexpr std::int64_t kNothing = -1;

  /// A commit of `offset` (kNothing: a deletion) reached the coordinator; the number of the attempt.
  std::size_t attempt(std::int32_t partition, std::int64_t offset);
  /// It was answered with success.
  void acknowledged(std::int32_t partition, std::size_t attempt);
  /// A fetch that was answered `offset`. A reason when that breaks a promise.
  [[nodiscard]] std::optional<std::string> fetched(std::int32_t partition, std::int64_t offset);

  /// A member was told a generation by JoinGroup.
  void generation_told(std::int32_t generation);
  /// The coordinator was started again: what it told and did not store may come again.
  void restarted() { told_ = 0; }
  [[nodiscard]] std::int32_t told() const { return told_; }
  /// A process was given partitions in a generation, as `owner` (its static instance, or itself).
  [[nodiscard]] std::optional<std::string> assigned(std::int32_t generation,
                                                    const std::vector<std::int32_t>& partitions,
                                                    const std::string& owner);
  /// The group was deleted: its generations begin anew.
  void group_deleted() {
    owners_.clear();
    told_ = 0;
  }

 private:
  struct History {
    std::vector<std::int64_t> offsets{kNothing};  // by attempt; the first is the beginning
    std::size_t least = 0;                        // attempts before it may not be shown any more
  };
  std::map<std::int32_t, History> histories_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners_;  // generation, partition
  std::int32_t told_ = 0;
};

}  // namespace millrace::sim

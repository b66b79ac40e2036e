// GroupRun: one seed of a consumer group. Members join, lead, commit, leave, die and come back, static ones among them;
// messages are late, out of order and lost; the coordinator crashes and loads what was durable, compacted or not; time
// jumps. Every answer is held against what was promised (GroupModel), and in the end, when nothing goes wrong any more,
// everybody has partitions and every partition has an owner.
//
//   run_group(7, {}).violation     nullopt, or the first promise that was broken
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "kafka/groups/seeded_bugs.h"
#include "sim/group_world.h"

namespace millrace::sim {

struct GroupRunOptions {
  kafka::SeededBugs bugs = {};
  bool keep_lines = false;
};

struct GroupRunResult {
  std::optional<std::string> violation;
  std::uint64_t trace_hash = 0;
  GroupRunCounts counts;
  std::deque<std::string> lines;
};

GroupRunResult run_group(std::uint64_t seed, const GroupRunOptions& options);

}  // namespace millrace::sim

// LogWorld: one simulated machine with one log on it, and what the outside was promised. Shared by the threads of a
// LogRun. Thread: whoever has the turn.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "metrics/registry.h"
#include "sim/log_model.h"
#include "sim/record_source.h"
#include "sim/sim_disk.h"
#include "sim/trace.h"
#include "sim/turns.h"
#include "sim/virtual_clock.h"
#include "storage/log.h"

namespace millrace::sim {

/// What happened in how many places; summed over seeds and printed, so that a green run says how much it saw.
struct LogRunCounts {
  std::uint64_t lives = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t process_deaths = 0;
  std::uint64_t clean_stops = 0;
  std::uint64_t failed_syncs = 0;
  std::uint64_t full_disks = 0;
  std::uint64_t commits = 0;
  std::uint64_t doubts_kept = 0;  // commits in doubt that recovery kept
  std::uint64_t doubts_gone = 0;
  std::uint64_t batches = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t reads = 0;
  std::uint64_t waits = 0;  // of readers at the end, all of them woken
  std::uint64_t clock_jumps = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t compaction_steps = 0;
  std::uint64_t compacted_away = 0;  // records, counted again at every recovery
  std::uint64_t retentions = 0;
  std::uint64_t verifications = 0;
  std::uint64_t flipped_bits = 0;
  std::uint64_t flips_refused = 0;  // by a read; the others by open, or they hit what nobody reads
  void add(const LogRunCounts& other);
  [[nodiscard]] std::string to_string() const;
};

struct LogWorld {
  explicit LogWorld(std::uint64_t seed)
      : rng(seed),
        disk(rng(),
             {.operation_latency = std::chrono::microseconds(10), .sync_latency = std::chrono::microseconds(300)},
             &clock, &trace),
        source(seed) {}

  Rng rng;
  VirtualClock clock;
  Trace trace;
  SimDisk disk;
  RecordSource source;
  LogRunCounts counts;

  // What was promised.
  LogModel model{source};
  std::optional<ModelGroup> in_doubt;  // handed to commit(), not answered
  bool doubt_was_seen = false;         // a reader saw some of it: it must last
  std::map<TopicPartition, Offset> starts_seen;
  WallTime wall_off{};
  bool clock_went_back = false;  // then retention by time cannot be judged from outside
  std::int64_t latest_ms = 0;    // the farthest the wall clock ever was: retention may have acted on it
  std::set<ProducerId> producer_ids;

  // The running process.
  metrics::Registry metrics;
  storage::LogOptions options;
  std::unique_ptr<storage::Log> log;
  std::map<TopicPartition, std::shared_ptr<storage::PartitionLog>> handles;
  bool fault_planned = false;  // an io_error is no surprise
  bool dying = false;          // the process met a final error, or the machine stopped
  bool script_over = false;

  std::optional<std::string> violation;
  void violate(std::string what) {
    trace.say("VIOLATION " + what);
    if (!violation) violation = std::move(what);
    dying = true;
  }
  [[nodiscard]] std::int64_t now_ms() const { return clock.wall().count(); }
  /// Sets the wall clock `off` from where it would be without jumps.
  void set_wall_off(WallTime off) {
    latest_ms = std::max(latest_ms, now_ms());
    if (off < wall_off) clock_went_back = true;
    clock.jump_wall(off - wall_off);
    wall_off = off;
  }
  /// For LogModel's retention rule.
  [[nodiscard]] std::int64_t latest_possible_ms() const {
    return clock_went_back ? std::numeric_limits<std::int64_t>::max() : std::max(latest_ms, now_ms());
  }
  /// For any answer of the log but success: final ones end the life, and are a violation when nothing on the disk
  /// failed.
  void judge_failure(const Error& error, const char* call) {
    trace.note(call, static_cast<std::uint64_t>(error.code));
    trace.say(std::string("  ") + call + ": " + error.message());
    if (error.code == ErrorCode::disk_full) return;
    if (!fault_planned && disk.running()) violate(std::string(call) + " failed on a healthy disk: " + error.message());
    dying = true;
  }
};

}  // namespace millrace::sim

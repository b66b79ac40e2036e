#include "sim/log_run.h"

#include "sim/log_reader.h"
#include "sim/log_script.h"
#include "sim/log_waits.h"
#include "storage/verify.h"

namespace millrace::sim {
namespace {

constexpr int kOpenAttempts = 5;
constexpr std::uint64_t kJournalBytes = 512_KiB;  // the largest journal_max_bytes of a run

class LogRun {
 public:
  LogRun(std::uint64_t seed, const LogRunOptions& options)
      : world_(seed), options_(options), script_(world_), waits_(world_) {
    world_.trace.keep_lines(options.keep_lines);
  }

  LogRunResult run() {
    const std::uint64_t lives = 3 + world_.rng.below(4);
    for (std::uint64_t life = 0; life < lives && !world_.violation; ++life) live(life + 1 == lives);
    return {world_.violation, world_.trace.hash(), world_.counts, world_.trace.lines()};
  }

 private:
  void live(bool last);
  void plan_faults();
  void open(bool last);
  void check_recovery(const storage::RecoveryReport& report);
  void run_threads();
  void end(bool last);
  void die();
  void verify();
  void rot();

  LogWorld world_;
  LogRunOptions options_;
  LogScript script_;
  LogWaits waits_;
  bool stopped_clean_ = false;
};

void LogRun::live(bool last) {
  ++world_.counts.lives;
  world_.trace.note("life", world_.counts.lives);
  open(last);
  if (world_.violation) return;
  run_threads();
  end(last);
}

void LogRun::plan_faults() {
  Rng& rng = world_.rng;
  world_.fault_planned = false;
  switch (rng.below(8)) {
    case 0:
      world_.disk.stop_after(1 + rng.below(20));
      break;
    case 1:
    case 2:
      world_.disk.stop_after(1 + rng.below(100));
      break;
    case 3:
    case 4:
      world_.disk.stop_after(1 + rng.below(500));
      break;
    case 5:
      world_.disk.fail_sync_after(1 + rng.below(60), rng.chance(1, 2));
      world_.fault_planned = true;
      ++world_.counts.failed_syncs;
      break;
    default:
      break;
  }
}

// Opens the log, through as many accidents as the seed wants, and checks what it found.
void LogRun::open(bool last) {
  Rng& rng = world_.rng;
  for (int attempt = 0; !world_.violation; ++attempt) {
    world_.dying = false;
    world_.script_over = false;
    world_.fault_planned = false;
    world_.disk.set_capacity(1_GiB);
    storage::LogOptions options;
    options.journal_file_bytes = (16_KiB) << rng.below(3);
    options.journal_max_bytes = 256_KiB + rng.below(3) * 128_KiB;
    options.checkpoint_bytes = 16_KiB + rng.below(4) * 32_KiB;
    options.checkpoint_interval = std::chrono::milliseconds(500 + rng.below(10'000));
    options.tail_memory_bytes = (4_KiB) << rng.below(6);
    options.write_piece_bytes = (1_KiB) << rng.below(5);
    options.direct_write_bytes = (1_KiB) << rng.below(5);
    options.start_write_bytes = 4_KiB * rng.below(12);
    options.seed = world_.rng() | 1U;
    options.compaction_interval = std::chrono::milliseconds(rng.below(3) * 500);
    options.compaction_memory_bytes = rng.chance(1, 3) ? 100 + rng.below(400) : 1_MiB;
    options.open_files = rng.below(20);
    options.sync_one_by_one = rng.chance(1, 2) ? 128 : rng.below(4);
    options.bugs = options_.bugs;
    world_.options = options;
    if (!last && attempt < kOpenAttempts) plan_faults();
    storage::RecoveryReport report;
    auto log = storage::Log::open(world_.disk, world_.clock, world_.metrics, options, &report);
    world_.trace.note("open", log ? 1 : 0, report.groups_replayed, report.partitions);
    if (!log) {
      world_.judge_failure(log.error(), "open");
      stopped_clean_ = stopped_clean_ && !world_.disk.running();
      if (!world_.violation) die();
      continue;
    }
    world_.log = std::move(*log);
    check_recovery(report);
    stopped_clean_ = false;
    if (world_.violation) return;
    // Now and then it dies at once: a recovery must be repeatable, and what it left behind whole.
    if (!world_.dying && (last || attempt >= kOpenAttempts || !rng.chance(1, 10))) return;
    die();
  }
}

void LogRun::check_recovery(const storage::RecoveryReport& report) {
  if (stopped_clean_ && (!report.clean || report.groups_replayed != 0)) {
    return world_.violate("a clean stop was not found clean");
  }
  const SeenLog seen = scan_log(world_);
  if (world_.violation) return;
  const std::int64_t now = world_.latest_possible_ms();
  bool kept = false;
  if (world_.in_doubt) {
    LogModel with = world_.model;
    with.apply(*world_.in_doubt);
    const auto wrong_with = with.differs(seen, now);
    const auto wrong_without = world_.model.differs(seen, now);
    if (wrong_with && wrong_without) {
      return world_.violate("neither with the commit in doubt (" + *wrong_with + ") nor without it (" + *wrong_without +
                            ")");
    }
    if (wrong_with && world_.doubt_was_seen) return world_.violate("readers saw what is gone: " + *wrong_with);
    kept = !wrong_with;
    if (kept) world_.model = std::move(with);
    ++(kept ? world_.counts.doubts_kept : world_.counts.doubts_gone);
    world_.in_doubt.reset();
  } else if (auto wrong = world_.model.differs(seen, now)) {
    return world_.violate(std::move(*wrong));
  }
  script_.learn(kept);
  world_.model.follow_starts(seen);
  world_.counts.compacted_away += world_.model.compacted_away(seen);
  world_.handles.clear();
  for (const auto& entry : world_.log->partitions()) {
    const TopicPartition& name = entry.log->name();
    world_.handles[name] = entry.log;
    if (entry.log->log_start() < world_.starts_seen[name]) world_.violate(name.to_string() + ": log start went back");
  }
  check_timestamps(world_, seen, world_.rng);
}

void LogRun::run_threads() {
  Turns turns(world_.rng);
  world_.disk.on_operation([&](io::Operation) {
    if (world_.rng.chance(1, 3)) turns.yield();
  });
  const std::uint64_t steps = 4 + world_.rng.below(40);
  turns.add([&] {
    script_.run(steps, [&] { turns.yield(); });
    world_.script_over = true;
  });
  turns.add([&, rng = world_.rng.fork()]() mutable {
    while (!world_.script_over && !world_.dying) {
      if (world_.log->checkpoint_due() || rng.chance(1, 16)) {
        ++world_.counts.checkpoints;
        const auto done = world_.log->checkpoint();
        if (!done) world_.judge_failure(done.error(), "checkpoint");
      } else if (rng.chance(1, 2)) {
        const auto done = world_.log->compact();
        if (!done) world_.judge_failure(done.error(), "compact");
        if (done && *done) ++world_.counts.compaction_steps;
      } else {
        const auto done = world_.log->write_behind();
        if (!done) world_.judge_failure(done.error(), "write_behind");
      }
      turns.yield();
    }
  });
  turns.add([&, rng = world_.rng.fork()]() mutable {
    while (!world_.script_over && !world_.dying) {
      waits_.run();
      if (rng.chance(1, 8)) {
        waits_.wait_somewhere(rng);
      } else {
        read_somewhere(world_, rng);
      }
      turns.yield();
    }
  });
  turns.run();
  world_.disk.on_operation(nullptr);
}

void LogRun::end(bool last) {
  if (world_.violation) return;
  world_.disk.set_capacity(1_GiB);
  if (last && !world_.dying) script_.must_commit();
  if (!world_.dying) {
    waits_.check_rest();
    const std::uint64_t journal = world_.disk.bytes_below("journal/");
    if (journal > kJournalBytes) world_.violate("the journal holds " + std::to_string(journal) + " bytes");
  }
  waits_.forget();
  if (!world_.dying && (last || world_.rng.chance(1, 2))) {
    const auto closed = world_.log->close();
    if (closed) {
      world_.handles.clear();
      world_.log.reset();
      ++world_.counts.clean_stops;
      stopped_clean_ = true;
      if (world_.disk.open_files() != 0) world_.violate("a closed log holds files open");
      world_.disk.cancel_stop();
      if (world_.rng.chance(1, 2)) {
        world_.disk.restart_after_power_cut();
      } else {
        world_.disk.restart_process();
      }
      verify();
      if (last && !world_.violation) rot();
      return;
    }
    world_.judge_failure(closed.error(), "close");
  }
  if (!world_.violation) die();
}

void LogRun::die() {
  world_.disk.stop_now();
  world_.handles.clear();
  world_.log.reset();
  if (world_.rng.chance(2, 3)) {
    ++world_.counts.power_cuts;
    world_.trace.note("power cut");
    world_.disk.restart_after_power_cut();
  } else {
    ++world_.counts.process_deaths;
    world_.trace.note("process death");
    world_.disk.restart_process();
  }
  if (world_.rng.chance(1, 3)) verify();
}

// The offline check finds nothing to complain about in an image that only saw what disks may do.
void LogRun::verify() {
  ++world_.counts.verifications;
  const auto report = storage::verify_directory(world_.disk, {.deep = world_.rng.chance(1, 2)});
  if (!report) {
    const bool never_made = report.error().code == ErrorCode::not_found && world_.counts.commits == 0;
    if (!never_made) world_.violate("verify: " + report.error().message());
  } else if (!report->good()) {
    const storage::Damage& damage = report->damage.front();
    world_.violate("verify finds damage: " + damage.file + " at " + std::to_string(damage.position) + ": " +
                   damage.what);
  }
}

// One bit of the closed log flips. Nothing wrong may ever be served, and what is not reported must be whole.
void LogRun::rot() {
  std::vector<std::string> live;
  for (const std::string& path : world_.disk.all_files()) {
    if (path.starts_with("topics/") || path == "checkpoint" || path == "format") live.push_back(path);
  }
  const std::string path = live[world_.rng.below(live.size())];
  const std::uint64_t size = world_.disk.file_bytes(path);
  if (size == 0) return;
  const std::uint64_t byte = world_.rng.below(size);
  world_.disk.flip_bit(path, byte, static_cast<unsigned>(world_.rng.below(8)));
  world_.trace.note("rot", byte, size);
  world_.trace.say("  a bit of " + path + " at " + std::to_string(byte) + " flips");
  ++world_.counts.flipped_bits;
  const auto report = storage::verify_directory(world_.disk, {.deep = true});
  const bool reported = !report || !report->good();
  auto log = storage::Log::open(world_.disk, world_.clock, world_.metrics, world_.options, nullptr);
  if (!log) {
    const bool told = log.error().code == ErrorCode::corrupt || log.error().code == ErrorCode::unsupported_version;
    if (!told) world_.violate("open of a damaged log: " + log.error().message());
    if (!reported) world_.violate("verify finds nothing, but open: " + log.error().message());
    return;
  }
  world_.log = std::move(*log);
  if (scan_damaged(world_)) {
    ++world_.counts.flips_refused;
    if (!reported) world_.violate("a read finds damage that verify does not");
  }
  world_.log.reset();
}

}  // namespace

LogRunResult run_log(std::uint64_t seed, const LogRunOptions& options) {
  return LogRun(seed, options).run();
}

}  // namespace millrace::sim

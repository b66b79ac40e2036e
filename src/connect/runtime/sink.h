// Sink: what a destination has to provide. Reading, converting, transforming, batching, retrying with back-off,
// isolating poison, dead letters and bookmarks belong to the runtime, once; a sink keeps settings rows, the encoding of
// a batch, the sending of it, and a judgement of the answer. docs/writing-a-sink.md leads through one; contract_suite.h
// judges it.
//
// Thread: all calls of one sink come from its task's thread and may block; a blocked call must end soon after
// SinkContext::stopping becomes true (net::http::Client does).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include "connect/runtime/memory_budget.h"
#include "connect/runtime/sink_record.h"
#include "connect/runtime/surroundings.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

/// A record the destination will never take.
struct Rejection {
  std::size_t index = 0;    // within the records given to put()
  std::string error_class;  // "org.apache.kafka.connect.errors.DataException": counted and shown by this name
  std::string message;
  bool tolerated =
      false;  // the sink's own settings say that such a record may be given up, whatever errors.tolerance says
};

/// What became of a put() or flush().
struct Outcome {
  enum class Kind : std::uint8_t {
    done,    // every record was taken: delivered, kept, or named in `rejected`
    retry,   // the destination is not there or not willing now; the records behind `taken` come again
    reject,  // at least one record behind `taken` is at fault, the destination did not say which: the runtime halves
    fatal,   // no repetition can help (wrong credentials, unknown bucket, bad settings)
  };
  Kind kind = Kind::done;
  std::size_t taken = 0;  // retry, reject: records from the front that need not come again
  std::vector<Rejection> rejected{};
  Error error{};
  std::string error_class{};
  std::optional<std::chrono::milliseconds> retry_after{};  // as the destination asked

  static Outcome done() { return {}; }
  static Outcome retry(Error error, std::size_t taken = 0) {
    return {.kind = Kind::retry, .taken = taken, .error = std::move(error)};
  }
  static Outcome reject(Error error, std::string error_class) {
    return {.kind = Kind::reject, .error = std::move(error), .error_class = std::move(error_class)};
  }
  static Outcome fatal(Error error) { return {.kind = Kind::fatal, .error = std::move(error)}; }
};

/// A partition of this task and where its delivery goes on.
struct LaneStart {
  const TopicPartition* partition = nullptr;
  Offset next;       // first record that put() will be given
  std::string note;  // what record_plan() last left for records behind `next`; empty: nothing
  /// Of a topic that was deleted and made anew under its name it is another one, and offsets begin again.
  std::string topic_id{};
};

/// What the runtime offers to a sink.
struct SinkContext {
  std::string connector;
  std::int32_t task = 0;
  Settings settings;
  const Surroundings& surroundings;
  Rng rng;
  const std::atomic<bool>& stopping;
  /// Single records come again that were given up before: what lies between them was delivered long ago.
  bool replay = false;
  /// Makes `note` durable beside the lane's bookmark, which stays where it is; blocks. After a restart LaneStart has
  /// it, until the bookmark moves. For decisions that a replay must repeat. Errors: unavailable, closed.
  std::function<Result<void>(std::uint32_t lane, Offset bookmark, const std::string& note)> record_plan{};
  /// Bytes the sink keeps between calls, against the memory of all sinks. Over: it gives something up soon (spills it
  /// to Surroundings::spill, or delivers it), until there is room again or it has no more to give.
  std::function<MemoryLevel(std::int64_t change)> account{};
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Called once, before all else. Errors are fatal but for `unavailable` and `timed_out`, which are tried again.
  virtual Result<void> open(std::span<const LaneStart> lanes) = 0;
  /// How long what was gathered may go on waiting for company; nullopt: as the class's limits say. Asked again whenever
  /// records have come. Zero, or less: put() now.
  [[nodiscard]] virtual std::optional<std::chrono::milliseconds> open_for(std::span<const SinkRecord> /*gathered*/) {
    return std::nullopt;
  }
  /// Records of several lanes, each lane's in order. What `done` took counts as delivered unless delivered() says less.
  virtual Outcome put(std::span<const SinkRecord> records) = 0;
  /// Several batches under way at once, for sinks whose destination is far: how many, and only where the order of
  /// batches does not matter to what is there in the end (ids, external versions).
  [[nodiscard]] virtual std::size_t slots() const { return 1; }
  /// Begins to deliver in a free slot; the records stay as they are until end(slot), which waits for the outcome: that
  /// of put(). What must come again is given to put().
  virtual void begin(std::size_t /*slot*/, std::span<const SinkRecord> /*records*/) {}
  virtual Outcome end(std::size_t /*slot*/) { return Outcome::done(); }
  /// For sinks that keep records: first offset of the lane that is not yet safe at the destination; nullopt: none is
  /// kept.
  [[nodiscard]] virtual std::optional<Offset> delivered(std::uint32_t /*lane*/) const { return std::nullopt; }
  /// When flush() wants to be called although no record comes; nullopt: never.
  [[nodiscard]] virtual std::optional<WallTime> next_flush() const { return std::nullopt; }
  /// Called when that time has come. `taken` of the outcome means nothing.
  virtual Outcome flush() { return Outcome::done(); }
  /// Delivers everything that is kept, now; called at the end of a replay of failed records.
  virtual Outcome finish() { return Outcome::done(); }
};

}  // namespace millrace::connect

// FailureLedger: which records a connector gave up: topic, partition, offset, why, first and last time, how often. One
// entry per connector and record, however often it fails; kept in the compacted topic "connect-failures", so that a
// restart knows it and a replay can drive the records again.
//
// Thread: record() any; the rest the worker's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "connect/runtime/failed_record.h"
#include "topics/table_topic.h"

namespace millrace::connect {

struct LedgerKey {
  std::string connector;
  TopicPartition partition;
  Offset offset;
  auto operator<=>(const LedgerKey&) const = default;

  /// ["connector","topic",partition,offset], the key of its records.
  [[nodiscard]] std::string encode() const;
  static std::optional<LedgerKey> decode(ByteView bytes);
};

struct LedgerEntry {
  std::string stage{};
  std::string error_class{};
  std::string message{};
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::int64_t count = 0;
};

class FailureLedger {
 public:
  static constexpr std::string_view kTopic = "connect-failures";
  /// Entries kept in memory, for answers and replays. What comes beyond is written to the topic all the same, and seen
  /// when there is room at a start.
  static constexpr std::size_t kMaxBytes = 128_MiB;

  FailureLedger(const Clock& clock, Executor& loop, std::size_t max_bytes = kMaxBytes)
      : clock_(clock), loop_(loop), max_bytes_(max_bytes) {}

  /// For TableTopic::open.
  void load(ByteView key, std::optional<ByteView> value);
  void attach(std::shared_ptr<topics::TableTopic> table) { table_ = std::move(table); }
  /// Told of every entry that is taken out.
  void on_forgotten(std::function<void(const LedgerKey&)> told) { forgotten_ = std::move(told); }

  struct Failure {
    LedgerKey key;
    std::string stage;
    std::string error_class;
    std::string message;
  };
  using Done = std::move_only_function<void(Result<void>)>;
  /// `done` on `reply_to` when all are on disk.
  void record(std::vector<Failure> failures, std::shared_ptr<Executor> reply_to, Done done);
  /// Takes entries out: they were driven again, or their connector is gone.
  void forget(const LedgerKey& key);
  /// The same from any thread.
  void forget_later(std::vector<LedgerKey> keys) {
    loop_.post([this, keys = std::move(keys)] {
      for (const LedgerKey& key : keys) forget(key);
    });
  }
  void forget_connector(const std::string& connector);

  using Entries = std::map<LedgerKey, LedgerEntry>;
  /// The entries of one connector, in the order of topic, partition and offset.
  [[nodiscard]] std::ranges::subrange<Entries::const_iterator> of(const std::string& connector) const;
  [[nodiscard]] std::size_t count(const std::string& connector) const;
  [[nodiscard]] const LedgerEntry* find(const LedgerKey& key) const;

 private:
  void put(Failure failure, topics::TableTopic::Done done);
  /// Null: there is no room for another.
  LedgerEntry* room_for(const LedgerKey& key);
  void assign(LedgerEntry& entry, LedgerEntry value);
  bool drop(const LedgerKey& key);

  const Clock& clock_;
  Executor& loop_;
  const std::size_t max_bytes_;
  Entries entries_;
  std::size_t bytes_ = 0;  // that entries_ takes, about
  bool told_full_ = false;
  std::function<void(const LedgerKey&)> forgotten_;
  std::shared_ptr<topics::TableTopic> table_;
};

}  // namespace millrace::connect

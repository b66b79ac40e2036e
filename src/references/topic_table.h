// TopicTable: a Kafka topic as a table: the last value under each key, in memory, following the topic as it grows. A
// null value removes the key. Rows become visible when their record is durable, milliseconds later.
//
// Questions that come before the topic has been read once wait for that, two seconds at most. A table that would be
// larger than `max_bytes` takes no further rows, and says so to whoever asks for a row it does not have.
// Thread: rows are read by any thread; everything else happens on `loop`.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "net/loop.h"
#include "references/table.h"
#include "topics/batch_records.h"
#include "topics/topic_log.h"

namespace millrace::references {

class TopicTable final : public Table, public std::enable_shared_from_this<TopicTable> {
 public:
  /// `log`, `clock` and `loop` outlive it.
  TopicTable(topics::TopicLog& log, const Clock& clock, net::Loop& loop, std::string topic, std::uint64_t max_bytes)
      : log_(log), clock_(clock), loop_(loop), topic_(std::move(topic)), max_bytes_(max_bytes) {}
  /// Begins to read. Once.
  void start();

  std::optional<Answer> known(const RowKey& key) override;
  void ask(const RowKey& key, Executor& loop, Done done) override;
  [[nodiscard]] Status status() const override;
  void stop() override;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using Rows = std::unordered_map<std::string, std::string, Hash, std::equal_to<>>;
  struct Reading {
    std::shared_ptr<topics::Partition> partition;
    Offset next;
    Offset target;  // read once when this is reached
  };
  struct Waiting {
    std::string key;
    Executor* loop;
    Done done;
    MonoTime until;
  };
  static constexpr std::size_t kShards = 64;

  void begin();
  void begin_again();
  void read_on(std::size_t partition, std::uint64_t generation);
  void take(const ReadRecord& record);
  void check_loaded();
  void answer_waiting(bool all);
  void tick();
  [[nodiscard]] Guarded<Rows>& shard_of(std::string_view key) { return shards_[Hash{}(key) % kShards]; }
  [[nodiscard]] Answer absent() const;

  topics::TopicLog& log_;
  const Clock& clock_;
  net::Loop& loop_;
  const std::string topic_;
  const std::uint64_t max_bytes_;
  std::array<Guarded<Rows>, kShards> shards_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<bool> loaded_{false};
  std::atomic<bool> full_{false};
  std::atomic<bool> missing_{false};
  std::atomic<bool> stopped_{false};
  Guarded<std::vector<Waiting>> waiting_;
  // loop
  std::vector<Reading> readings_;
  std::uint64_t generation_ = 0;
  topics::BatchRecords records_;
};

}  // namespace millrace::references

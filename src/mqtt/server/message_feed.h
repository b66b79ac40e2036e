// MessageFeed: one loop's reader of `__mqtt_messages`, the topic of what waits for persistent sessions (decision 0009).
//
// It goes through what is synced, once, in order, and hands every message to the loop's server, a bounded piece per
// turn. position() is the offset up to which everything was handed over. Without watchers it does not read. Thread: the
// loop's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/executor.h"
#include "model/record_reader.h"
#include "mqtt/session/stored_message.h"
#include "topics/topic_log.h"

namespace millrace::mqtt {

struct LoggedMessage {
  Offset offset;
  StoredMessage message;  // views into a batch that the reader holds
  ByteView spill_key;     // not empty: for the loop that spilled it only (SpillLedger)
};

/// Reads single messages, from batches it keeps until another one is asked for: fast at ascending offsets.
class MessageReader {
 public:
  /// The first message at or above `offset`, below `end`; nullopt when there is none (any more). Errors: those of
  /// reading, and corrupt.
  Result<std::optional<LoggedMessage>> next(topics::Partition& partition, Offset offset, Offset end);

 private:
  Result<bool> open_next_batch();

  std::vector<SharedBytes> batches_;
  Offset asked_{0};
  std::size_t next_batch_ = 0;
  Offset batches_end_{0};
  std::optional<RecordReader> records_;
  std::optional<LoggedMessage> current_;
};

class MessageFeed {
 public:
  using Hear = std::function<void(const LoggedMessage&)>;
  MessageFeed(Executor& loop, Hear hear) : loop_(loop), hear_(std::move(hear)) {}
  ~MessageFeed();
  MessageFeed(const MessageFeed&) = delete;
  MessageFeed& operator=(const MessageFeed&) = delete;

  /// Before the first watch(). Without a partition nothing is ever read.
  void set_partition(std::shared_ptr<topics::Partition> partition) { partition_ = std::move(partition); }
  /// For good; before the loop ends.
  void stop();
  [[nodiscard]] topics::Partition* partition() const { return partition_.get(); }
  [[nodiscard]] Offset position() const { return position_; }
  /// One more session (or one less) of this loop is fed. The first one starts at the end of what is synced: what lies
  /// before is its own business.
  void watch();
  void unwatch();

 private:
  void wait();
  void read_on();

  std::shared_ptr<topics::Partition> partition_;
  Executor& loop_;
  Hear hear_;
  MessageReader reader_;
  Offset position_{0};
  std::size_t watchers_ = 0;
  bool waiting_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace millrace::mqtt

// SpillLedger: messages for slow clients that are on their way into the message topic because no memory is left for
// them (decision 0020), in the order they were handed over, until the loop's feed brings them back with their offsets.
//
// One record serves all connections of a loop that are slow for the same message. Its key names the loop and the
// number, so other loops and a restart pass it over: what spills belongs to sessions that end with their connection.
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "mqtt/session/message.h"

namespace millrace::mqtt {

class SpillLedger {
 public:
  explicit SpillLedger(std::size_t loop) : loop_(static_cast<std::uint8_t>(loop)) {}

  /// A new record; its key is written to `key`. The number tells which.
  std::uint64_t open(Buffer& key) {
    key.clear();
    ByteWriter out(key);
    out.u8(loop_);
    out.be(++last_);
    open_.push_back({last_, {}});
    return last_;
  }
  /// The record opened last is for this connection, too.
  void wait(ConnectionId connection) { open_.back().waiting.push_back(connection); }
  /// Who waits for the record with this key; nobody when it is another loop's.
  std::vector<ConnectionId> take(ByteView key) {
    ByteReader in(key);
    if (in.u8() != loop_) return {};
    const auto number = in.be<std::uint64_t>();
    return in.ok() ? take(number) : std::vector<ConnectionId>{};
  }
  /// Those before it will not come any more.
  std::vector<ConnectionId> take(std::uint64_t number) {
    while (!open_.empty() && open_.front().number < number) open_.pop_front();
    if (open_.empty() || open_.front().number != number) return {};
    std::vector<ConnectionId> waiting = std::move(open_.front().waiting);
    open_.pop_front();
    return waiting;
  }
  [[nodiscard]] std::size_t size() const { return open_.size(); }

 private:
  struct Open {
    std::uint64_t number;
    std::vector<ConnectionId> waiting;
  };
  std::uint8_t loop_;
  std::uint64_t last_ = 0;
  std::deque<Open> open_;
};

}  // namespace millrace::mqtt

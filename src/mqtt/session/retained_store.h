// RetainedStore: the retained message of every topic (MQTT 5.0 section 3.3.1.3), in order of topic, so that a wildcard
// can be gone through in pieces with a place to come back to. The index of the topic `__mqtt_retained`, held in memory
// with its messages; what has no record there ($SYS) is in memory only.
//
// Thread: one owner; the loops of a server share one behind a lock (Exchange::retained).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/session/message.h"

namespace millrace::mqtt {

struct RetainedLimits {
  std::size_t max_messages = 10'000'000;
  std::size_t max_bytes = 1'073'741'824;   // topics, payloads and properties
  std::size_t max_messages_per_owner = 0;  // 0: as many as there may be
  std::size_t max_bytes_per_owner = 0;
};

class RetainedStore {
 public:
  explicit RetainedStore(RetainedLimits limits = {}) : limits_(limits) {}

  enum class Outcome : std::uint8_t { stored, cleared, nothing_to_clear, full };
  /// Replaces the message of its topic; an empty payload clears it [MQTT-3.3.1-6, -7]. A replacement is refused too
  /// when it would pass the limit of bytes. `owner`: whom it counts for; empty: nobody.
  Outcome set(const Message& message, std::uint32_t now_s, std::string_view owner = {});
  [[nodiscard]] SharedMessagePtr find(std::string_view topic) const;

  /// How far a walk has come, and how much of it to do at once.
  struct Walk {
    std::string after;  // the topic looked at last; empty: from the start
    bool done = false;
  };
  struct Piece {
    std::size_t max_messages = 64;
    std::size_t max_bytes = 65'536;
    std::size_t max_looked_at = 2'048;
  };
  /// Appends the next messages whose topics match `filter`, in order of topic, to `into`. What changes between two
  /// calls is seen behind the walk's place and not before it.
  void next(std::string_view filter, Walk& walk, const Piece& piece, std::vector<SharedMessagePtr>& into) const;
  /// Forgets messages that have expired by `now_s`, looking at no more than `max_looked_at`; their topics.
  std::vector<std::string> expire(Walk& walk, std::size_t max_looked_at, std::uint32_t now_s);

  [[nodiscard]] std::size_t size() const { return messages_.size(); }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_; }

 private:
  /// Whoever published it last.
  struct Owner {
    std::size_t messages = 0;
    std::size_t bytes = 0;
  };
  using Owners = std::map<std::string, Owner, std::less<>>;
  struct Kept {
    SharedMessagePtr message;
    Owners::iterator owner;  // end(): nobody
  };
  using Messages = std::map<std::string_view, Kept>;  // the key views the message's own topic
  void erase(Messages::iterator at);
  [[nodiscard]] bool has_room(const Owner& owner, bool is_its_own, std::size_t size, std::size_t freed) const;

  RetainedLimits limits_;
  Messages messages_;
  Owners owners_;  // of one message or more
  std::size_t bytes_ = 0;
};

}  // namespace millrace::mqtt

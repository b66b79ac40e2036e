// ShareBacklog: which messages of the message topic one shared subscription has still to see settled (MQTT 5.0 section
// 4.8.2, decision 0020), by offset.
//
//   fed --add--> waiting --hand--> handed --settle--> gone
//                   ▲                 │
//                   └────give_back────┘
//
// What was given back comes before what has not been handed out yet. Its record (docs/formats/mqtt-records.md) holds
// what is handed or given back, and the offset from which on nothing has been handed. Thread: one owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "mqtt/session/offset_list.h"

namespace millrace::mqtt {

/// Keys of `__mqtt_sessions` that begin so are shared subscriptions; a client id has no U+0000 [MQTT-1.5.4-2].
inline constexpr std::string_view kShareKeyPrefix{"\0share/", 7};

/// A shared subscription as its record tells it.
struct ShareRecord {
  Offset next{0};
  std::vector<Offset> unsettled;  // below next
};

class ShareBacklog {
 public:
  /// Nothing below `fed_until` is its concern any more, but what a record says.
  void begin(Offset fed_until) { fed_until_ = fed_until; }
  void restore(Offset unsettled) { given_back_.insert(unsettled); }
  [[nodiscard]] Offset fed_until() const { return fed_until_; }

  /// Requires `offset` at or above fed_until(), in order.
  void add(Offset offset) {
    waiting_.push_back(offset);
    fed_until_ = offset + 1;
  }
  void pass(Offset offset) { fed_until_ = offset; }
  [[nodiscard]] bool empty() const { return given_back_.empty() && waiting_.empty(); }
  /// Requires !empty().
  [[nodiscard]] Offset next() const { return given_back_.empty() ? waiting_.front() : *given_back_.begin(); }
  [[nodiscard]] std::size_t size() const { return given_back_.size() + waiting_.size(); }
  [[nodiscard]] std::size_t handed() const { return handed_.size(); }

  /// Takes next() out for good. Requires !empty().
  void drop_next();
  /// Takes next() out, to whom `holder` names.
  void hand_next(std::uint32_t holder);
  /// One that never waited.
  void hand(Offset offset, std::uint32_t holder) { handed_.emplace(offset, holder); }
  /// Who had it; nullopt when nobody has it (any more).
  std::optional<std::uint32_t> settle(Offset offset);
  /// The same, and it waits again.
  std::optional<std::uint32_t> give_back(Offset offset);

  /// Smallest offset it still needs, when it has been fed up to `fed`.
  [[nodiscard]] Offset cursor(Offset fed) const;
  void encode(Buffer& out, Offset fed) const;

 private:
  OffsetList waiting_;
  std::set<Offset> given_back_;
  std::map<Offset, std::uint32_t> handed_;
  Offset fed_until_{0};
};

/// Errors: corrupt.
[[nodiscard]] Result<ShareRecord> decode_share(ByteView value);

}  // namespace millrace::mqtt

// OutboundAliases: topic aliases towards one client (MQTT 5.0 section 3.3.2.3.4). The first topics sent get one each,
// as many as the client allows and our own limit does. Thread: the connection's loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace millrace::mqtt {

class OutboundAliases {
 public:
  explicit OutboundAliases(std::uint16_t maximum) : maximum_(maximum) {}

  struct Use {
    std::uint16_t alias = 0;  // 0: none
    bool known = false;       // the client has been told the topic already
  };
  /// What to send with `topic`. A new alias is remembered only by confirm(), because the packet may yet not be sent.
  [[nodiscard]] Use look_up(std::string_view topic) const {
    if (const auto at = aliases_.find(topic); at != aliases_.end()) return {at->second, true};
    if (aliases_.size() >= maximum_) return {};
    return {static_cast<std::uint16_t>(aliases_.size() + 1), false};
  }
  void confirm(std::string_view topic, const Use& use) {
    if (use.alias != 0 && !use.known) aliases_.emplace(topic, use.alias);
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view topic) const { return std::hash<std::string_view>{}(topic); }
  };
  std::uint16_t maximum_;
  std::unordered_map<std::string, std::uint16_t, Hash, std::equal_to<>> aliases_;
};

}  // namespace millrace::mqtt

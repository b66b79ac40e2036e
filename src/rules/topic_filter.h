// Topic filters (MQTT 5.0 section 4.7): `+` stands for one level, `#` at the end for all further ones; neither matches
// a topic that starts with `$` in its first level. TopicFilterIndex finds all filters that match a topic: a trie over
// levels. Immutable once built; any thread may match.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace millrace::rules {

inline constexpr std::size_t kMaxFilterLevels = 128;

/// Error: invalid_argument with the reason.
Result<void> check_topic_filter(std::string_view filter);
/// A name one may publish to: 1 to 65535 bytes, no wildcard, no NUL.
[[nodiscard]] bool is_publishable_topic(std::string_view topic);

class TopicFilterIndex {
 public:
  /// `filter` passed check_topic_filter. The same filter may be added for many values.
  void add(std::string_view filter, std::uint32_t value);
  /// Appends the values of all filters that match, in no order.
  void match(std::string_view topic, std::vector<std::uint32_t>& out) const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Level {
    std::unordered_map<std::string, std::unique_ptr<Level>, TextHash, std::equal_to<>> exact;
    std::unique_ptr<Level> any;  // +
    std::vector<std::uint32_t> ends_here;
    std::vector<std::uint32_t> all_below;  // #
  };
  static void match_level(const Level& level, std::string_view rest, bool done, bool first,
                          std::vector<std::uint32_t>& out);

  Level root_;
};

}  // namespace millrace::rules

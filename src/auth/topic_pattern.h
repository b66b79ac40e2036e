// TopicPattern: which topics a permission is about: MQTT's filter syntax (MQTT 5.0 section 4.7) with the placeholders
// ${clientid} and ${username}, each of which is part of a level. Thread: any; immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::auth {

/// Whether `filter` (valid, without placeholders) matches `topic` [MQTT-4.7.2-1 included].
[[nodiscard]] bool matches_topic(std::string_view filter, std::string_view topic);
/// Whether every topic that `inner` matches is matched by `outer` too.
[[nodiscard]] bool covers(std::string_view outer, std::string_view inner);
/// Whether there is a topic that both match.
[[nodiscard]] bool overlap(std::string_view a, std::string_view b);
/// invalid_argument unless it is a filter: '+' and '#' alone in their level, '#' last, no NUL, not empty.
Result<void> check_filter(std::string_view filter);

class TopicPattern {
 public:
  /// The errors of check_filter(), and an unknown placeholder.
  static Result<TopicPattern> parse(std::string_view text);
  /// The filter for one client; nullopt when a value that is needed is empty or has a character that would change what
  /// the filter matches ('+', '#', '/', NUL): such a client must not choose its own permissions.
  [[nodiscard]] std::optional<std::string> resolve(std::string_view client_id, std::string_view username) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace millrace::auth

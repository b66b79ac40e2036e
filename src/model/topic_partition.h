// TopicPartition: the name of one ordered log. Topic names follow Kafka's rules (Topic.validate): 1 to 249 characters
// of [a-zA-Z0-9._-], neither "." nor "..".
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/ids.h"

namespace millrace {

struct TopicPartition {
  std::string topic;
  PartitionIndex partition;
  auto operator<=>(const TopicPartition&) const = default;
  /// "topic-3", also the directory's name.
  [[nodiscard]] std::string to_string() const;
};

inline constexpr std::size_t kMaxTopicNameLength = 249;

[[nodiscard]] bool is_valid_topic_name(std::string_view name);
/// The reason in Kafka's words, for people.
Result<void> check_topic_name(std::string_view name);

}  // namespace millrace

template <>
struct std::hash<millrace::TopicPartition> {
  std::size_t operator()(const millrace::TopicPartition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) * 31 + std::hash<millrace::PartitionIndex>{}(tp.partition);
  }
};

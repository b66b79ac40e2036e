#include "model/topic_partition.h"

#include <algorithm>

namespace millrace {

std::string TopicPartition::to_string() const {
  return topic + '-' + std::to_string(partition.value());
}

bool is_valid_topic_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxTopicNameLength || name == "." || name == "..") return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

Result<void> check_topic_name(std::string_view name) {
  if (is_valid_topic_name(name)) return {};
  return fail(ErrorCode::invalid_argument,
              "topic name must be 1 to 249 ASCII letters, digits, '.', '_' or '-', and neither '.' nor '..'",
              std::string(name.substr(0, kMaxTopicNameLength + 1)));
}

}  // namespace millrace

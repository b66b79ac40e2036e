// Finding what a request names. Thread: any; the table is immutable.
#pragma once

#include <map>
#include <memory>

#include "kafka/protocol/decoder.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

/// The partition, or null when topic or index do not exist.
[[nodiscard]] inline std::shared_ptr<topics::Partition> find_partition(const topics::Topic* topic, std::int32_t index) {
  if (topic == nullptr || index < 0 || static_cast<std::size_t>(index) >= topic->partitions.size()) return nullptr;
  return topic->partitions[static_cast<std::size_t>(index)];
}

/// Topics by id, gathered at the first question, so that a request full of ids costs one walk.
class TopicsById {
 public:
  explicit TopicsById(const topics::TopicTable& table) : table_(table) {}
  [[nodiscard]] const topics::Topic* find(const UuidBytes& id) {
    if (by_id_.empty()) {
      for (const auto& [name, topic] : table_.topics) by_id_.emplace(topic->id.bytes, topic.get());
    }
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : at->second;
  }

 private:
  const topics::TopicTable& table_;
  std::map<UuidBytes, const topics::Topic*> by_id_;
};

/// Topics that millrace makes for itself. Clients neither create nor write them.
[[nodiscard]] inline bool is_reserved_topic(std::string_view name) {
  return name.starts_with("__");
}

/// Every partition has this node as leader since epoch 0, so a client that knows another epoch is ahead of or behind a
/// mistake.
inline constexpr std::int32_t kLeaderEpoch = 0;

}  // namespace millrace::kafka

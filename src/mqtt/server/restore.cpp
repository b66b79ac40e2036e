#include "mqtt/server/restore.h"

#include "base/log.h"
#include "mqtt/server/topic_replay.h"
#include "mqtt/session/stored_message.h"

namespace millrace::mqtt {

Result<void> restore_retained(const topics::TopicLog& log, Exchange& exchange) {
  const WallTime now = exchange.clock.wall();
  return exchange.retained.with([&](RetainedStore& store) -> Result<void> {
    std::size_t refused = 0;
    MR_TRY(replay_topic(log, kRetainedTopic, [&](const ReadRecord& record) -> Result<void> {
      if (!record.record.key) return {};
      Message message;
      if (record.record.value) {
        MR_TRY_ASSIGN(const StoredMessage stored, decode_stored(*record.record.value));
        message = stored.at(now).value_or(Message{});
      }
      message.topic = as_text(*record.record.key);
      message.retain = true;
      if (store.set(message, 1) == RetainedStore::Outcome::full) ++refused;
      return {};
    }));
    exchange.metrics.retained_messages.set(static_cast<std::int64_t>(store.size()));
    exchange.metrics.retained_bytes.set(static_cast<std::int64_t>(store.size_bytes()));
    if (refused != 0) log::warn("mqtt_retained_messages_over_limit", {{"left_out", refused}});
    return {};
  });
}

}  // namespace millrace::mqtt

#include "app/topic_setup.h"

#include <optional>

#include "actions/delivery_host.h"
#include "base/log.h"
#include "base/queue_executor.h"
#include "mqtt/session/session_record.h"
#include "mqtt/session/stored_message.h"
#include "pipeline/message_pipeline.h"
#include "rules/delivery.h"

namespace millrace::app {
namespace {

Result<void> create(topics::TopicLog& log, topics::NewTopic topic) {
  const auto table = log.table();
  if (const topics::Topic* existing = table->find(topic.name); existing != nullptr) {
    const bool other_count =
        topic.partitions > 0 && static_cast<std::size_t>(topic.partitions) != existing->partitions.size();
    if (other_count || topic.config != existing->config) {
      log::warn("topic_differs_from_configuration", {{"topic", topic.name},
                                                     {"partitions", existing->partitions.size()},
                                                     {"effect", "the existing topic stays as it is"}});
    }
    return {};
  }
  QueueExecutor executor;
  std::optional<Result<std::shared_ptr<const topics::Topic>>> answer;
  log.create_topic(std::move(topic), executor, [&](auto result) { answer = std::move(result); });
  if (!executor.run_until([&] { return answer.has_value(); }, std::chrono::seconds(60))) {
    return fail(ErrorCode::timed_out, "a topic could not be created in 60 s; is the disk full?");
  }
  if (!*answer) return std::unexpected<Error>(answer->error());
  return {};
}

}  // namespace

Result<void> create_missing_topics(topics::TopicLog& log, const Settings& settings) {
  // Kept for ever: an entry is taken back by its tombstone, not by age.
  MR_TRY(create(log, {.name = std::string(pipeline::kDeliveryTopic),
                      .partitions = 1,
                      .config = {{"cleanup.policy", "compact"}, {"retention.ms", "-1"}},
                      .internal = true}));
  // A record of these holds one MQTT packet, and its names once more.
  const std::string record_bytes = std::to_string(settings.mqtt.max_packet_bytes + settings.mqtt.max_connect_bytes);
  MR_TRY(create(log, {.name = std::string(mqtt::kRetainedTopic),
                      .partitions = 1,
                      .config = {{"cleanup.policy", "compact"}, {"max.message.bytes", record_bytes}},
                      .internal = true}));
  MR_TRY(create(log, {.name = std::string(mqtt::kSessionTopic),
                      .partitions = 1,
                      .config = {{"cleanup.policy", "compact"}, {"max.message.bytes", record_bytes}},
                      .internal = true}));
  // Trimmed by the MQTT server to what sessions still wait for; the size is the limit of all that waits.
  MR_TRY(create(log, {.name = std::string(mqtt::kMessageTopic),
                      .partitions = 1,
                      .config = {{"retention.ms", "-1"},
                                 {"retention.bytes", std::to_string(settings.mqtt.queue_max_bytes)},
                                 {"segment.bytes", "67108864"},
                                 {"max.message.bytes", record_bytes}},
                      .internal = true}));
  MR_TRY(create(log, {.name = std::string(pipeline::kFallbackErrorTopic),
                      .partitions = 1,
                      .config = {{"retention.ms", "604800000"}},
                      .internal = true}));
  // Trimmed to what is not delivered yet. A delivery holds a message, what its rule made of it, and a little more.
  MR_TRY(create(log, {.name = std::string(rules::kRuleDeliveryTopic),
                      .partitions = rules::kRuleDeliveryPartitions,
                      .config = {{"retention.ms", "-1"},
                                 {"segment.bytes", "67108864"},
                                 {"max.message.bytes", std::to_string(4 * settings.mqtt.max_packet_bytes + 65'536)}},
                      .internal = true}));
  MR_TRY(create(log, {.name = std::string(actions::kMarkTopic),
                      .partitions = 1,
                      .config = {{"cleanup.policy", "compact"}},
                      .internal = true}));
  for (const TopicSetting& topic : settings.topics) {
    if (auto made = create(log, {.name = topic.name, .partitions = topic.partitions, .config = topic.config}); !made) {
      Error error = std::move(made).error();
      error.detail = "topics, line " + std::to_string(topic.line) + ": " + error.detail;
      return std::unexpected<Error>(std::move(error));
    }
  }
  return {};
}

}  // namespace millrace::app

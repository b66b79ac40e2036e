// DescribeConfigs (KIP-133, KIP-226 for sources and synonyms, KIP-569 for types and documentation): topics, and the
// broker, whose settings are those of the program.
#include "kafka/protocol/messages/describe_configs.h"

#include <algorithm>
#include <deque>
#include <string>

#include "kafka/server/config_resource.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"
#include "topics/topic_config.h"

namespace millrace::kafka {
namespace {

using Entry = DescribeConfigsResponse::DescribeConfigsResourceResult;
using Answer = DescribeConfigsResponse::DescribeConfigsResult;
using Wanted = DescribeConfigsRequest::DescribeConfigsResource;
using topics::ConfigSource;

constexpr std::int8_t code(ConfigSource source) {
  return static_cast<std::int8_t>(source);
}

class Description {
 public:
  Description(const DescribeConfigsRequest& message, const topics::LogConfig& defaults, const ServerSettings& settings)
      : message_(message), defaults_(defaults), settings_(settings) {}

  Refusal add(const Wanted& wanted, const topics::TopicTable& table, Answer& answer) {
    switch (static_cast<ResourceType>(wanted.resource_type)) {
      case ResourceType::topic: {
        const topics::Topic* topic = table.find(wanted.resource_name);
        if (topic == nullptr && !is_valid_topic_name(wanted.resource_name)) {
          return {KafkaError::invalid_topic, "Topic name is invalid"};
        }
        if (topic == nullptr) return {KafkaError::unknown_topic_or_partition, {}};
        for (auto& entry : topics::describe_config(defaults_, topic->config)) {
          if (is_wanted(wanted, entry.key->name)) add_topic_entry(std::move(entry), answer);
        }
        return {};
      }
      case ResourceType::broker: {
        if (wanted.resource_name.empty()) return {};  // defaults of all brokers that were set at run time: none
        if (auto refusal = check_broker(wanted.resource_name, settings_.node_id)) return refusal;
        for (const BrokerConfigEntry& entry : *settings_.broker_config) {
          if (is_wanted(wanted, entry.name)) add_broker_entry(entry, answer);
        }
        return {};
      }
      default:
        return unsupported_resource(wanted.resource_type);
    }
  }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

 private:
  static bool is_wanted(const Wanted& wanted, std::string_view name) {
    return !wanted.configuration_keys || wanted.configuration_keys->empty() ||
           std::ranges::find(*wanted.configuration_keys, name) != wanted.configuration_keys->end();
  }

  void add_topic_entry(topics::ConfigEntry entry, Answer& answer) {
    const topics::ConfigKey& key = *entry.key;
    Entry& out = answer.configs.emplace_back();
    out.name = key.name;
    out.value = keep(std::move(entry.value));
    out.config_source = code(entry.source);
    out.config_type = static_cast<std::int8_t>(key.type);
    out.documentation.reset();
    if (message_.include_documentation) out.documentation = key.documentation;
    if (!message_.include_synonyms) return;
    // In the order in which they win: the topic's own, the broker's, what is built in.
    if (entry.source == ConfigSource::dynamic_topic) out.synonyms.push_back({key.name, out.value, out.config_source});
    if (key.broker_name.empty()) return;
    const topics::ConfigEntry inherited = topics::describe_config(key, defaults_, {});
    if (inherited.source == ConfigSource::static_broker) {
      out.synonyms.push_back({key.broker_name, keep(inherited.value), code(ConfigSource::static_broker)});
    }
    out.synonyms.push_back({key.broker_name, keep(key.value_in(topics::LogConfig{})), code(ConfigSource::builtin)});
  }

  void add_broker_entry(const BrokerConfigEntry& entry, Answer& answer) {
    Entry& out = answer.configs.emplace_back();
    const auto source = code(entry.is_default() ? ConfigSource::builtin : ConfigSource::static_broker);
    out.name = entry.name;
    out.value.reset();
    if (entry.value) out.value = *entry.value;
    out.read_only = true;
    out.config_source = source;
    out.is_sensitive = entry.sensitive;
    out.config_type = static_cast<std::int8_t>(entry.type);
    out.documentation.reset();
    if (message_.include_documentation) out.documentation = entry.documentation;
    if (!message_.include_synonyms) return;
    if (!entry.is_default()) out.synonyms.push_back({entry.name, out.value, source});
    if (entry.default_value) out.synonyms.push_back({entry.name, *entry.default_value, code(ConfigSource::builtin)});
  }

  const DescribeConfigsRequest& message_;
  const topics::LogConfig& defaults_;
  const ServerSettings& settings_;
  std::deque<std::string> texts_;  // what the answer points at
};

}  // namespace

void handle_describe_configs(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeConfigsRequest>();
  if (!message) return request.malformed(message.error());
  Description description(*message, endpoint.log().topic_defaults(), endpoint.settings());
  const auto& table = endpoint.table();
  DescribeConfigsResponse response;
  response.results.reserve(message->resources.size());
  for (const Wanted& wanted : message->resources) {
    Answer& answer = response.results.emplace_back();
    answer.resource_type = wanted.resource_type;
    answer.resource_name = wanted.resource_name;
    answer.error_message.reset();
    Refusal refusal =
        check_permission(request, AclOperation::describe_configs, wanted.resource_type, wanted.resource_name);
    if (!refusal) refusal = description.add(wanted, *table, answer);
    if (!refusal) continue;
    answer.error_code = code(refusal.error);
    if (!refusal.message.empty()) answer.error_message = description.keep(refusal.message);
  }
  request.respond(response);
}

}  // namespace millrace::kafka

// Metadata: which topics and partitions there are, and where clients connect (KIP-4, KIP-516 for topic ids).
#include "kafka/protocol/messages/metadata.h"

#include <algorithm>
#include <map>
#include <string>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

struct Lookup {
  Request request;
  MetadataRequest message;
  std::map<std::string, KafkaError, std::less<>> failed;  // topics that could not be created
  std::size_t creating = 0;
};

void add_topic(const Lookup& lookup, const ServerSettings& settings, const topics::Topic& topic,
               MetadataResponse& response) {
  auto& out = response.topics.emplace_back();
  out.name = topic.name;
  out.topic_id = topic.id.bytes;
  out.is_internal = topic.internal;
  if (lookup.message.include_topic_authorized_operations) {
    out.topic_authorized_operations = allowed_operations(lookup.request, auth::AclResource::topic, topic.name);
  }
  out.partitions.resize(topic.partitions.size());
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    auto& partition = out.partitions[i];
    partition.partition_index = static_cast<std::int32_t>(i);
    partition.leader_id = settings.node_id;
    partition.leader_epoch = kLeaderEpoch;
    partition.replica_nodes = {settings.node_id};
    partition.isr_nodes = {settings.node_id};
  }
}

void respond(Endpoint& endpoint, Lookup& lookup) {
  const ServerSettings& settings = endpoint.settings();
  const auto table = endpoint.table();
  MetadataResponse response;
  const ListenerSettings& listener = lookup.request.connection().listener();
  response.brokers.push_back({settings.node_id, listener.advertised_host, listener.advertised_port, std::nullopt});
  response.cluster_id = endpoint.cluster_id();
  response.controller_id = settings.node_id;
  if (lookup.message.include_cluster_authorized_operations) {
    response.cluster_authorized_operations =
        allowed_operations(lookup.request, auth::AclResource::cluster, auth::kClusterName);
  }

  const auto& asked = lookup.message.topics;
  // Version 0 has no null: there an empty list means all topics.
  if (!asked || (lookup.request.version() == 0 && asked->empty())) {
    response.topics.reserve(table->topics.size());
    for (const auto& [name, topic] : table->topics) {
      if (may_topic(lookup.request, AclOperation::describe, name)) add_topic(lookup, settings, *topic, response);
    }
    std::ranges::sort(response.topics, {}, [](const auto& topic) { return *topic.name; });
    return lookup.request.respond(response);
  }
  TopicsById by_id(*table);
  response.topics.reserve(asked->size());
  for (const auto& wanted : *asked) {
    const topics::Topic* topic = wanted.name ? table->find(*wanted.name) : by_id.find(wanted.topic_id);
    const bool visible = topic == nullptr
                             ? !wanted.name || may_topic(lookup.request, AclOperation::describe, *wanted.name)
                             : may_topic(lookup.request, AclOperation::describe, topic->name);
    if (topic != nullptr && visible) {
      add_topic(lookup, settings, *topic, response);
      continue;
    }
    auto& out = response.topics.emplace_back();
    out.name = wanted.name;
    out.topic_id = wanted.topic_id;
    // Who may not see a topic does not learn whether it exists.
    KafkaError error = visible ? KafkaError::unknown_topic_id : KafkaError::topic_authorization_failed;
    if (wanted.name && visible) {
      const auto failed = lookup.failed.find(*wanted.name);
      error = failed != lookup.failed.end()       ? failed->second
              : is_valid_topic_name(*wanted.name) ? KafkaError::unknown_topic_or_partition
                                                  : KafkaError::invalid_topic;
    } else if (!wanted.name && lookup.request.version() < 12) {
      out.name = "";  // only version 12 lets the name be null
    }
    out.error_code = code(error);
  }
  lookup.request.respond(response);
}

}  // namespace

void handle_metadata(Endpoint& endpoint, Request request) {
  auto message = request.decode<MetadataRequest>();
  if (!message) return request.malformed(message.error());
  auto lookup = std::make_shared<Lookup>(std::move(request), std::move(*message));
  if (lookup->message.topics && lookup->message.allow_auto_topic_creation && endpoint.log().auto_create()) {
    const auto table = endpoint.table();
    // One more than there are, so that answers that come at once cannot finish the request before the loop is through.
    lookup->creating = 1;
    for (const auto& wanted : *lookup->message.topics) {
      if (!wanted.name || !is_valid_topic_name(*wanted.name) || is_reserved_topic(*wanted.name) ||
          table->find(*wanted.name) != nullptr) {
        continue;
      }
      if (!may_topic(lookup->request, AclOperation::describe, *wanted.name)) continue;
      if (!may_create_topic(lookup->request, *wanted.name)) {
        lookup->failed.emplace(*wanted.name, KafkaError::topic_authorization_failed);
        continue;
      }
      ++lookup->creating;
      std::string name(*wanted.name);
      endpoint.log().create_topic({.name = name, .partitions = -1, .config = {}}, endpoint.executor(),
                                  [&endpoint, lookup, name](Result<std::shared_ptr<const topics::Topic>> made) {
                                    if (!made && made.error().code != ErrorCode::already_exists) {
                                      lookup->failed.emplace(name, to_kafka(made.error().code));
                                    }
                                    if (--lookup->creating == 0) respond(endpoint, *lookup);
                                  });
    }
    if (--lookup->creating != 0) return;
  }
  respond(endpoint, *lookup);
}

}  // namespace millrace::kafka

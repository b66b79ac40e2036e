// DeleteTopics (KIP-4; by id: KIP-516).
#include "kafka/protocol/messages/delete_topics.h"

#include <string>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/repeated_names.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

struct Outcome {
  std::optional<std::string> name;
  UuidBytes id{};
  KafkaError error = KafkaError::none;
  std::string message;
};

struct Deletion {
  Request request;
  std::vector<Outcome> outcomes;
  std::size_t open = 1;
};

// A topic that is named twice, by its name or its id, is answered for once.
void refuse_repeated(std::vector<Outcome>& outcomes) {
  const auto name_or_id = [](const Outcome& outcome) {
    return outcome.name.value_or(std::string(as_text(outcome.id)));
  };
  const auto repeated = take_out_repeats(outcomes, name_or_id);
  for (Outcome& outcome : outcomes) {
    if (outcome.error != KafkaError::none || !repeated.contains(name_or_id(outcome))) continue;
    outcome.error = KafkaError::invalid_request;
    outcome.message = "Duplicate topic name.";
  }
}

void respond(Deletion& deletion) {
  DeleteTopicsResponse response;
  response.responses.reserve(deletion.outcomes.size());
  for (const auto& outcome : deletion.outcomes) {
    auto& out = response.responses.emplace_back();
    out.name.reset();
    if (outcome.name) out.name = *outcome.name;
    out.topic_id = outcome.id;
    out.error_code = code(outcome.error);
    if (!outcome.message.empty()) out.error_message = outcome.message;
  }
  deletion.request.respond(response);
}

}  // namespace

void handle_delete_topics(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DeleteTopicsRequest>();
  if (!message) return request.malformed(message.error());
  const auto table = endpoint.table();
  auto deletion = std::make_shared<Deletion>(std::move(request));
  TopicsById by_id(*table);
  // Up to version 5 names, from 6 on names or ids.
  for (const std::string_view name : message->topic_names) {
    const topics::Topic* topic = table->find(name);
    deletion->outcomes.push_back(
        {std::string(name), topic != nullptr ? topic->id.bytes : UuidBytes{}, KafkaError::none, {}});
  }
  for (const auto& wanted : message->topics) {
    const topics::Topic* topic = wanted.name ? table->find(*wanted.name) : by_id.find(wanted.topic_id);
    auto& outcome = deletion->outcomes.emplace_back();
    if (wanted.name) outcome.name = *wanted.name;
    outcome.id = wanted.topic_id;
    if (topic != nullptr && !wanted.name && !may_topic(deletion->request, AclOperation::describe, topic->name)) {
      outcome.error = KafkaError::topic_authorization_failed;  // its name is not told
    } else if (topic != nullptr) {
      outcome.name = topic->name;
      outcome.id = topic->id.bytes;
    } else if (!wanted.name) {
      outcome.error = KafkaError::unknown_topic_id;
    }
  }
  refuse_repeated(deletion->outcomes);
  for (std::size_t i = 0; i < deletion->outcomes.size(); ++i) {
    auto& outcome = deletion->outcomes[i];
    if (outcome.error != KafkaError::none) continue;
    if (!may_topic(deletion->request, AclOperation::remove, *outcome.name)) {
      outcome.error = KafkaError::topic_authorization_failed;
      // By name: who may not see the topic does not learn whether it exists.
      if (!may_topic(deletion->request, AclOperation::describe, *outcome.name)) outcome.id = {};
      continue;
    }
    if (is_reserved_topic(*outcome.name)) {
      outcome.error = KafkaError::invalid_topic;
      outcome.message = "topics whose names begin with \"__\" belong to millrace itself";
      continue;
    }
    ++deletion->open;
    endpoint.log().delete_topic(*outcome.name, endpoint.executor(), [deletion, i](Result<void> done) {
      if (!done) {
        deletion->outcomes[i].error = to_kafka(done.error().code);
        deletion->outcomes[i].message = done.error().message();
      }
      if (--deletion->open == 0) respond(*deletion);
    });
  }
  if (--deletion->open == 0) respond(*deletion);
}

}  // namespace millrace::kafka

// OffsetFetch: what groups have committed, one group up to version 7, several from version 8 on (KIP-709). No
// transactions, so every offset is stable (KIP-447).
#include "kafka/protocol/messages/offset_fetch.h"

#include <memory>

#include "kafka/groups/groups.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/owned_text.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kFirstWithGroupError = 2;
constexpr std::int16_t kFirstWithSeveral = 8;

// Entries as topics of the response; neighbours of one topic share one.
template <class Topics>
void add_topics(const OffsetFetchResult& result, KafkaError partition_error, Topics& topics) {
  for (const auto& [partition, committed] : result.entries) {
    if (topics.empty() || topics.back().name != partition.topic) topics.emplace_back().name = partition.topic;
    topics.back().partitions.push_back({.partition_index = partition.partition,
                                        .committed_offset = committed.offset,
                                        .committed_leader_epoch = committed.leader_epoch,
                                        .metadata = committed.metadata,
                                        .error_code = code(partition_error)});
  }
}

template <class Topics>
std::optional<std::vector<GroupPartition>> partitions_of(const std::optional<Topics>& topics) {
  if (!topics) return std::nullopt;
  std::vector<GroupPartition> partitions;
  for (const auto& topic : *topics) {
    for (const std::int32_t partition : topic.partition_indexes) {
      partitions.push_back({std::string(topic.name), partition});
    }
  }
  return partitions;
}

// What one group is asked for: the partitions of topics that the client may not see are answered here.
struct Question {
  OffsetFetch event;
  bool all = false;
  OffsetFetchResult denied;
};

template <class Topics>
Question question_of(const Request& request, std::string_view group, const std::optional<Topics>& topics) {
  Question question{.event = {.group = std::string(group), .partitions = partitions_of(topics)}, .denied = {}};
  question.all = !topics;
  if (!topics) return question;
  std::vector<GroupPartition> allowed;
  for (GroupPartition& partition : *question.event.partitions) {
    if (may_topic(request, AclOperation::describe, partition.topic)) {
      allowed.push_back(std::move(partition));
    } else {
      question.denied.entries.push_back({std::move(partition), {}});
    }
  }
  question.event.partitions = std::move(allowed);
  return question;
}

OffsetFetchResult refused_group() {
  OffsetFetchResult result;
  result.error = KafkaError::group_authorization_failed;
  return result;
}

// Of all offsets of a group: those of topics that the client may see.
void keep_visible(const Request& request, OffsetFetchResult& result) {
  std::erase_if(result.entries,
                [&](const auto& entry) { return !may_topic(request, AclOperation::describe, entry.partition.topic); });
}

void respond_one(Request& request, const OffsetFetchRequest& message, OffsetFetchResult result,
                 const OffsetFetchResult& denied = {}) {
  OffsetFetchResponse response;
  if (!message.topics) keep_visible(request, result);
  KafkaError partition_error = KafkaError::none;
  if (result.error != KafkaError::none) {
    // Version 1 has no place for an error but the partitions.
    response.error_code = code(result.error);
    result.entries.clear();
    if (request.version() < kFirstWithGroupError) {
      partition_error = result.error;
      for (GroupPartition& partition : partitions_of(message.topics).value_or(std::vector<GroupPartition>{})) {
        result.entries.push_back({std::move(partition), {}});
      }
    }
  }
  add_topics(result, partition_error, response.topics);
  if (result.error == KafkaError::none) add_topics(denied, KafkaError::topic_authorization_failed, response.topics);
  request.respond(response);
}

struct SeveralGroups {
  Request request;
  std::vector<std::string> groups;
  std::vector<OffsetFetchResult> results;
  std::vector<Question> questions;  // their events are gone
  std::size_t open = 0;
};

void respond_several(SeveralGroups& fetch) {
  OffsetFetchResponse response;
  for (std::size_t i = 0; i < fetch.groups.size(); ++i) {
    auto& out = response.groups.emplace_back();
    out.group_id = fetch.groups[i];
    OffsetFetchResult& result = fetch.results[i];
    out.error_code = code(result.error);
    if (fetch.questions[i].all) keep_visible(fetch.request, result);
    add_topics(result, KafkaError::none, out.topics);
    if (result.error != KafkaError::none) continue;
    add_topics(fetch.questions[i].denied, KafkaError::topic_authorization_failed, out.topics);
  }
  fetch.request.respond(response);
}

}  // namespace

void handle_offset_fetch(Endpoint& endpoint, Request request) {
  auto message = request.decode<OffsetFetchRequest>();
  if (!message) return request.malformed(message.error());
  if (request.version() < kFirstWithSeveral) {
    if (!may_group(request, AclOperation::describe, message->group_id)) {
      return respond_one(request, *message, refused_group());
    }
    Question question = question_of(request, message->group_id, message->topics);
    Reply<OffsetFetchResult> reply = [request = std::move(request), message = std::move(*message),
                                      denied = std::move(question.denied)](OffsetFetchResult result) mutable {
      respond_one(request, message, std::move(result), denied);
    };
    return endpoint.groups().ask(&GroupCoordinator::fetch, std::move(question.event), endpoint.executor(),
                                 std::move(reply));
  }
  auto fetch = std::make_shared<SeveralGroups>(std::move(request));
  fetch->results.resize(message->groups.size());
  fetch->open = message->groups.size() + 1;
  for (const auto& group : message->groups) {
    fetch->groups.emplace_back(group.group_id);
    fetch->questions.push_back(question_of(fetch->request, group.group_id, group.topics));
  }
  for (std::size_t i = 0; i < fetch->groups.size(); ++i) {
    if (!may_group(fetch->request, AclOperation::describe, fetch->groups[i])) {
      fetch->results[i] = refused_group();
      --fetch->open;
      continue;
    }
    Reply<OffsetFetchResult> reply = [fetch, i](OffsetFetchResult result) {
      fetch->results[i] = std::move(result);
      if (--fetch->open == 0) respond_several(*fetch);
    };
    endpoint.groups().ask(&GroupCoordinator::fetch, std::move(fetch->questions[i].event), endpoint.executor(),
                          std::move(reply));
  }
  if (--fetch->open == 0) respond_several(*fetch);
}

}  // namespace millrace::kafka

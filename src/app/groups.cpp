// millrace groups: what kafka-consumer-groups does, in its words and tables, without a JVM.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "app/group_offsets.h"
#include "app/kafka_verb.h"
#include "app/offset_target.h"
#include "kafka/protocol/messages/delete_groups.h"
#include "kafka/protocol/messages/list_groups.h"
#include "kafka/protocol/messages/offset_commit.h"
#include "kafka/protocol/messages/offset_delete.h"

namespace millrace::app {
namespace {

using namespace kafka;

constexpr OptionRow kOwnOptions[] = {
    kKafkaOption,
    kKafkaUserOption,
    kKafkaTlsOption,
    kKafkaAuthorityOption,
    {"--all-groups", "", "describe, reset, delete: every group"},
    {"--members", "", "describe: the members instead of the offsets"},
    {"--state", "", "list, describe: the state"},
    {"--topic", "TOPIC[:P,P]", "reset, delete-offsets: a topic, or some partitions of it; may be given several times"},
    {"--all-topics", "", "reset: every topic the group has committed"},
    {"--execute", "", "reset: do it; without, only show what would be done"},
};

std::vector<OptionRow> all_options() {
  std::vector<OptionRow> rows(std::begin(kOwnOptions), std::end(kOwnOptions));
  std::ranges::copy(offset_target_options(), std::back_inserter(rows));
  return rows;
}

constexpr std::string_view kUsage =
    "usage: millrace groups list|describe|reset|delete|delete-offsets [GROUP...] [options]\n\n{}\n"
    "  millrace groups describe readers\n"
    "  millrace groups reset readers --topic readings --to-earliest --execute\n";

struct Session {
  Client client;
  const Options& options;
  std::vector<std::string> groups;
};

Result<std::vector<std::pair<std::string, std::string>>> groups_and_states(Client& client) {
  MR_TRY_ASSIGN(const auto answer, client.ask<ListGroupsResponse>(ApiKey::list_groups, 4, ListGroupsRequest{}));
  if (answer.message.error_code != 0) return group_refused("list", answer.message.error_code);
  std::vector<std::pair<std::string, std::string>> groups;
  for (const auto& group : answer.message.groups) groups.emplace_back(group.group_id, group.group_state);
  std::ranges::sort(groups);
  return groups;
}

// Those named, or all; an error when there are none.
Result<std::vector<std::string>> wanted_groups(Session& session, std::string_view action) {
  std::vector<std::string> wanted = session.groups;
  if (session.options.has("--all-groups")) {
    MR_TRY_ASSIGN(const auto groups, groups_and_states(session.client));
    for (const auto& [group, state] : groups) wanted.push_back(group);
  }
  if (!wanted.empty()) return wanted;
  return fail(ErrorCode::invalid_argument, "", fmt::format("{} needs a group, or --all-groups", action));
}

Result<void> list(Session& session) {
  MR_TRY_ASSIGN(const auto groups, groups_and_states(session.client));
  const bool states = session.options.has("--state");
  if (states) fmt::print("{:<25} {}\n", "GROUP", "STATE");
  for (const auto& [group, state] : groups) {
    if (states) {
      fmt::print("{:<25} {}\n", group, state);
    } else {
      fmt::print("{}\n", group);
    }
  }
  return {};
}

void print_offsets(const GroupView& group) {
  fmt::print("\n{:<15} {:<15} {:<10} {:<15} {:<15} {:<15} {:<47} {:<15} {}\n", "GROUP", "TOPIC", "PARTITION",
             "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID");
  const auto text = [](std::int64_t value) { return value < 0 ? std::string("-") : std::to_string(value); };
  for (const auto& [partition, row] : group.partitions) {
    const bool known = row.committed >= 0 && row.end >= 0;
    fmt::print("{:<15} {:<15} {:<10} {:<15} {:<15} {:<15} {:<47} {:<15} {}\n", group.id, partition.topic,
               partition.partition.value(), text(row.committed), text(row.end),
               text(known ? std::max<std::int64_t>(row.end - row.committed, 0) : -1),
               row.owner.empty() ? "-" : row.owner, row.host.empty() ? "-" : row.host,
               row.client.empty() ? "-" : row.client);
  }
}

void print_members(const GroupView& group) {
  fmt::print("\n{:<15} {:<47} {:<15} {:<15} {:<15} {}\n", "GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS",
             "ASSIGNMENT");
  for (const GroupView::Member& member : group.members) {
    fmt::print("{:<15} {:<47} {:<15} {:<15} {:<15} {}\n", group.id, member.id, member.host, member.client,
               member.partitions.size(), describe_partitions(member.partitions));
  }
}

Result<void> describe(Session& session) {
  MR_TRY_ASSIGN(const auto wanted, wanted_groups(session, "describe"));
  for (const std::string& id : wanted) {
    MR_TRY_ASSIGN(const GroupView group, look_at_group(session.client, id));
    if (group.state == "Dead") {
      return fail(ErrorCode::not_found, "", fmt::format("Consumer group '{}' does not exist.", id));
    }
    if (group.members.empty()) fmt::print(stderr, "Consumer group '{}' has no active members.\n", id);
    if (session.options.has("--state")) {
      fmt::print("\n{:<25} {:<25} {:<20} {}\n{:<25} {:<25} {:<20} {}\n", "GROUP", "ASSIGNMENT-STRATEGY", "STATE",
                 "#MEMBERS", id, group.protocol, group.state, group.members.size());
    } else if (session.options.has("--members")) {
      print_members(group);
    } else {
      print_offsets(group);
    }
  }
  return {};
}

// The partitions that --topic and --all-topics name.
Result<std::vector<TopicPartition>> wanted_partitions(Session& session, const GroupView& group) {
  std::vector<TopicPartition> wanted;
  if (session.options.has("--all-topics")) {
    for (const auto& [partition, row] : group.partitions) wanted.push_back(partition);
  }
  for (const std::string& text : session.options.all("--topic")) {
    MR_TRY_ASSIGN(auto partitions, parse_topic_partitions(session.client, text));
    wanted.insert(wanted.end(), partitions.begin(), partitions.end());
  }
  if (wanted.empty()) return fail(ErrorCode::invalid_argument, "", "name partitions with --topic or --all-topics");
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

Result<void> commit(Session& session, const std::string& group, const std::map<TopicPartition, std::int64_t>& offsets) {
  OffsetCommitRequest request;
  request.group_id = group;
  for (const auto& [partition, offset] : offsets) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) {
      request.topics.emplace_back().name = partition.topic;
    }
    request.topics.back().partitions.push_back(
        {.partition_index = partition.partition.value(), .committed_offset = offset});
  }
  MR_TRY_ASSIGN(const auto answer, session.client.ask<OffsetCommitResponse>(ApiKey::offset_commit, 9, request));
  for (const auto& topic : answer.message.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0) return group_refused(group, partition.error_code);
    }
  }
  return {};
}

Result<void> reset(Session& session) {
  MR_TRY_ASSIGN(const auto wanted, wanted_groups(session, "reset"));
  fmt::print("\n{:<30} {:<30} {:<10} {:<15}\n", "GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
  for (const std::string& id : wanted) {
    MR_TRY_ASSIGN(const GroupView group, look_at_group(session.client, id));
    if (!group.members.empty()) {
      return fail(
          ErrorCode::busy, "",
          fmt::format("Assignments can only be reset if the group '{}' is inactive, but the current state is {}.", id,
                      group.state));
    }
    MR_TRY_ASSIGN(const auto partitions, wanted_partitions(session, group));
    MR_TRY_ASSIGN(const auto offsets, new_offsets(session.client, session.options, group, partitions));
    if (session.options.has("--execute")) MR_TRY(commit(session, id, offsets));
    for (const auto& [partition, offset] : offsets) {
      fmt::print("{:<30} {:<30} {:<10} {:<15}\n", id, partition.topic, partition.partition.value(), offset);
    }
  }
  if (!session.options.has("--execute")) fmt::print(stderr, "Nothing was changed: --execute does it.\n");
  return {};
}

Result<void> remove(Session& session) {
  MR_TRY_ASSIGN(const auto wanted, wanted_groups(session, "delete"));
  DeleteGroupsRequest request;
  for (const std::string& group : wanted) request.groups_names.emplace_back(group);
  MR_TRY_ASSIGN(const auto answer, session.client.ask<DeleteGroupsResponse>(ApiKey::delete_groups, 2, request));
  for (const auto& result : answer.message.results) {
    if (result.error_code != 0) return group_refused(std::string(result.group_id), result.error_code);
    fmt::print("Deletion of requested consumer groups ('{}') was successful.\n", result.group_id);
  }
  return {};
}

Result<void> delete_offsets(Session& session) {
  for (const std::string& id : session.groups) {
    MR_TRY_ASSIGN(const GroupView group, look_at_group(session.client, id));
    MR_TRY_ASSIGN(const auto partitions, wanted_partitions(session, group));
    OffsetDeleteRequest request;
    request.group_id = id;
    for (const TopicPartition& partition : partitions) {
      if (request.topics.empty() || request.topics.back().name != partition.topic) {
        request.topics.emplace_back().name = partition.topic;
      }
      request.topics.back().partitions.push_back({partition.partition.value()});
    }
    MR_TRY_ASSIGN(const auto answer, session.client.ask<OffsetDeleteResponse>(ApiKey::offset_delete, 0, request));
    if (answer.message.error_code != 0) return group_refused(id, answer.message.error_code);
    fmt::print("{:<30} {:<15} {:<15}\n", "TOPIC", "PARTITION", "STATUS");
    for (const auto& topic : answer.message.topics) {
      for (const auto& partition : topic.partitions) {
        const std::string status =
            partition.error_code == 0 ? "Successful" : group_refused("Error", partition.error_code).error().detail;
        fmt::print("{:<30} {:<15} {:<15}\n", topic.name, partition.partition_index, status);
      }
    }
  }
  return {};
}

constexpr KafkaAction<Session> kActions[] = {{"list", &list, false},
                                             {"describe", &describe, false},
                                             {"reset", &reset, false},
                                             {"delete", &remove, false},
                                             {"delete-offsets", &delete_offsets, true}};

}  // namespace

int groups_main(Arguments arguments) {
  const std::vector<OptionRow> options = all_options();
  return run_kafka_verb(KafkaVerb<Session>{.name = "groups",
                                           .named = "group",
                                           .usage = kUsage,
                                           .options = options,
                                           .actions = kActions,
                                           .error = "Error"},
                        arguments);
}

}  // namespace millrace::app

// What EmbeddedTopicLog does to topics: create, delete, settings, partitions, log starts. Each is one atomic commit
// and, when it changed what a topic is, a new table. Thread: the log thread. Every function answers false when the log
// died.
#include "base/log.h"
#include "topics/embedded/embedded_topic_log.h"
#include "topics/topic_config.h"
#include "topics/topic_table.h"

namespace millrace::topics {
namespace {

std::unexpected<Error> unknown(const std::string& name) {
  return fail(ErrorCode::not_found, "no such topic", name);
}

// The first refusal of a change, if there is one.
std::optional<Error> refusal(const std::vector<storage::PartitionChange>& changes) {
  std::optional<Error> error;
  for (const storage::PartitionChange& change : changes) {
    std::visit(
        [&](const auto& one) {
          if (!one.outcome && !error) error = one.outcome.error();
        },
        change);
  }
  return error;
}

std::vector<storage::PartitionChange> creations(const std::vector<storage::PartitionSpec>& specs) {
  std::vector<storage::PartitionChange> changes;
  changes.reserve(specs.size());
  for (const storage::PartitionSpec& spec : specs) changes.emplace_back(storage::CreatePartition{.spec = spec});
  return changes;
}

}  // namespace

bool EmbeddedTopicLog::create(Create& request) {
  const auto current = table();
  const auto planned = plan_topic(*current, request.topic, settings_.topic_defaults, settings_.default_partitions,
                                  Uuid::from_random(rng_(), rng_()));
  using Answer = Result<std::shared_ptr<const Topic>>;
  if (!planned) return answer(request, Answer(std::unexpected<Error>(planned.error())));
  if (request.topic.validate_only) return answer(request, Answer(std::make_shared<const Topic>(planned->preview)));

  std::vector<storage::PartitionChange> changes = creations(planned->partitions);
  if (!commit_until_room(changes, {})) return false;
  if (auto error = refusal(changes)) return answer(request, Answer(std::unexpected<Error>(std::move(*error))));
  publish_topic(request.topic.name);
  log::info("topic_created", {{"topic", request.topic.name}, {"partitions", planned->partitions.size()}});
  return answer(request, Answer(table()->topics.find(request.topic.name)->second));
}

bool EmbeddedTopicLog::remove(Delete& request) {
  const auto current = table();
  const Topic* topic = current->find(request.name);
  if (topic == nullptr) return answer(request, Result<void>(unknown(request.name)));
  std::vector<storage::PartitionChange> changes;
  for (const auto& partition : topic->partitions) {
    changes.emplace_back(storage::DeletePartition{.name = partition->name(), .outcome = {}});
  }
  if (!commit_until_room(changes, {})) return false;
  publish_topic(request.name);
  log::info("topic_deleted", {{"topic", request.name}});
  return answer(request, Result<void>());
}

bool EmbeddedTopicLog::edit(EditConfig& request) {
  using Answer = Result<std::shared_ptr<const Topic>>;
  const auto current = table();
  const Topic* topic = current->find(request.name);
  if (topic == nullptr) return answer(request, Answer(unknown(request.name)));
  const auto settings = request.edit(topic->config);
  if (!settings) return answer(request, Answer(std::unexpected<Error>(settings.error())));
  auto changes = plan_config(*topic, settings_.topic_defaults, *settings);
  if (!changes) return answer(request, Answer(std::unexpected<Error>(changes.error())));
  if (*settings != topic->config) {
    if (!commit_until_room(*changes, {})) return false;
    if (auto error = refusal(*changes)) return answer(request, Answer(std::unexpected<Error>(std::move(*error))));
    publish_topic(request.name);
    log::info("topic_configured", {{"topic", request.name}});
  }
  return answer(request, Answer(table()->topics.find(request.name)->second));
}

bool EmbeddedTopicLog::grow(Grow& request) {
  using Answer = Result<std::shared_ptr<const Topic>>;
  const auto current = table();
  const Topic* topic = current->find(request.name);
  if (topic == nullptr) return answer(request, Answer(unknown(request.name)));
  const auto specs = plan_partitions(*topic, request.total);
  if (!specs) return answer(request, Answer(std::unexpected<Error>(specs.error())));
  std::vector<storage::PartitionChange> changes = creations(*specs);
  if (!commit_until_room(changes, {})) return false;
  if (auto error = refusal(changes)) return answer(request, Answer(std::unexpected<Error>(std::move(*error))));
  publish_topic(request.name);
  log::info("partitions_created", {{"topic", request.name}, {"partitions", request.total}});
  return answer(request, Answer(table()->topics.find(request.name)->second));
}

bool EmbeddedTopicLog::delete_records(DeleteRecords& request) {
  const auto current = table();
  std::vector<storage::PartitionChange> changes;
  std::vector<std::pair<RecordDeletion*, std::shared_ptr<Partition>>> asked;  // one per change
  for (RecordDeletion& deletion : request.deletions) {
    const Topic* topic = current->find(deletion.partition.topic);
    const auto index = static_cast<std::size_t>(deletion.partition.partition.value());
    if (topic == nullptr || deletion.partition.partition.value() < 0 || index >= topic->partitions.size()) {
      deletion.log_start = fail(ErrorCode::not_found, "no such partition", deletion.partition.to_string());
      continue;
    }
    const auto& partition = topic->partitions[index];
    const Offset before = deletion.before == Offset(-1) ? partition->high_watermark() : deletion.before;
    changes.emplace_back(storage::TrimPartition{.name = deletion.partition, .offset = before, .outcome = {}});
    asked.emplace_back(&deletion, partition);
  }
  if (!changes.empty() && !commit_until_room(changes, {})) return false;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Result<void>& outcome = std::get<storage::TrimPartition>(changes[i]).outcome;
    auto& [deletion, partition] = asked[i];
    if (outcome) {
      deletion->log_start = partition->log_start();
    } else {
      deletion->log_start = std::unexpected<Error>(outcome.error());
    }
  }
  poke_writer();
  return answer(request, std::move(request.deletions));
}

}  // namespace millrace::topics

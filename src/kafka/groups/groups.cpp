#include "kafka/groups/groups.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"

namespace millrace::kafka {
namespace {

// Group ids travel and are stored with 16 bits of length.
constexpr std::size_t kMaxGroupId = 0x7FFF;

std::optional<Error> error_of(KafkaError error) {
  switch (error) {
    case KafkaError::none:
      return std::nullopt;
    case KafkaError::unknown_member_id:
      return Error{ErrorCode::busy, "the consumer group has members", {}};
    case KafkaError::offset_metadata_too_large:
    case KafkaError::invalid_commit_offset_size:
      return Error{ErrorCode::too_large, "committed offset", {}};
    case KafkaError::not_coordinator:
      return Error{ErrorCode::closed, "groups are stopping", {}};
    default:
      return Error{ErrorCode::unavailable, "groups cannot be asked now", {}};
  }
}

struct Listing {
  ListGroupsResult result;
  std::size_t open = 0;
  Reply<ListGroupsResult> done;
};

}  // namespace

Groups::Groups(std::vector<TimedExecutor*> loops, topics::TopicLog& log, const Clock& clock,
               metrics::Registry& registry, GroupSettings settings, std::uint64_t seed, Executor* loader)
    : metrics_(registry), partitions_(GroupLog::partition_count(log, settings)), loader_(loader) {
  MR_ASSERT(!loops.empty());
  Rng rng(seed);
  const auto count = static_cast<std::int32_t>(loops.size());
  for (std::int32_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<GroupShard>(*loops[static_cast<std::size_t>(i)], log, clock, settings, metrics_,
                                                   i, count, rng.fork()));
  }
  register_group_series(registry, log, [this] {
    std::vector<std::shared_ptr<const GroupSnapshot>> snapshots;
    for (const auto& shard : shards_) snapshots.push_back(shard->snapshot());
    return snapshots;
  });
}

std::size_t Groups::shard_of(std::string_view group) const {
  return static_cast<std::size_t>(offsets_partition(group, partitions_)) % shards_.size();
}

Groups::~Groups() {
  for (const auto& shard : shards_) shard->abandon_loading();
}

void Groups::start() {
  if (loader_ == nullptr) own_loader_ = std::make_unique<WorkerThread>("group-loader");
  Executor& loader = loader_ != nullptr ? *loader_ : *own_loader_;
  for (const auto& shard : shards_) shard->loop().post([&shard = *shard, &loader] { shard.start(loader); });
}

void Groups::stop() {
  for (const auto& shard : shards_) shard->abandon_loading();
  for (const auto& shard : shards_) shard->loop().post([&shard = *shard] { shard.stop(); });
}

void Groups::list(Executor& reply_to, Reply<ListGroupsResult> done) {
  auto listing = std::make_shared<Listing>();
  listing->open = shards_.size();
  listing->done = std::move(done);
  for (const auto& shard : shards_) {
    Reply<ListGroupsResult> part = [listing](ListGroupsResult result) {
      ListGroupsResult& whole = listing->result;
      if (whole.error == KafkaError::none) whole.error = result.error;
      std::ranges::move(result.groups, std::back_inserter(whole.groups));
      if (--listing->open == 0) listing->done(std::move(whole));
    };
    ask_shard(*shard, &GroupCoordinator::list, ListGroups{}, reply_to, std::move(part));
  }
}

void Groups::commit(std::string group, topics::CommittedOffsets offsets, Executor& reply_to, CommitDone done) {
  OffsetCommit request;
  request.group = std::move(group);
  bool valid = !request.group.empty() && request.group.size() <= kMaxGroupId;
  for (auto& [partition, committed] : offsets) {
    valid = valid && committed.offset >= Offset(0);
    request.entries.push_back({{partition.topic, partition.partition.value()},
                               {.offset = committed.offset.value(), .metadata = committed.metadata}});
  }
  if (!valid || request.entries.empty()) {
    return reply_to.post([valid, done = std::move(done)]() mutable {
      done(valid ? Result<void>{} : fail(ErrorCode::invalid_argument, "group name, or a negative offset"));
    });
  }
  Reply<OffsetCommitResult> reply = [done = std::move(done)](OffsetCommitResult results) mutable {
    for (const KafkaError result : results) {
      if (auto error = error_of(result)) return done(std::unexpected(std::move(*error)));
    }
    done({});
  };
  ask(&GroupCoordinator::commit, std::move(request), reply_to, std::move(reply));
}

void Groups::fetch(std::string group, Executor& reply_to, FetchDone done) {
  Reply<OffsetFetchResult> reply = [done = std::move(done)](OffsetFetchResult result) mutable {
    if (auto error = error_of(result.error)) return done(std::unexpected(std::move(*error)));
    topics::CommittedOffsets offsets;
    for (auto& [partition, committed] : result.entries) {
      offsets.emplace(TopicPartition{std::move(partition.topic), PartitionIndex(partition.partition)},
                      topics::CommittedOffset{Offset(committed.offset), std::move(committed.metadata)});
    }
    done(std::move(offsets));
  };
  ask(&GroupCoordinator::fetch, OffsetFetch{.group = std::move(group), .partitions = std::nullopt}, reply_to,
      std::move(reply));
}

}  // namespace millrace::kafka

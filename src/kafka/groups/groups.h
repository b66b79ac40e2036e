// Groups: all consumer groups of the process. Each group lives on one loop, the one that has its partition of
// __consumer_offsets; a request that comes in on another loop is posted there, and its answer posted back. Nothing is
// shared, so nothing is locked.
//
//   kafka::Groups groups(loops, log, clock, registry, settings, seed);
//   groups.start();                                    // loads; until then groups answer COORDINATOR_LOAD_IN_PROGRESS
//   groups.ask(&GroupCoordinator::heartbeat, request, endpoint.executor(), done);
//   groups.stop();
//
// It is the OffsetStore of the process as well. Thread: any. Destroyed after the loops' threads have ended and before
// the loops.
#pragma once

#include <memory>
#include <vector>

#include "base/worker_thread.h"
#include "kafka/groups/group_refusal.h"
#include "kafka/groups/group_shard.h"
#include "topics/offset_store.h"

namespace millrace::kafka {

class Groups final : public topics::OffsetStore {
 public:
  /// `loader` reads what the log holds at the start, and ends before this object does; null: a thread of its own.
  Groups(std::vector<TimedExecutor*> loops, topics::TopicLog& log, const Clock& clock, metrics::Registry& registry,
         GroupSettings settings, std::uint64_t seed, Executor* loader = nullptr);
  ~Groups();

  /// Of loop number `index`, in the order given.
  [[nodiscard]] TimedExecutor& executor(std::size_t index) { return shards_[index]->loop(); }

  void start();
  /// Answers everybody who waits, soon; asks nobody to wait any more.
  void stop();

  /// Hands `request` to the coordinator of request.group; `done` is called with its answer on `reply_to`, perhaps
  /// before this returns when that is the loop of the group.
  template <class Request, class Result>
  void ask(void (GroupCoordinator::*event)(Now, Request, Reply<Result>), Request request, Executor& reply_to,
           Reply<Result> done) {
    GroupShard& shard = *shards_[shard_of(request.group)];
    ask_shard(shard, event, std::move(request), reply_to, std::move(done));
  }
  /// The groups of all loops; the first error of any.
  void list(Executor& reply_to, Reply<ListGroupsResult> done);

  void commit(std::string group, topics::CommittedOffsets offsets, Executor& reply_to, CommitDone done) override;
  void fetch(std::string group, Executor& reply_to, FetchDone done) override;

 private:
  [[nodiscard]] std::size_t shard_of(std::string_view group) const;

  template <class Request, class Result>
  static void ask_shard(GroupShard& shard, void (GroupCoordinator::*event)(Now, Request, Reply<Result>),
                        Request request, Executor& reply_to, Reply<Result> done) {
    if (&reply_to == &shard.loop()) return enter(shard, event, std::move(request), std::move(done));
    Reply<Result> back = [&reply_to, done = std::move(done)](Result result) mutable {
      reply_to.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    };
    shard.loop().post([&shard, event, request = std::move(request), back = std::move(back)]() mutable {
      enter(shard, event, std::move(request), std::move(back));
    });
  }
  // On the loop of the group.
  template <class Request, class Result>
  static void enter(GroupShard& shard, void (GroupCoordinator::*event)(Now, Request, Reply<Result>), Request request,
                    Reply<Result> done) {
    if (shard.refusal() != KafkaError::none) return done(refused(request, shard.refusal()));
    shard.run([&](GroupCoordinator& coordinator, Now now) {
      (coordinator.*event)(now, std::move(request), std::move(done));
    });
  }

  GroupMetrics metrics_;
  std::vector<std::unique_ptr<GroupShard>> shards_;
  std::int32_t partitions_ = 1;
  Executor* const loader_;
  std::unique_ptr<WorkerThread> own_loader_;  // ends first
};

}  // namespace millrace::kafka

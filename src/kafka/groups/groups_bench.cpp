// What consumer groups cost without a socket and a disk: a commit from the request's values to the record batch and
// the answer, a heartbeat, and a whole rebalance of many members.
#include <benchmark/benchmark.h>

#include "base/log.h"
#include "kafka/groups/groups.h"
#include "kafka/testing/manual_executor.h"
#include "kafka/testing/memory_topic_log.h"

namespace millrace::kafka {
namespace {

struct Bench {
  Bench() {
    log::set_level(log::Level::off);
    (void)topic_log.create({.name = "events", .partitions = 1, .config = {}});
    groups.start();
    executor.run();
  }
  ManualClock clock;
  testing::ManualExecutor executor{clock};
  testing::MemoryTopicLog topic_log;
  metrics::Registry registry;
  Groups groups{{&executor}, topic_log, clock, registry, GroupSettings{}, 1, &executor};
};

void commits(benchmark::State& state) {
  Bench bench;
  const auto together = static_cast<int>(state.range(0));
  std::int64_t offset = 0;
  for (auto _ : state) {
    for (int i = 0; i < together; ++i) {
      OffsetCommit request{.group = "readers"};
      request.entries.push_back({{"events", 0}, {.offset = ++offset}});
      Reply<OffsetCommitResult> reply = [](const OffsetCommitResult& result) { benchmark::DoNotOptimize(result); };
      bench.groups.ask(&GroupCoordinator::commit, std::move(request), bench.executor, std::move(reply));
    }
    bench.executor.run();
  }
  state.SetItemsProcessed(offset);
}
BENCHMARK(commits)->Arg(1)->Arg(64)->Iterations(10'000);

// A store that keeps nothing and is always done.
class NoStore final : public GroupStore {
 public:
  void store(std::string_view /*group*/, std::vector<GroupRecord> records, Stored stored) override {
    benchmark::DoNotOptimize(records);
    waiting.push_back(std::move(stored));
  }
  std::vector<Stored> waiting;
};

struct Members {
  explicit Members(std::size_t count) : ids(count) {
    log::set_level(log::Level::off);
    coordinator.finish_loading(now);
  }
  void settle() {
    for (auto& stored : std::exchange(store.waiting, {})) stored(now, KafkaError::none);
    for (auto& answer : coordinator.take_answers()) answer();
  }
  // Everybody joins, the leader assigns, everybody has an assignment.
  void rebalance() {
    std::string leader;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      JoinGroup request{.group = "g",
                        .member_id = ids[i],
                        .instance_id = std::nullopt,
                        .client_id = "client",
                        .client_host = "/127.0.0.1",
                        .session_timeout = std::chrono::seconds(10),
                        .rebalance_timeout = std::chrono::seconds(60),
                        .protocol_type = "consumer",
                        .protocols = {{"range", std::string(30, '\0')}},
                        .needs_member_id = false,
                        .can_skip_assignment = false,
                        .reason = std::nullopt};
      coordinator.join(now, std::move(request), [&, i](JoinGroupResult result) {
        ids[i] = std::move(result.member_id);
        leader = result.leader;
        generation = result.generation;
      });
    }
    now.mono += std::chrono::minutes(1);
    coordinator.on_time(now);
    settle();
    for (const std::string& id : ids) {
      SyncGroup request{.group = "g",
                        .generation = generation,
                        .member_id = id,
                        .instance_id = std::nullopt,
                        .protocol_type = std::nullopt,
                        .protocol = std::nullopt,
                        .assignments = {}};
      if (id == leader) {
        for (const std::string& one : ids) request.assignments.push_back({one, std::string(30, 'a')});
      }
      coordinator.sync(now, std::move(request),
                       [](const SyncGroupResult& result) { benchmark::DoNotOptimize(result); });
    }
    settle();
  }

  NoStore store;
  GroupCoordinator coordinator{GroupSettings{}, store, Rng(1)};
  Now now{std::chrono::hours(1), WallTime(1'700'000'000'000)};
  std::vector<std::string> ids;
  std::int32_t generation = 0;
};

void rebalances(benchmark::State& state) {
  Members members(static_cast<std::size_t>(state.range(0)));
  members.rebalance();
  for (auto _ : state) members.rebalance();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(rebalances)->Arg(2)->Arg(100)->Arg(1000);

void heartbeats(benchmark::State& state) {
  Members members(100);
  members.rebalance();
  std::size_t next = 0;
  for (auto _ : state) {
    Heartbeat request{"g", members.generation, members.ids[next++ % members.ids.size()], std::nullopt};
    members.coordinator.heartbeat(members.now, std::move(request),
                                  [](KafkaError error) { benchmark::DoNotOptimize(error); });
    members.settle();
  }
}
BENCHMARK(heartbeats);

}  // namespace
}  // namespace millrace::kafka

// Several batches under way at once, through a whole worker: what the destination answers late, not at all or with a
// refusal ends in the right place, and bookmarks wait for the oldest.
#include <algorithm>
#include <set>
#include <sstream>

#include "base/guarded.h"
#include "connect/runtime/sink_task.h"
#include "connect/testing/connect_fixture.h"
#include "connect/testing/http_peer.h"

namespace millrace::connect {
namespace {

using testing::eventually;

class UnderWayTest : public testing::ConnectFixture {
 protected:
  struct Index {
    std::set<std::string> ids;
    std::map<std::string, int> refused_once;
    int bulks = 0;
  };

  UnderWayTest() : peer_([this](const net::http::Request& request) { return serve(request); }) {}

  net::http::Response serve(const net::http::Request& request) {
    if (request.method == "GET") return net::http::Response::json(200, R"({"version":{"number":"8.1.0"}})");
    return index_.with([&](Index& index) {
      // Every third request is refused as a whole, once in a while behind its effect.
      const int number = ++index.bulks;
      if (number % 3 == 0) return net::http::Response::json(503, "{}");
      std::string items;
      bool errors = false;
      std::istringstream lines(request.body);
      for (std::string action, source; std::getline(lines, action) && std::getline(lines, source);) {
        const auto from = action.find("_id\":\"") + 6;
        const std::string id = action.substr(from, action.find('"', from) - from);
        int status = 201;
        if (source.find("never") != std::string::npos) status = 400;
        if (source.find("later") != std::string::npos && index.refused_once[id]++ == 0) status = 429;
        if (status == 201) index.ids.insert(id);
        errors = errors || status != 201;
        items += (items.empty() ? "" : ",") + std::string(R"({"index":{"status":)") + std::to_string(status) +
                 (status == 201 ? "" : R"(,"error":{"type":"mapper_parsing_exception","reason":"r"})") + "}}";
      }
      if (number % 7 == 0) return net::http::Response::json(500, "{}");
      return net::http::Response::json(
          200, std::string(R"({"took":1,"errors":)") + (errors ? "true" : "false") + R"(,"items":[)" + items + "]}");
    });
  }

  Guarded<Index> index_;
  testing::HttpPeer peer_;
};

TEST_F(UnderWayTest, EveryRecordOnceWhateverIsAnswered) {
  make_topic("cars", 3);
  ASSERT_EQ(call("POST", "/connectors",
                 R"({"name":"es","config":{"connector.class":"ElasticsearchSink","topics":"cars","key.ignore":"true",)"
                 R"("batch.size":"20","max.in.flight.requests":"8","retry.backoff.ms":"1","max.retries":"50",)"
                 R"("errors.tolerance":"all","connection.url":")" +
                     peer_.url() + "\"}}")
                .status,
            201);
  std::size_t never = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<std::string> values;
    for (int i = 0; i < 300; ++i) {
      const int n = round * 300 + i;
      never += n % 97 == 5 ? 1 : 0;
      values.push_back(R"({"seq":)" + std::to_string(n) +
                       (n % 97 == 5   ? R"(,"x":"never"})"
                        : n % 31 == 3 ? R"(,"x":"later"})"
                                      : "}"));
    }
    produce("cars", values);
    if (round == 5) {  // as a process ends: what was under way comes again
      stop();
      start();
    }
  }
  const auto indexed = [&] { return index_.with([](const Index& index) { return index.ids.size(); }); };
  EXPECT_TRUE(eventually([&] { return indexed() == 3000 - never; })) << indexed() << " of " << 3000 - never;
  EXPECT_TRUE(eventually([&] {
    return call("GET", "/connectors/es/failures").body.find("\"count\":" + std::to_string(never) + ",") !=
           std::string::npos;
  })) << call("GET", "/connectors/es/failures").body.substr(0, 200);
  EXPECT_TRUE(eventually([&] {
    const std::string page = metrics_->prometheus_text();
    return page.find("millrace_connect_pending_records{connector=\"es\",task=\"0\"} 0\n") != std::string::npos &&
           page.find("millrace_connect_balance_records{connector=\"es\",task=\"0\"} 0\n") != std::string::npos;
  }));
}

// Whoever holds the memory of all sinks: one batch is always delivered.
TEST_F(UnderWayTest, AFullMemoryStopsNobody) {
  stop();
  memory_bytes_ = 1;
  start();
  make_topic("cars", 3);
  for (const std::string name : {"es", "es2"}) {
    ASSERT_EQ(call("POST", "/connectors",
                   R"({"name":")" + name +
                       R"(","config":{"connector.class":"ElasticsearchSink","topics":"cars","key.ignore":"true",)"
                       R"("batch.size":"20","max.in.flight.requests":"8","retry.backoff.ms":"1","max.retries":"50",)"
                       R"("connection.url":")" +
                       peer_.url() + "\"}}")
                  .status,
              201);
  }
  std::vector<std::string> values;
  for (int i = 0; i < 2000; ++i) values.push_back(R"({"seq":)" + std::to_string(i) + "}");
  produce("cars", values);
  EXPECT_TRUE(eventually([&] { return index_.with([](const Index& index) { return index.ids.size(); }) == 2000; }));
  EXPECT_TRUE(eventually([&] {
    const std::string page = metrics_->prometheus_text();
    return page.find("millrace_connect_pending_records{connector=\"es\",task=\"0\"} 0\n") != std::string::npos &&
           page.find("millrace_connect_pending_records{connector=\"es2\",task=\"0\"} 0\n") != std::string::npos &&
           page.find("millrace_connect_memory_bytes 0\n") != std::string::npos;
  })) << "and all of the memory is given back";
}

TEST_F(UnderWayTest, PauseWaitsForWhatIsUnderWay) {
  make_topic("cars", 1);
  ASSERT_EQ(call("POST", "/connectors",
                 R"({"name":"es","config":{"connector.class":"ElasticsearchSink","topics":"cars","key.ignore":"true",)"
                 R"("batch.size":"5","max.in.flight.requests":"4","retry.backoff.ms":"1","connection.url":")" +
                     peer_.url() + "\"}}")
                .status,
            201);
  std::vector<std::string> values;
  for (int i = 0; i < 500; ++i) values.push_back(R"({"seq":)" + std::to_string(i) + "}");
  produce("cars", values);
  ASSERT_TRUE(eventually([&] { return index_.with([](const Index& index) { return !index.ids.empty(); }); }));
  EXPECT_EQ(call("PUT", "/connectors/es/pause").status, 202);
  ASSERT_TRUE(status_is("es", R"({"id":0,"state":"PAUSED")"));
  const auto committed = [&] { return call("GET", "/connectors/es/offsets").body; };
  const std::string then = committed();
  const auto indexed = index_.with([](const Index& index) { return index.ids.size(); });
  EXPECT_NE(then.find("\"kafka_offset\":" + std::to_string(indexed)), std::string::npos) << then << " " << indexed;
  EXPECT_EQ(call("PUT", "/connectors/es/resume").status, 202);
  EXPECT_TRUE(eventually([&] { return index_.with([](const Index& index) { return index.ids.size(); }) == 500; }));
}

// What comes again after a kill -9 is what the destination has and no bookmark on disk is behind. However slow the log
// is with the bookmarks: no more than the sink may have under way.
class RepetitionTest : public testing::ConnectFixture {
 protected:
  struct Seen {
    std::int64_t records = 0;
    std::int64_t most_again = 0;
  };

  RepetitionTest()
      : peer_([this](const net::http::Request& request) {
          if (request.method == "GET") return net::http::Response::json(200, R"({"version":{"number":"8.1.0"}})");
          // A line each, and Elasticsearch's has one more in front of it.
          const bool bulk = request.path.find("_bulk") != std::string::npos;
          const auto lines = std::ranges::count(request.body, '\n');
          seen_.with([&](Seen& seen) {
            seen.records += bulk ? lines / 2 : 1;
            std::int64_t marked = 0;
            for (const auto& [partition, committed] : offsets_.of("connect-c")) marked += committed.offset.value();
            seen.most_again = std::max(seen.most_again, seen.records - marked);
          });
          return net::http::Response::json(200, R"({"took":1,"errors":false,"items":[]})");
        }) {}

  /// The most that would have come again, at any moment.
  std::int64_t most_again(const std::string& config, int records) {
    make_topic("cars", 3);
    offsets_.hold(true);
    EXPECT_EQ(call("POST", "/connectors", R"({"name":"c","config":{"topics":"cars",)" + config + "}}").status, 201);
    std::vector<std::string> values;
    for (int i = 0; i < records; ++i) values.push_back(R"({"seq":)" + std::to_string(i) + "}");
    produce("cars", values);
    EXPECT_TRUE(eventually([&] {
      offsets_.write_waiting();
      return seen_.with([&](const Seen& seen) { return seen.records == records; });
    }));
    offsets_.hold(false);
    return seen_.with([](const Seen& seen) { return seen.most_again; });
  }

  Guarded<Seen> seen_;
  testing::HttpPeer peer_;
};

TEST_F(RepetitionTest, IsBoundedByTheRequestsUnderWay) {
  const std::int64_t most = most_again(R"("connector.class":"ElasticsearchSink","key.ignore":"true","batch.size":"20",)"
                                       R"("max.in.flight.requests":"4","connection.url":")" +
                                           peer_.url() + '"',
                                       1000);
  EXPECT_LE(most, 4 * 20);
  EXPECT_GT(most, 20) << "several were under way";
}

TEST_F(RepetitionTest, IsTwoBatchesWhereOneIsUnderWay) {
  const std::int64_t most =
      most_again(R"("connector.class":"HttpSink","batch.max.size":"1","http.api.url":")" + peer_.url() + '"', 60);
  EXPECT_LE(most, 2);
}

/// Calls a function when it is asked for its clock: between the task's look at "paused" and its wait for records.
class LookedAtSink final : public Sink {
 public:
  explicit LookedAtSink(std::function<void()> looked_at) : looked_at_(std::move(looked_at)) {}
  Result<void> open(std::span<const LaneStart>) override { return {}; }
  Outcome put(std::span<const SinkRecord>) override { return Outcome::done(); }
  [[nodiscard]] std::optional<WallTime> next_flush() const override {
    looked_at_();
    return std::nullopt;
  }

 private:
  std::function<void()> looked_at_;
};

using PauseTest = testing::ConnectFixture;

TEST_F(PauseTest, IsNotSleptThroughWhenItComesJustBeforeTheWait) {
  make_topic("cars", 1);
  QueueExecutor executor;
  FailureLedger ledger(clock_, executor);
  MemoryBudget memory(1_MiB);
  TaskHost host{*log_, offsets_, ledger, memory, surroundings_};
  const ConnectorClass plugin = *find_connector_class("FileStreamSink");
  SinkTask* task = nullptr;
  SinkTask::Setup setup{{.connector = "p"}};
  setup.sink_class = plugin.sink();
  setup.settings = settings_of(plugin, {{"name", "p"}, {"topics", "cars"}, {"file", "/none"}}, {});
  setup.partitions = log_->table()->find("cars")->partitions;
  setup.make = [&task, asked = false](SinkContext) mutable {
    return std::make_unique<LookedAtSink>([&task, &asked] {
      if (!std::exchange(asked, true)) task->set_paused(true);
    });
  };
  std::promise<void> paused;
  SinkTask made(host, std::move(setup), [&paused, told = false](State state, const std::string&) mutable {
    if (state == State::paused && !std::exchange(told, true)) paused.set_value();
  });
  task = &made;
  made.start();
  EXPECT_EQ(paused.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

}  // namespace
}  // namespace millrace::connect

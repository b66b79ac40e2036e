// Failed records: kept although the log loses them, shown, and delivered again from the archive; secrets never shown.
#include <fstream>
#include <sstream>

#include "connect/testing/connect_fixture.h"
#include "connect/testing/http_peer.h"

namespace millrace::connect {
namespace {

using testing::eventually;

class FailedRecordsTest : public testing::ConnectFixture {
 protected:
  [[nodiscard]] std::string out() const { return directory_.path() + "/out"; }
  std::vector<std::string> lines() const {
    std::ifstream in(out());
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  void create(const std::string& more = "") {
    const Answer made =
        call("POST", "/connectors",
             R"({"name":"f","config":{"connector.class":"FileStreamSink","topics":"cars","file":")" + out() +
                 R"(","errors.tolerance":"all","value.converter":"org.apache.kafka.connect.json.JsonConverter",)"
                 R"("value.converter.schemas.enable":"false")" +
                 more + "}}");
    ASSERT_EQ(made.status, 201) << made.body;
  }
  void drop_records(const std::string& topic, std::int64_t before) {
    QueueExecutor executor;
    bool done = false;
    log_->delete_records({{{topic, PartitionIndex(0)}, Offset(before)}}, executor, [&](auto deleted) {
      EXPECT_TRUE(deleted.front().log_start);
      done = true;
    });
    ASSERT_TRUE(executor.run_until([&] { return done; }));
  }
};

TEST_F(FailedRecordsTest, TheArchiveOutlivesTheLog) {
  make_topic("cars", 1);
  produce("cars", {"1", "{poison", "2"});
  create();
  ASSERT_TRUE(eventually([&] { return lines() == std::vector<std::string>{"1", "2"}; }));
  const std::string where = "/connectors/f/failures/cars/0/1";
  EXPECT_NE(call("GET", where).body.find(R"("value":"{poison")"), std::string::npos) << call("GET", where).body;
  drop_records("cars", 3);
  const Answer shown = call("GET", where);
  EXPECT_NE(shown.body.find(R"("value":"{poison")"), std::string::npos) << "from the archive: " << shown.body;
  EXPECT_NE(shown.body.find(R"("timestamp_ms":1700000000000)"), std::string::npos) << shown.body;
  EXPECT_EQ(call("GET", "/connectors/f/failures/cars/0/2").status, 404);
  EXPECT_EQ(call("GET", "/connectors/f/failures/cars/x/2").status, 404);

  // The fix: the bytes are taken as they are.
  ASSERT_EQ(
      call("PATCH", "/connectors/f/config", R"({"value.converter":"org.apache.kafka.connect.storage.StringConverter"})")
          .status,
      200);
  EXPECT_EQ(call("POST", "/connectors/f/failures/replay?offset=7").body, R"({"replaying":0})");
  EXPECT_EQ(call("POST", "/connectors/f/failures/replay").body, R"({"replaying":1})");
  ASSERT_TRUE(eventually([&] { return lines() == std::vector<std::string>{"1", "2", "{poison"}; }));
  ASSERT_TRUE(
      eventually([&] { return call("GET", "/connectors/f/failures").body.find(R"("count":0)") != std::string::npos; }));
  ASSERT_TRUE(eventually([&] { return consume("connect-failed-records").back().first == "(null)"; }))
      << "the copy goes too";
}

TEST_F(FailedRecordsTest, WhatIsInNeitherStaysInTheLedger) {
  make_topic("cars", 1);
  produce("cars", {"1", "{poison"});
  create();
  ASSERT_TRUE(
      eventually([&] { return call("GET", "/connectors/f/failures").body.find(R"("count":1)") != std::string::npos; }));
  drop_records("cars", 2);
  drop_records("connect-failed-records", 1);
  EXPECT_NE(call("GET", "/connectors/f/failures/cars/0/1").body.find(R"("record":null)"), std::string::npos);
  EXPECT_EQ(call("POST", "/connectors/f/failures/replay").body, R"({"replaying":1})");
  ASSERT_TRUE(eventually([&] { return call("POST", "/connectors/f/failures/replay").status == 202; }))
      << "the first has ended";
  EXPECT_NE(call("GET", "/connectors/f/failures").body.find(R"("count":1)"), std::string::npos)
      << "nothing was delivered";
}

TEST_F(FailedRecordsTest, TheBalanceClosesAtEveryLook) {
  make_topic("cars", 4);
  create(R"(,"tasks.max":"2")");
  const auto balance = [&] {
    std::istringstream page(metrics_->prometheus_text());
    std::vector<std::string> open;
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with("millrace_connect_balance_records{") && !line.ends_with(" 0")) open.push_back(line);
    }
    return open;
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> values;
    for (int i = 0; i < 40; ++i) values.push_back(i % 7 == 3 ? "{poison" : std::to_string(round * 40 + i));
    produce("cars", values);
    EXPECT_EQ(balance(), std::vector<std::string>());
  }
  ASSERT_TRUE(eventually([&] { return lines().size() == 50 * 34; }));
  drop_records("cars", 3);
  EXPECT_EQ(balance(), std::vector<std::string>());
}

TEST_F(FailedRecordsTest, LostToRetentionIsSkipped) {
  make_topic("cars", 1);
  create();
  ASSERT_EQ(call("PUT", "/connectors/f/pause").status, 202);
  ASSERT_TRUE(status_is("f", R"({"id":0,"state":"PAUSED")"));
  produce("cars", {"1", "2", "3"});
  drop_records("cars", 2);
  ASSERT_EQ(call("PUT", "/connectors/f/resume").status, 202);
  ASSERT_TRUE(eventually([&] { return lines() == std::vector<std::string>{"3"}; }));
  ASSERT_TRUE(eventually([&] {
    return metrics_->prometheus_text().find("millrace_connect_skipped_records{connector=\"f\",task=\"0\"} 2") !=
           std::string::npos;
  })) << metrics_->prometheus_text();
}

TEST_F(FailedRecordsTest, SecretsAreShownByNoAnswer) {
  make_topic("cars", 1);
  const Answer answer =
      call("PUT", "/connector-plugins/HttpSink/config/validate",
           R"({"connector.class":"HttpSink","name":"h","topics":"cars","http.api.url":"gopher://${env:SECRET}/"})");
  EXPECT_EQ(answer.body.find("swordfish"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("${env:SECRET}"), std::string::npos) << answer.body;
  // A task that fails tells where: the reference, not what it stands for.
  ASSERT_EQ(call("POST", "/connectors",
                 R"({"name":"g","config":{"connector.class":"FileStreamSink","topics":"cars",)"
                 R"("file":"/nowhere/${env:SECRET}/out"}})")
                .status,
            201);
  ASSERT_TRUE(status_is("g", R"("trace":)"));
  const std::string status = call("GET", "/connectors/g/status").body;
  EXPECT_EQ(status.find("swordfish"), std::string::npos) << status;
  EXPECT_NE(status.find("${env:SECRET}"), std::string::npos) << status;
}

TEST_F(FailedRecordsTest, SecretsAreInNoTopic) {
  testing::HttpPeer peer([](const net::http::Request& request) {
    return net::http::Response::json(400, "\"no such token: " + request.body + "\"");
  });
  make_topic("cars", 1);
  produce("cars", {"\"swordfish\""});
  ASSERT_EQ(call("POST", "/connectors",
                 R"({"name":"h","config":{"connector.class":"HttpSink","topics":"cars","errors.tolerance":"all",)"
                 R"("errors.deadletterqueue.topic.name":"dead","headers":"Authorization:${env:SECRET}",)"
                 R"("errors.deadletterqueue.context.headers.enable":"true","http.api.url":")" +
                     peer.url() + R"(/"}})")
                .status,
            201);
  ASSERT_TRUE(eventually([&] { return !consume("dead").empty(); }));
  std::string message;
  const auto dead = consume("dead");
  for (const std::string& header : dead.front().second) {
    if (header.starts_with("__connect.errors.exception.message=")) message = header;
    EXPECT_EQ(header.find("swordfish"), std::string::npos) << header;
  }
  EXPECT_NE(message.find("${env:SECRET}"), std::string::npos) << message;
  EXPECT_EQ(consume("connect-failures").front().first.find("swordfish"), std::string::npos);
  EXPECT_EQ(consume("connect-failed-records").front().first.find("swordfish"), std::string::npos);
}

TEST_F(FailedRecordsTest, ALedgerThatIsFullStillWritesEveryEntry) {
  QueueExecutor loop;
  std::shared_ptr<topics::TableTopic> table;
  const auto open = [&](FailureLedger& ledger) {
    table.reset();
    topics::TableTopic::open(
        *log_, clock_, loop, {.name = "connect-failures", .internal = false},
        [&](ByteView key, std::optional<ByteView> value) { ledger.load(key, value); },
        [&](auto opened) { table = *opened; });
    ASSERT_TRUE(loop.run_until([&] { return table != nullptr; }));
    ledger.attach(table);
  };
  FailureLedger small(clock_, loop, 20'000);
  open(small);
  const auto reply_to = std::make_shared<QueueExecutor>();
  int written = 0;
  for (int i = 0; i < 200; ++i) {
    small.record({{{"f", {"cars", PartitionIndex(0)}, Offset(i)}, "TASK_PUT", "class", std::string(500, 'x')}},
                 reply_to, [&](Result<void> result) { written += result ? 1 : 0; });
  }
  ASSERT_TRUE(loop.run_until([&] {
    reply_to->run_ready();
    return written == 200;
  }));
  EXPECT_LT(small.count("f"), 60U);
  EXPECT_GT(small.count("f"), 10U);
  FailureLedger roomy(clock_, loop);
  open(roomy);
  EXPECT_EQ(roomy.count("f"), 200U) << "what was not kept in memory is on disk";
}

}  // namespace
}  // namespace millrace::connect

// The REST interface and the worker behind it, on a real log, with the file sink as destination.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>
#include <sstream>

#include "connect/testing/connect_fixture.h"
#include "connect/testing/http_peer.h"

namespace millrace::connect {
namespace {

using testing::eventually;

class RestTest : public testing::ConnectFixture {
 protected:
  [[nodiscard]] std::string out() const { return directory_.path() + "/out"; }
  [[nodiscard]] std::string config(const std::string& more = "") const {
    return R"({"connector.class":"FileStreamSinkConnector","topics":"cars","file":")" + out() + "\"" + more + "}";
  }
  Answer create(const std::string& name, const std::string& more = "") {
    return call("POST", "/connectors", R"({"name":")" + name + R"(","config":)" + config(more) + "}");
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::ifstream file(out());
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    std::ranges::sort(all);
    return all;
  }
};

TEST_F(RestTest, ShapesAndCodes) {
  make_topic("cars", 2);
  EXPECT_EQ(call("GET", "/").body, R"({"version":"3.9.1","commit":"c","kafka_cluster_id":"id"})");
  EXPECT_EQ(call("GET", "/connectors").body, "[]");
  EXPECT_EQ(call("GET", "/connectors/").body, "[]") << "kcctl asks like this";
  EXPECT_EQ(call("GET", "/connectors//").status, 404);
  const Answer created = create("f", R"(,"tasks.max":"2")");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.location, "/connectors/f");
  EXPECT_NE(created.body.find(R"("type":"sink")"), std::string::npos) << created.body;
  EXPECT_TRUE(status_is("f", R"("tasks":[{"id":0,"state":"RUNNING","worker_id":"127.0.0.1:8083"},)"
                             R"({"id":1,"state":"RUNNING","worker_id":"127.0.0.1:8083"}],"type":"sink")"));
  EXPECT_EQ(call("GET", "/connectors/f/status").body.substr(0, 72),
            R"({"name":"f","connector":{"state":"RUNNING","worker_id":"127.0.0.1:8083"})");
  EXPECT_EQ(call("GET", "/connectors/f/tasks/1/status").body,
            R"({"id":1,"state":"RUNNING","worker_id":"127.0.0.1:8083"})");
  EXPECT_EQ(call("GET", "/connectors/f/tasks/2/status").status, 404);
  EXPECT_EQ(call("GET", "/connectors/f/topics").body, R"({"f":{"topics":["cars"]}})");
  EXPECT_EQ(call("GET", "/connectors?expand=status").body.substr(0, 30), R"({"f":{"status":{"name":"f","co)");

  const Answer again = create("f");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.body, R"({"error_code":409,"message":"Connector f already exists"})");
  EXPECT_EQ(call("GET", "/connectors/g").body, R"({"error_code":404,"message":"Connector g not found"})");
  EXPECT_EQ(call("GET", "/connectors/g/status").body,
            R"({"error_code":404,"message":"No status found for connector g"})");
  EXPECT_EQ(call("PUT", "/connectors/f/config", config(R"(,"name":"x")")).status, 400);
  EXPECT_EQ(call("PUT", "/connectors/f/config", config(R"(,"tasks.max":1)")).status, 200) << "numbers become text";
  EXPECT_EQ(call("PUT", "/connectors/h/config", config()).status, 201);
  EXPECT_EQ(call("PATCH", "/connectors/f/config", R"({"tasks.max":null})").status, 200);
  EXPECT_EQ(call("GET", "/connectors/f/config").body.find("tasks.max"), std::string::npos);
  EXPECT_EQ(call("POST", "/connectors/f/restart").status, 204);
  EXPECT_EQ(call("POST", "/connectors/f/restart?includeTasks=true").status, 202);
  EXPECT_EQ(call("PUT", "/connectors/f/pause").status, 202);
  EXPECT_TRUE(status_is("f", R"("tasks":[{"id":0,"state":"PAUSED")"));
  EXPECT_EQ(call("PUT", "/connectors/f/resume").status, 202);
  EXPECT_TRUE(status_is("f", R"("tasks":[{"id":0,"state":"RUNNING")"));
  EXPECT_EQ(call("PUT", "/connectors/f/stop").status, 204);
  EXPECT_TRUE(status_is("f", R"("state":"STOPPED","worker_id":"127.0.0.1:8083"},"tasks":[])"));
  EXPECT_EQ(call("DELETE", "/connectors/f").status, 204);
  EXPECT_EQ(call("DELETE", "/connectors/f").status, 404);
}

TEST_F(RestTest, RefusesInKafkasWords) {
  const Answer wrong =
      call("POST", "/connectors", R"({"name":"w","config":{"connector.class":"S3SinkConnector","tasks.max":"x"}})");
  EXPECT_EQ(wrong.status, 400);
  for (const char* part :
       {"Connector configuration is invalid and contains the following ",
        "Invalid value x for configuration tasks.max: Not a number of type INT",
        "Missing required configuration \\\"flush.size\\\" which has no default value.",
        "Must configure one of topics or topics.regex", "`/connector-plugins/{connectorType}/config/validate`"}) {
    EXPECT_NE(wrong.body.find(part), std::string::npos) << part << " in " << wrong.body;
  }
  EXPECT_EQ(call("POST", "/connectors", "{").status, 400);
  EXPECT_EQ(call("POST", "/connectors", R"({"name":"w","config":{"connector.class":"Nothing"}})").status, 400);
  const Answer link = call("POST", "/connectors",
                           R"({"name":"w","config":{"connector.class":"ElasticsearchSinkConnector","topics":"cars",)"
                           R"("connection.url":"http://169.254.169.254/x"}})");
  EXPECT_EQ(link.status, 400);
  EXPECT_NE(link.body.find("link-local"), std::string::npos);
  const Answer valid = call("PUT", "/connector-plugins/FileStreamSink/config/validate",
                            R"({"name":"v","connector.class":"FileStreamSinkConnector","topics":"cars"})");
  EXPECT_EQ(valid.status, 200);
  EXPECT_NE(valid.body.find(R"("error_count":1)"), std::string::npos) << valid.body;
}

TEST_F(RestTest, DeliversAndGoesOnAfterARestart) {
  make_topic("cars", 3);
  ASSERT_EQ(create("f").status, 201);
  std::vector<std::string> values;
  for (int i = 0; i < 500; ++i) values.push_back(R"({"seq":)" + std::to_string(i) + "}");
  produce("cars", values);
  std::ranges::sort(values);
  EXPECT_TRUE(eventually([&] { return lines().size() >= 500; }));
  EXPECT_EQ(lines(), values);
  EXPECT_TRUE(eventually([&] {
    std::int64_t committed = 0;
    for (const auto& [partition, offset] : offsets_.of("connect-f")) committed += offset.offset.value();
    return committed == 500;
  }));
  stop();
  start();
  EXPECT_TRUE(status_is("f", R"("tasks":[{"id":0,"state":"RUNNING")"));
  produce("cars", {"501"});
  EXPECT_TRUE(eventually([&] { return lines().size() >= 501; }));
  EXPECT_EQ(lines().size(), 501U) << "nothing comes again";
}

TEST_F(RestTest, OffsetsOfAStoppedConnector) {
  make_topic("cars", 1);
  produce("cars", {"1", "2", "3"});
  ASSERT_EQ(create("f").status, 201);
  EXPECT_TRUE(eventually([&] {
    return call("GET", "/connectors/f/offsets").body ==
           R"({"offsets":[{"partition":{"kafka_topic":"cars","kafka_partition":0},"offset":{"kafka_offset":3}}]})";
  }));
  const Answer running = call("DELETE", "/connectors/f/offsets");
  EXPECT_EQ(running.status, 400);
  EXPECT_NE(running.body.find("Connectors must be in the STOPPED state before their offsets can be modified."),
            std::string::npos);
  call("PUT", "/connectors/f/stop");
  EXPECT_TRUE(eventually([&] {
    return call("PATCH", "/connectors/f/offsets",
                R"({"offsets":[{"partition":{"kafka_topic":"cars","kafka_partition":0},"offset":{"kafka_offset":1}}]})")
               .status == 200;
  }));
  call("PUT", "/connectors/f/resume");
  EXPECT_TRUE(eventually([&] { return lines().size() == 5; })) << "records 1 and 2 come again";
}

TEST_F(RestTest, PoisonGoesToLedgerAndDeadLetters) {
  make_topic("cars", 2);
  ASSERT_EQ(create("f", R"(,"errors.tolerance":"all","errors.deadletterqueue.topic.name":"dead",)"
                        R"("errors.deadletterqueue.context.headers.enable":"true",)"
                        R"("value.converter":"org.apache.kafka.connect.json.JsonConverter",)"
                        R"("value.converter.schemas.enable":"false")")
                .status,
            201);
  std::vector<std::string> values;
  for (int i = 0; i < 300; ++i) values.push_back(i % 3 == 0 ? "{poison " + std::to_string(i) : std::to_string(i));
  produce("cars", values);
  EXPECT_TRUE(eventually([&] { return lines().size() >= 200; }));
  EXPECT_EQ(lines().size(), 200U);
  EXPECT_TRUE(eventually([&] { return consume("dead").size() == 100; }));
  const auto dead = consume("dead");
  EXPECT_TRUE(dead.front().first.starts_with("{poison"));
  const auto& headers = dead.front().second;
  for (const char* header :
       {"__connect.errors.topic=cars", "__connect.errors.connector.name=f", "__connect.errors.stage=VALUE_CONVERTER",
        "__connect.errors.exception.class.name=org.apache.kafka.connect.errors.DataException",
        "__connect.errors.task.id=0"}) {
    EXPECT_EQ(std::ranges::count(headers, header), 1) << header;
  }
  EXPECT_EQ(loop_->run([this] { return worker_->failures().count("f"); }), 100U);
  // Told at the end of a turn of the task, all numbers together.
  EXPECT_TRUE(eventually([&] {
    return metrics_->prometheus_text().find(R"(millrace_connect_dead_records{connector="f",task="0"} 100)") !=
           std::string::npos;
  }));
  EXPECT_TRUE(eventually([&] {
    return metrics_->prometheus_text().find(R"(millrace_connect_balance_records{connector="f",task="0"} 0)") !=
           std::string::npos;
  }));
  // After the fix (here: values that need not be JSON) the ledger's records are driven again, and leave it.
  EXPECT_EQ(
      call("PATCH", "/connectors/f/config", R"({"value.converter":"org.apache.kafka.connect.storage.StringConverter"})")
          .status,
      200);
  EXPECT_EQ(call("POST", "/connectors/f/failures/replay").body, R"({"replaying":100})");
  EXPECT_TRUE(eventually([&] { return lines().size() == 300; }));
  EXPECT_TRUE(eventually([&] { return loop_->run([this] { return worker_->failures().count("f"); }) == 0; }));
  EXPECT_EQ(consume("dead").size(), 100U);
}

TEST_F(RestTest, PoisonEndsAnIntolerantTask) {
  make_topic("cars", 1);
  ASSERT_EQ(create("f", R"(,"value.converter":"org.apache.kafka.connect.json.JsonConverter",)"
                        R"("value.converter.schemas.enable":"false")")
                .status,
            201);
  produce("cars", {"1", "{poison", "2"});
  EXPECT_TRUE(status_is("f", R"("state":"RESTARTING")"));
  EXPECT_NE(call("GET", "/connectors/f/status").body.find("Tolerance exceeded in error handler"), std::string::npos);
  EXPECT_EQ(call("PATCH", "/connectors/f/config", R"({"errors.tolerance":"all"})").status, 200);
  EXPECT_TRUE(eventually([&] { return std::ranges::count(lines(), "2") >= 1; }));
}

TEST_F(RestTest, SecretsStayReferences) {
  make_topic("cars", 1);
  const Answer made = create("f", R"(,"connection.password":"${env:SECRET}","file":"${env:NOWHERE}")");
  EXPECT_EQ(made.status, 400) << "a reference that leads nowhere";
  EXPECT_EQ(create("f", R"(,"connection.password":"${env:SECRET}")").status, 201);
  EXPECT_EQ(call("GET", "/connectors/f").body.find("swordfish"), std::string::npos);
  EXPECT_NE(call("GET", "/connectors/f/config").body.find("${env:SECRET}"), std::string::npos);
}

TEST_F(RestTest, NewPartitionsAndTopicsAreFound) {
  ASSERT_EQ(call("POST", "/connectors",
                 R"({"name":"f","config":{"connector.class":"FileStreamSink",)"
                 R"("topics.regex":"car.*","file":")" +
                     out() + "\"}}")
                .status,
            201);
  make_topic("cars", 1);
  produce("cars", {"1"});
  make_topic("caravans", 1);
  produce("caravans", {"2"});
  EXPECT_TRUE(eventually([&] { return lines() == std::vector<std::string>{"1", "2"}; }));
}

TEST_F(RestTest, ResumedBeforeTheStoppedTasksHaveEnded) {
  std::atomic<bool> hangs{true};
  std::atomic<int> asked{0};
  testing::HttpPeer peer([&](const net::http::Request&) {
    ++asked;
    QueueExecutor idle;
    while (hangs) idle.run_until([] { return false; }, std::chrono::milliseconds(5));
    return net::http::Response::json(200, "{}");
  });
  make_topic("cars", 1);
  produce("cars", {"1"});
  ASSERT_EQ(call("POST", "/connectors",
                 R"({"name":"h","config":{"connector.class":"HttpSink","topics.regex":"cars.*","http.api.url":")" +
                     peer.url() + R"(/"}})")
                .status,
            201);
  ASSERT_TRUE(eventually([&] { return asked == 1; }));
  EXPECT_EQ(call("PUT", "/connectors/h/stop").status, 204);
  EXPECT_EQ(call("PUT", "/connectors/h/resume").status, 202);
  hangs = false;
  ASSERT_TRUE(eventually([&] { return asked == 2; })) << "the record was not delivered before";
  // Whoever believes that tasks are still ending looks at no new topic.
  make_topic("cars2", 1);
  produce("cars2", {"2"});
  EXPECT_TRUE(eventually([&] { return asked == 3; })) << asked;
}

TEST_F(RestTest, ATopicThatIsMadeAnewIsReadFromItsStart) {
  make_topic("cars", 1);
  ASSERT_EQ(create("f").status, 201);
  produce("cars", {"\"a\"", "\"b\"", "\"c\""});
  ASSERT_TRUE(eventually([&] { return lines().size() == 3; }));
  // Between two looks of the worker.
  loop_->run([&] {
    delete_topic("cars");
    make_topic("cars", 1);
  });
  produce("cars", {"\"d\"", "\"e\""});
  EXPECT_TRUE(eventually([&] { return lines().size() == 5; })) << lines().size();
}

TEST_F(RestTest, OneOfTwoCreatesAtOnceWins) {
  make_topic("cars", 1);
  for (int round = 0; round < 10; ++round) {
    const std::string name = "f" + std::to_string(round);
    auto one = std::async(std::launch::async, [&] { return create(name).status; });
    auto two = std::async(std::launch::async, [&] { return create(name).status; });
    EXPECT_EQ(one.get() + two.get(), 201 + 409) << round;
  }
}

TEST_F(RestTest, ADeadLetterThatDoesNotFitStopsNobody) {
  make_topic("cars", 1);
  QueueExecutor executor;
  bool done = false;
  log_->create_topic({.name = "dead", .partitions = 1, .config = {{"max.message.bytes", "300"}}}, executor,
                     [&](auto result) { done = result.has_value(); });
  ASSERT_TRUE(executor.run_until([&] { return done; }));
  ASSERT_EQ(create("f", R"(,"errors.tolerance":"all","errors.deadletterqueue.topic.name":"dead",)"
                        R"("value.converter":"org.apache.kafka.connect.json.JsonConverter",)"
                        R"("value.converter.schemas.enable":"false")")
                .status,
            201);
  produce("cars", {"1", "{" + std::string(500, 'x'), "2", "{poison", "3"});
  EXPECT_TRUE(eventually([&] { return lines() == std::vector<std::string>{"1", "2", "3"}; }));
  EXPECT_NE(call("GET", "/connectors/f/failures").body.find(R"("count":2)"), std::string::npos);
  EXPECT_EQ(consume("dead").size(), 1U);
}

TEST_F(RestTest, Loggers) {
  EXPECT_EQ(call("GET", "/admin/loggers").body, R"({"root":{"level":"INFO","last_modified":null}})");
  EXPECT_EQ(call("PUT", "/admin/loggers/root", R"({"level":"warn"})").body, R"(["root"])");
  EXPECT_EQ(call("GET", "/admin/loggers/root").body.substr(0, 16), R"({"level":"WARN",)");
  EXPECT_EQ(call("PUT", "/admin/loggers/root?scope=cluster", R"({"level":"INFO"})").status, 204);
  EXPECT_EQ(call("PUT", "/admin/loggers/root", "{}").body,
            R"({"error_code":400,"message":"Desired 'level' parameter was not specified in request."})");
  EXPECT_EQ(call("PUT", "/admin/loggers/root", R"({"level":"LOUD"})").body,
            R"({"error_code":404,"message":"invalid log level 'LOUD'."})");
  EXPECT_EQ(call("GET", "/admin/loggers/x.y").body, R"({"error_code":404,"message":"Logger x.y not found."})");
}

TEST_F(RestTest, WhatIsNotWrittenYetIsRefusedByName) {
  const std::string s3 = R"("name":"s","connector.class":"S3SinkConnector","topics":"cars","s3.bucket.name":"b",)"
                         R"("flush.size":"1","format.class":"io.confluent.connect.s3.format.)";
  const struct {
    std::string plugin;
    std::string config;
    std::string why;
  } kCases[] = {
      {"S3SinkConnector", s3 + R"(parquet.ParquetFormat")", "Parquet is not written yet: take io.confluent.connect.s3"},
      {"S3SinkConnector", s3 + R"(avro.AvroFormat")", "Avro is not written yet"},
      {"S3SinkConnector",
       s3 + R"(json.JsonFormat","store.kafka.keys":"true","keys.format.class":)"
            R"("io.confluent.connect.s3.format.avro.AvroFormat")",
       "Avro is not written yet"},
      {"S3SinkConnector", s3 + R"(json.JsonFormat","behavior.on.null.values":"write")", "needs 'store.kafka.keys'"},
      {"S3SinkConnector", s3 + R"(json.JsonFormat","store.url":"http://169.254.169.254/")",
       "link-local addresses are not allowed"},
      {"S3SinkConnector", s3 + R"(json.JsonFormat","store.url":"file:///etc")", "only http and https are allowed"},
      {"S3SinkConnector", s3 + R"(json.JsonFormat","value.converter":"io.confluent.connect.avro.AvroConverter")",
       "Avro needs a schema registry, which is not here yet"},
      {"JdbcSinkConnector",
       R"("name":"j","connector.class":"JdbcSinkConnector","topics":"cars",)"
       R"("connection.url":"jdbc:postgresql://169.254.1.1:5432/x")",
       "link-local addresses are not allowed"},
  };
  for (const auto& [plugin, config, why] : kCases) {
    const Answer answer = call("PUT", "/connector-plugins/" + plugin + "/config/validate", "{" + config + "}");
    EXPECT_EQ(answer.status, 200) << config;
    EXPECT_NE(answer.body.find(why), std::string::npos) << config << "\n" << answer.body.substr(0, 300);
    EXPECT_NE(answer.body.find("\"error_count\":1"), std::string::npos) << config;
  }
}

}  // namespace
}  // namespace millrace::connect

// The file source through a whole worker: lines become records once, whatever happens in between; positions over REST.
#include <fstream>

#include "connect/testing/connect_fixture.h"

namespace millrace::connect {
namespace {

using testing::eventually;

class FileSourceTest : public testing::ConnectFixture {
 protected:
  [[nodiscard]] std::string path() const { return directory_.path() + "/lines.txt"; }
  void append(const std::string& text) const { std::ofstream(path(), std::ios::app | std::ios::binary) << text; }
  std::vector<std::string> values(const std::string& topic = "lines") {
    std::vector<std::string> all;
    for (const auto& [value, headers] : consume(topic)) all.push_back(value);
    return all;
  }
  bool become(const std::vector<std::string>& expected) {
    const bool same = eventually([&] { return values() == expected; });
    EXPECT_EQ(values(), expected);
    return same;
  }
  Answer create(const std::string& more = "", const std::string& name = "src") {
    return call("POST", "/connectors",
                R"({"name":")" + name + R"(","config":{"connector.class":)" +
                    R"("org.apache.kafka.connect.file.FileStreamSourceConnector","topic":"lines","file":")" + path() +
                    "\"" + more + "}}");
  }
  std::string position(const std::string& name = "src") { return call("GET", "/connectors/" + name + "/offsets").body; }
  [[nodiscard]] std::string at(int bytes) const {
    return R"({"offsets":[{"partition":{"filename":")" + path() + R"("},"offset":{"position":)" +
           std::to_string(bytes) + "}}]}";
  }
};

TEST_F(FileSourceTest, LinesBecomeRecordsAsTheyAreAppended) {
  make_topic("lines", 1);
  const Answer made = create();
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_NE(made.body.find(R"("type":"source")"), std::string::npos) << made.body;
  append("one\ntwo\r\n{\"three\":3}\n\nunfinish");
  ASSERT_TRUE(become({"one", "two", "{\"three\":3}", ""}));
  append("ed\n");
  ASSERT_TRUE(become({"one", "two", "{\"three\":3}", "", "unfinished"}));
  EXPECT_EQ(position(), at(33));
  EXPECT_NE(call("GET", "/connectors/src/topics").body.find("lines"), std::string::npos);
  EXPECT_NE(call("GET", "/connectors/src/tasks").body.find(R"("task":0)"), std::string::npos);
}

TEST_F(FileSourceTest, ARestartGoesOnBehindTheLastLine) {
  make_topic("lines", 1);
  append("one\n");
  ASSERT_EQ(create().status, 201);
  ASSERT_TRUE(become({"one"}));
  stop();
  append("two\n");
  start();
  ASSERT_TRUE(become({"one", "two"}));
  const auto kept = consume("connect-offsets");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept.back().first, R"({"position":8})");
}

TEST_F(FileSourceTest, PositionsAreAlteredAndResetOfAStoppedConnectorOnly) {
  make_topic("lines", 1);
  append("one\ntwo\n");
  ASSERT_EQ(create().status, 201);
  ASSERT_TRUE(become({"one", "two"}));
  EXPECT_EQ(call("PATCH", "/connectors/src/offsets", at(4)).status, 400) << "it runs";
  EXPECT_EQ(call("PUT", "/connectors/src/stop").status, 204);
  ASSERT_TRUE(status_is("src", R"("state":"STOPPED")"));
  const struct {
    std::string body;
    std::string why;
  } kRefused[] = {
      {R"({"offsets":[]})", "Partitions / offsets need to be provided"},
      {R"({"offsets":[{"partition":null,"offset":{"position":1}}]})", "Partition objects cannot be null"},
      {R"({"offsets":[{"partition":{"file":"x"},"offset":{"position":1}}]})", "should contain the key 'filename'"},
      {R"({"offsets":[{"partition":{"filename":"x"},"offset":{"at":1}}]})", "contain the key 'position'"},
      {R"({"offsets":[{"partition":{"filename":"x"},"offset":{"position":"1"}}]})", "expected to be a Long value"},
      {R"({"offsets":[{"partition":{"filename":"x"},"offset":{"position":-1}}]})", "non-negative"},
  };
  for (const auto& [body, why] : kRefused) {
    const Answer answer = call("PATCH", "/connectors/src/offsets", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(answer.body.find(why), std::string::npos) << answer.body;
  }
  const Answer altered = call("PATCH", "/connectors/src/offsets", at(4));
  EXPECT_EQ(altered.body, R"({"message":"The offsets for this connector have been altered successfully"})");
  EXPECT_EQ(position(), at(4));
  EXPECT_EQ(call("PUT", "/connectors/src/resume").status, 202);
  ASSERT_TRUE(become({"one", "two", "two"}));
  EXPECT_EQ(call("PUT", "/connectors/src/stop").status, 204);
  ASSERT_TRUE(status_is("src", R"("state":"STOPPED")"));
  EXPECT_EQ(call("DELETE", "/connectors/src/offsets").body,
            R"({"message":"The offsets for this connector have been reset successfully"})");
  EXPECT_EQ(position(), R"({"offsets":[]})");
}

TEST_F(FileSourceTest, ConvertersAndTransformationsWorkTheOtherWayRound) {
  make_topic("lines", 1);
  append("one\n");
  ASSERT_EQ(create(R"(,"value.converter":"org.apache.kafka.connect.json.JsonConverter","transforms":"wrap,add",)"
                   R"("transforms.wrap.type":"org.apache.kafka.connect.transforms.HoistField$Value",)"
                   R"("transforms.wrap.field":"line",)"
                   R"("transforms.add.type":"org.apache.kafka.connect.transforms.InsertField$Value",)"
                   R"("transforms.add.static.field":"from","transforms.add.static.value":"file",)"
                   R"("value.converter.schemas.enable":"false")")
                .status,
            201);
  ASSERT_TRUE(become({R"({"line":"one","from":"file"})"}));
}

TEST_F(FileSourceTest, TheEnvelopeOfALineIsKafkas) {
  make_topic("lines", 1);
  append("one\n");
  ASSERT_EQ(create(R"(,"value.converter":"org.apache.kafka.connect.json.JsonConverter")").status, 201);
  ASSERT_TRUE(become({R"({"schema":{"type":"string","optional":false},"payload":"one"})"}));
}

TEST_F(FileSourceTest, AMissingTopicIsMadeAndPausedMeansPaused) {
  append("one\n");
  ASSERT_EQ(create().status, 201);
  ASSERT_TRUE(become({"one"}));
  EXPECT_EQ(call("PUT", "/connectors/src/pause").status, 202);
  ASSERT_TRUE(status_is("src", R"({"id":0,"state":"PAUSED")"));
  append("two\n");
  EXPECT_EQ(call("PUT", "/connectors/src/resume").status, 202);
  ASSERT_TRUE(become({"one", "two"}));
}

TEST_F(FileSourceTest, WhatCannotBeStartedIsRefused) {
  const Answer answer = call("PUT", "/connector-plugins/FileStreamSource/config/validate",
                             R"({"connector.class":"FileStreamSource","name":"s","file":"relative","topic":"a b"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("must be an absolute path"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find(R"("error_count":2)"), std::string::npos) << answer.body;
}

// A disk that stands still, and an operator who restarts what seems to hang.
TEST_F(FileSourceTest, WhatIsWrittenLateIsNotReadAgain) {
  make_topic("lines", 1);
  ASSERT_EQ(create().status, 201);
  append("one\n");
  ASSERT_TRUE(become({"one"}));
  slow_log_->hold("lines");
  append("two\n");
  ASSERT_TRUE(eventually([&] { return slow_log_->held() == 1; }));
  EXPECT_EQ(call("POST", "/connectors/src/tasks/0/restart").status, 204);
  append("three\n");
  slow_log_->hold("");
  ASSERT_TRUE(become({"one", "two", "three"}));
}

TEST_F(FileSourceTest, LinesThatFailAreInTheLedgerWithTheirPlace) {
  QueueExecutor executor;
  bool done = false;
  log_->create_topic({.name = "lines", .partitions = 1, .config = {{"max.message.bytes", "300"}}}, executor,
                     [&](auto result) { done = result.has_value(); });
  ASSERT_TRUE(executor.run_until([&] { return done; }));
  append("one\n" + std::string(500, 'x') + "\nthree\n");
  ASSERT_EQ(create(R"(,"errors.tolerance":"all")").status, 201);
  ASSERT_TRUE(become({"one", "three"}));
  const std::string all = call("GET", "/connectors/src/failures").body;
  EXPECT_NE(all.find(R"("count":1,"failures":[{"topic":"lines","partition":-1,"offset":4,"stage":"TASK_PUT")"),
            std::string::npos)
      << all;
  const std::string shown = call("GET", "/connectors/src/failures/lines/-1/4").body;
  EXPECT_NE(shown.find(std::string(500, 'x')), std::string::npos) << shown;
}

}  // namespace
}  // namespace millrace::connect

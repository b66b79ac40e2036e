// DeliveryService on a real log with a real HTTP peer: what is delivered, in which order, what failure becomes.
#include "actions/delivery_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connect/runtime/lane.h"
#include "connect/testing/eventually.h"
#include "connect/testing/http_peer.h"
#include "connect/testing/memory_offset_store.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
#include "rules/delivery.h"
#include "topics/append_and_wait.h"
#include "topics/embedded/embedded_topic_log.h"

namespace millrace::actions {
namespace {

using connect::testing::eventually;
using connect::testing::HttpPeer;
using net::http::Request;
using net::http::Response;
using rules::ActionDefinition;
using rules::Delivery;
using rules::DeliveryRequest;
using testing::ElementsAre;
using testing::HasSubstr;

class DeliveryServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    data_ = io::PosixFileSystem::open(directory_.path() + "/data").value();
    folder_ = io::PosixFileSystem::open(directory_.path() + "/lines").value();
    storage::RecoveryReport report;
    topics::EmbeddedSettings settings;
    settings.log.journal_file_bytes = 2_MiB;
    settings.log.journal_max_bytes = 8_MiB;
    log_ = topics::EmbeddedTopicLog::open(*data_, clock_, registry_, settings, [](const Error&) {}, &report).value();
    make_topic(rules::kRuleDeliveryTopic, rules::kRuleDeliveryPartitions);
    make_topic(kMarkTopic, 1);
    make_topic(kFallbackErrorTopic, 1);
    make_topic("errors", 1);
    make_topic("answers", 1);
    surroundings_.clock = &clock_;
  }
  void TearDown() override {
    service_.reset();
    ASSERT_TRUE(log_->stop());
  }
  void start() {
    DeliveryHost host{.log = *log_,
                      .clock = clock_,
                      .files = folder_.get(),
                      .connections = 3,
                      .publish = [this](const DeliveryHost::Publication& one) -> Result<void> {
                        if (refusals_ > 0 && refusals_-- > 0) return fail(ErrorCode::unavailable, "not now");
                        published_.with([&](auto& all) { all.push_back(one.topic + one.payload + " " + one.mark); });
                        return {};
                      },
                      .counters = [this](std::string_view) { return counters_; }};
    service_ = std::make_unique<DeliveryService>(
        std::move(host), offsets_, surroundings_, registry_,
        DeliveryService::Options{
            .bookmark_interval = std::chrono::milliseconds(10), .trim_interval = trim_interval_, .seed = 1});
    service_->start();
  }
  void make_topic(std::string_view name, std::int32_t partitions) {
    QueueExecutor executor;
    bool done = false;
    log_->create_topic({.name = std::string(name), .partitions = partitions}, executor, [&](auto) { done = true; });
    ASSERT_TRUE(executor.run_until([&] { return done; }));
  }
  void put(const std::vector<std::pair<std::string, Delivery>>& deliveries, std::int32_t partition = 0) {
    topics::BatchAccumulator batches(*log_, 1);
    for (const auto& [key, delivery] : deliveries) {
      Buffer bytes;
      rules::encode(delivery, bytes);
      ASSERT_EQ(batches.add(rules::kRuleDeliveryTopic, partition,
                            {.key = as_bytes(key), .value = bytes.view(), .headers = {}, .timestamp_ms = 1}),
                topics::Placement::added);
    }
    ASSERT_TRUE(topics::append_and_wait(*log_, batches, std::chrono::seconds(10)));
  }
  std::vector<std::string> records(const std::string& topic) {
    std::vector<std::string> all;
    const auto table = log_->table();
    connect::Lane lane(0, table->find(topic)->partitions.front(), Offset(0), "");
    while (lane.fetch(1_MiB).value()) {
      while (const auto read = lane.next().value()) {
        all.emplace_back(read->record.value ? as_text(*read->record.value) : "(null)");
      }
    }
    return all;
  }

  std::chrono::milliseconds trim_interval_{20};
  io::TemporaryDirectory directory_;
  SystemClock clock_;
  metrics::Registry registry_;
  std::unique_ptr<io::FileSystem> data_;
  std::unique_ptr<io::FileSystem> folder_;
  std::unique_ptr<topics::EmbeddedTopicLog> log_;
  connect::testing::MemoryOffsetStore offsets_;
  connect::Surroundings surroundings_;
  std::shared_ptr<rules::RuleCounters> counters_ = std::make_shared<rules::RuleCounters>();
  Guarded<std::vector<std::string>> published_;
  std::atomic<int> refusals_{0};
  std::unique_ptr<DeliveryService> service_;
};

DeliveryRequest request_to(std::string_view url, std::string_view body) {
  DeliveryRequest request;
  request.method = "POST";
  request.target = url;
  request.body = as_bytes(body);
  request.timeout_ms = 5000;
  return request;
}

Delivery delivery_of(std::vector<DeliveryRequest> requests) {
  Delivery delivery;
  delivery.rule = "r";
  delivery.topic = "report";
  delivery.client_id = "T-1";
  delivery.received_at_ms = 1;
  delivery.payload = as_bytes(std::string_view("{}"));
  delivery.error.kind = rules::DeliveryError::Kind::record;
  delivery.error.topic = "errors";
  delivery.requests = std::move(requests);
  return delivery;
}

TEST_F(DeliveryServiceTest, RequestsOfAKeyArriveInOrderThroughFailuresAndEachIsNamedTheSameEveryTime) {
  Guarded<std::vector<std::pair<std::string, std::string>>> heard;  // body, Idempotency-Key
  std::atomic<int> asked{0};
  HttpPeer peer([&](const Request& request) {
    const int number = ++asked;
    if (number % 3 == 0) return Response{503, "text/plain", {{"Retry-After", "0"}}, ""};
    heard.with([&](auto& all) { all.emplace_back(request.body, request.header("idempotency-key")); });
    return Response{200, "text/plain", {}, ""};
  });
  const std::string url = peer.url() + "/old";
  std::vector<std::string> bodies;
  for (int i = 0; i < 40; ++i) bodies.push_back(std::to_string(i));
  std::vector<std::pair<std::string, Delivery>> all;
  for (int i = 0; i < 40; ++i)
    all.emplace_back("key" + std::to_string(i % 4),
                     delivery_of({request_to(url, bodies[static_cast<std::size_t>(i)])}));
  put(all);
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_ok == 40; }));
  const auto taken = heard.with([](const auto& all_heard) { return all_heard; });
  ASSERT_EQ(taken.size(), 40U);
  std::map<int, int> last;
  std::set<std::string> names;
  for (const auto& [body, name] : taken) {
    const int number = std::stoi(body);
    EXPECT_GE(number, last[number % 4]) << "out of order";
    last[number % 4] = number;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  // What is delivered leaves the log.
  const auto partition = log_->table()->find(rules::kRuleDeliveryTopic)->partitions[0];
  EXPECT_TRUE(eventually([&] { return partition->log_start() == partition->high_watermark(); }));
}

TEST_F(DeliveryServiceTest, WhatFailsForGoodIsOneErrorMessage) {
  HttpPeer peer([](const Request& request) {
    return request.path == "/bad" ? Response{400, "text/plain", {}, "no such device"} : Response{204, "", {}, ""};
  });
  const std::string bad = peer.url() + "/bad";
  const std::string good = peer.url() + "/good";
  Delivery told = delivery_of({request_to(bad, "x")});
  told.reported = true;
  put({{"a", delivery_of({request_to(bad, "x"), request_to(good, "x"), request_to(bad, "y")})}, {"b", told}});
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_failed == 3; }));
  EXPECT_EQ(counters_->actions_ok, 1U);
  const auto errors = records("errors");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0], HasSubstr(R"("ruleName":"r","topic":"report")"));
  EXPECT_THAT(errors[0], HasSubstr(R"("failedAction":"HttpAction","failedResource":")" + bad));
  EXPECT_THAT(errors[0], HasSubstr("400 no such device"));
  EXPECT_EQ(counters_->error_actions, 1U);
}

TEST_F(DeliveryServiceTest, AnErrorMessageThatIsWrittenIsNotWrittenAgain) {
  HttpPeer peer([](const Request&) { return Response{400, "text/plain", {}, ""}; });
  const std::string url = peer.url() + "/";
  trim_interval_ = std::chrono::hours(1);
  put({{"a", delivery_of({request_to(url, "x")})}});
  start();
  ASSERT_TRUE(eventually([&] { return records("errors").size() == 1; }));
  // A crash before the bookmark: it is where it was, the mark is there.
  service_.reset();
  offsets_.commit("connect-__rule_deliveries",
                  {{{std::string(rules::kRuleDeliveryTopic), PartitionIndex(0)}, {Offset(0)}}},
                  *std::make_shared<QueueExecutor>(), [](auto) {});
  put({{"a", delivery_of({request_to(url, "y")})}});
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_failed == 2; }));
  EXPECT_EQ(records("errors").size(), 2U);
}

TEST_F(DeliveryServiceTest, TimeIsUpForWhatNobodyTakes) {
  DeliveryRequest late = request_to("http://127.0.0.1:1/", "x");
  late.give_up_after_ms = 1;
  Delivery delivery = delivery_of({late});
  delivery.error.kind = rules::DeliveryError::Kind::publish;
  delivery.error.topic = "alarms";
  put({{"a", delivery}});
  refusals_ = 2;  // it is published until that is durable, and then no more
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_failed == 1; }));
  const auto heard = published_.with([](const auto& all) { return all; });
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_THAT(heard[0], HasSubstr("given up after 1 ms"));
  EXPECT_TRUE(heard[0].ends_with(" 0/0")) << heard[0];
}

TEST_F(DeliveryServiceTest, AnErrorThatIsARequestFallsBackWhenItFailsToo) {
  HttpPeer peer([](const Request&) { return Response{400, "text/plain", {}, ""}; });
  const std::string url = peer.url() + "/";
  Delivery delivery = delivery_of({request_to(url, "x")});
  delivery.error = {};
  delivery.error.kind = rules::DeliveryError::Kind::request;
  delivery.error.request = request_to(url, "");
  delivery.error.request_destination = 5;
  put({{"a", delivery}});
  start();
  ASSERT_TRUE(eventually([&] { return !records(std::string(kFallbackErrorTopic)).empty(); }));
  EXPECT_THAT(records(std::string(kFallbackErrorTopic)), ElementsAre(HasSubstr("\"ruleName\":\"r\"")));
}

TEST_F(DeliveryServiceTest, BatchesAreArraysAndAreTakenApartWhenRefused) {
  Guarded<std::vector<std::string>> heard;
  HttpPeer peer([&](const Request& request) {
    if (request.body.find('3') != std::string::npos) return Response{422, "text/plain", {}, "three"};
    heard.with([&](auto& all) { all.push_back(request.body); });
    return Response{200, "text/plain", {}, ""};
  });
  const std::string url = peer.url() + "/";
  std::vector<std::pair<std::string, Delivery>> all;
  static constexpr std::string_view kBodies[] = {"0", "1", "2", "3", "4", "5"};
  for (const std::string_view body : kBodies) {
    DeliveryRequest request = request_to(url, body);
    request.max_batch_size = 3;
    request.max_batch_bytes = 1000;
    all.emplace_back("k", delivery_of({request}));
  }
  put(all);
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_ok == 5 && counters_->actions_failed == 1; }));
  EXPECT_THAT(heard.with([](const auto& bodies) { return bodies; }), ElementsAre("[0,1,2]", "[4]", "[5]"));
  EXPECT_EQ(records("errors").size(), 1U);
}

TEST_F(DeliveryServiceTest, ABatchWaitsForCompanyAsLongAsItIsTold) {
  Guarded<std::vector<std::string>> heard;
  HttpPeer peer([&](const Request& request) {
    heard.with([&](auto& all) { all.push_back(request.body); });
    return Response{200, "text/plain", {}, ""};
  });
  const std::string url = peer.url() + "/";
  const auto one = [&](std::string_view body, std::uint32_t open_ms) {
    DeliveryRequest request = request_to(url, body);
    request.max_batch_size = 2;
    request.max_batch_bytes = 1000;
    request.max_batch_open_ms = open_ms;
    Delivery delivery = delivery_of({request});
    delivery.received_at_ms = clock_.wall().count();
    return std::vector<std::pair<std::string, Delivery>>{{"k", delivery}};
  };
  constexpr std::uint32_t kLong = 60'000;
  constexpr std::uint32_t kShort = 50;
  start();
  put(one("0", kLong));
  put(one("1", kLong));
  // Two are full: the minute is not waited for. Had the first not waited, it would have gone alone.
  ASSERT_TRUE(eventually([&] { return counters_->actions_ok == 2; }));
  put(one("2", kShort));
  ASSERT_TRUE(eventually([&] { return counters_->actions_ok == 3; }));
  EXPECT_THAT(heard.with([](const auto& bodies) { return bodies; }), ElementsAre("[0,1]", "[2]"));
}

TEST_F(DeliveryServiceTest, AnswersGoIntoTheirTopic) {
  HttpPeer peer([](const Request&) { return Response{200, "application/json", {}, R"({"vehicle":7})"}; });
  const std::string url = peer.url() + "/";
  DeliveryRequest request = request_to(url, "x");
  request.answer_topic = "answers";
  request.answer_key = as_bytes(std::string_view("T-1"));
  DeliveryRequest nowhere = request;
  nowhere.answer_topic = "no-such-topic";
  put({{"a", delivery_of({request})}, {"a", delivery_of({nowhere})}});
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_ok == 1 && counters_->actions_failed == 1; }));
  EXPECT_THAT(records("answers"), ElementsAre(R"({"vehicle":7})"));
  EXPECT_THAT(records("errors"), ElementsAre(HasSubstr("topic no-such-topic does not exist")));
}

TEST_F(DeliveryServiceTest, LinesAreAppendedToFiles) {
  DeliveryRequest line;
  line.kind = ActionDefinition::Kind::file;
  line.target = "debug.jsonl";
  line.body = as_bytes(std::string_view("{\"a\":1}"));
  put({{"a", delivery_of({line})}, {"a", delivery_of({line})}});
  start();
  ASSERT_TRUE(eventually([&] { return counters_->actions_ok == 2; }));
  EXPECT_EQ(io::read_file(*folder_, "debug.jsonl", 1000).value(), "{\"a\":1}\n{\"a\":1}\n");
}

TEST_F(DeliveryServiceTest, WhatIsNoDeliveryIsKeptAside) {
  topics::BatchAccumulator batches(*log_, 1);
  batches.add(rules::kRuleDeliveryTopic, 3,
              {.key = std::nullopt, .value = as_bytes(std::string_view("junk")), .headers = {}, .timestamp_ms = 1});
  ASSERT_TRUE(topics::append_and_wait(*log_, batches, std::chrono::seconds(10)));
  start();
  ASSERT_TRUE(eventually([&] { return records(std::string(kFallbackErrorTopic)).size() == 1; }));
  EXPECT_THAT(records(std::string(kFallbackErrorTopic)), ElementsAre("junk"));
}

}  // namespace
}  // namespace millrace::actions

#include "pipeline/message_pipeline.h"

#include <gtest/gtest.h>

#include "base/queue_executor.h"
#include "pipeline/testing/recording_topic_log.h"
#include "rules/delivery.h"

namespace millrace::pipeline {
namespace {

class Sink final : public ReceiptSink {
 public:
  void settle(std::span<const Receipt> receipts, ReceiptStatus status) override {
    ++calls;
    for (const Receipt& receipt : receipts) settled.emplace_back(receipt.token, status);
  }
  void relieved() override { ++relieves; }
  std::vector<std::pair<std::uint64_t, ReceiptStatus>> settled;
  int calls = 0;
  int relieves = 0;
};

using Settled = std::vector<std::pair<std::uint64_t, ReceiptStatus>>;

rules::ActionDefinition kafka_action(std::string topic, std::string key) {
  rules::ActionDefinition action;
  action.kafka.topic = std::move(topic);
  action.kafka.key = std::move(key);
  return action;
}

rules::RuleDefinition rule(std::string name, std::string sql, rules::ActionDefinition action, bool with_error = true) {
  rules::RuleDefinition definition;
  definition.name = std::move(name);
  definition.sql = std::move(sql);
  definition.actions.push_back(std::move(action));
  if (with_error) definition.error_action = kafka_action("rule-errors", "");
  return definition;
}

class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log_.add_topic("message-log", 6);
    log_.add_topic("message-boot", 6);
    log_.add_topic("rule-errors", 1);
    log_.add_topic(std::string(kDeliveryTopic), 1);
    log_.add_topic(std::string(kFallbackErrorTopic), 1);
    use({rule("report_to_kafka", "SELECT * FROM 'report'", kafka_action("message-${type}", "${device_no}"))});
  }
  void use(std::vector<rules::RuleDefinition> definitions) {
    auto compiled = rules::RuleSet::compile(std::move(definitions));
    ASSERT_TRUE(compiled) << compiled.error().message();
    slot_ = std::make_unique<RuleSetSlot>(*compiled);
    pipeline_ = std::make_unique<MessagePipeline>(log_, loop_, *slot_, clock_, metrics_, settings_, 1);
  }
  Pressure send(std::string_view topic, std::string_view payload, std::uint64_t token, std::string_view delivery = {}) {
    DeviceMessage message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.client_id = "c1";
    message.received_at = clock_.wall();
    message.delivery_id = delivery;
    message.receipt = {.connection = token == 0 ? 0U : 1U, .token = token};
    return pipeline_->receive(std::span(&message, 1), sink_);
  }

  QueueExecutor loop_;
  ManualClock clock_;
  metrics::Registry metrics_;
  RecordingTopicLog log_;
  PipelineSettings settings_;
  std::unique_ptr<RuleSetSlot> slot_;
  std::unique_ptr<MessagePipeline> pipeline_;
  Sink sink_;
};

constexpr auto kDurable = ReceiptStatus::durable;

TEST_F(PipelineTest, AMessageIsAcknowledgedOnlyWhenItsRecordIsDurable) {
  send("report", R"({"device_no":"A1","type":"log","speed":3})", 7);
  EXPECT_TRUE(log_.pending.empty());
  pipeline_->turn_end();
  ASSERT_EQ(log_.pending.size(), 1U);
  EXPECT_TRUE(sink_.settled.empty());
  log_.complete_one();
  EXPECT_EQ(sink_.settled, (Settled{{7, kDurable}}));
  const auto records = log_.records("message-log");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key, "A1");
  EXPECT_EQ(records[0].value, R"({"device_no":"A1","type":"log","speed":3})");
}

TEST_F(PipelineTest, WhileOneAppendIsInFlightTheNextGathers) {
  send("report", R"({"device_no":"A1","type":"log","n":0})", 1);
  pipeline_->turn_end();
  for (std::uint64_t i = 2; i <= 50; ++i) {
    send("report", R"({"device_no":"A1","type":"log","n":)" + std::to_string(i) + "}", i);
    pipeline_->turn_end();
  }
  EXPECT_EQ(log_.pending.size(), 1U);
  log_.complete_one();
  pipeline_->turn_end();
  ASSERT_EQ(log_.pending.size(), 1U);
  EXPECT_EQ(sink_.settled.size(), 1U);
  log_.complete_one();
  ASSERT_EQ(sink_.settled.size(), 50U);
  EXPECT_EQ(sink_.calls, 2);
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_EQ(sink_.settled[i].first, i + 1);
  EXPECT_TRUE(pipeline_->idle());
}

TEST_F(PipelineTest, NoMatchIsSettledInOrderBehindWhatIsInFlight) {
  send("other", "{}", 1);
  pipeline_->turn_end();
  EXPECT_EQ(sink_.settled, (Settled{{1, ReceiptStatus::no_match}}));
  send("report", R"({"device_no":"A","type":"log"})", 2);
  pipeline_->turn_end();
  send("other", "{}", 3);
  pipeline_->turn_end();
  EXPECT_EQ(sink_.settled.size(), 1U);
  log_.complete_one();
  pipeline_->turn_end();
  EXPECT_EQ(sink_.settled.back(), (std::pair<std::uint64_t, ReceiptStatus>{3, ReceiptStatus::no_match}));
}

TEST_F(PipelineTest, AMissingTopicBecomesTheRulesErrorRecord) {
  send("report", R"({"device_no":"A1","type":"unknown"})", 5);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(sink_.settled, (Settled{{5, kDurable}}));
  const auto errors = log_.records("rule-errors");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors[0].value.find("report_to_kafka"), std::string::npos);
  EXPECT_NE(errors[0].value.find("message-unknown"), std::string::npos) << errors[0].value;
  EXPECT_NE(errors[0].value.find("the topic does not exist"), std::string::npos);
}

TEST_F(PipelineTest, AnUnresolvedTemplateBecomesTheRulesErrorRecord) {
  send("report", R"({"device_no":"A1"})", 5);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(log_.records("rule-errors").size(), 1U);
  EXPECT_EQ(sink_.settled, (Settled{{5, kDurable}}));
}

TEST_F(PipelineTest, WithoutAPlaceForTheErrorNothingIsAcknowledged) {
  use({rule("r", "SELECT * FROM 'report'", kafka_action("missing", "k"), false)});
  send("report", "{}", 5);
  pipeline_->turn_end();
  EXPECT_EQ(sink_.settled, (Settled{{5, ReceiptStatus::quota}}));
}

TEST_F(PipelineTest, AMissingErrorTopicFallsBack) {
  auto definition = rule("r", "SELECT * FROM 'report'", kafka_action("missing", "k"));
  definition.error_action = kafka_action("missing-too", "");
  use({definition});
  send("report", "{}", 5);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(sink_.settled, (Settled{{5, kDurable}}));
  EXPECT_EQ(log_.records(std::string(kFallbackErrorTopic)).size(), 1U);
}

TEST_F(PipelineTest, AutoCreatedTopicsHoldTheMessageUntilTheyExist) {
  log_.creates = true;
  send("report", R"({"device_no":"A1","type":"new","n":1})", 1);
  send("report", R"({"device_no":"A1","type":"new","n":2})", 2);
  pipeline_->turn_end();
  EXPECT_TRUE(log_.pending.empty());
  ASSERT_EQ(log_.creations.size(), 1U);
  log_.complete_creation(true);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(sink_.settled.size(), 2U);
  const auto records = log_.records("message-new");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_NE(records[0].value.find("\"n\":1"), std::string::npos);
}

TEST_F(PipelineTest, ACreationThatFailsBecomesTheErrorRecord) {
  log_.creates = true;
  send("report", R"({"device_no":"A1","type":"new"})", 1);
  pipeline_->turn_end();
  log_.complete_creation(false);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(sink_.settled, (Settled{{1, kDurable}}));
  EXPECT_EQ(log_.records("rule-errors").size(), 1U);
}

TEST_F(PipelineTest, ExactlyOnceStateTravelsWithTheAppend) {
  send("report", R"({"device_no":"A","type":"log"})", 1,
       std::string_view("c1\0"
                        "9",
                        4));
  pipeline_->turn_end();
  EXPECT_EQ(log_.pending.front()->items.size(), 2U);
  log_.complete_one();
  ASSERT_EQ(log_.records(std::string(kDeliveryTopic)).size(), 1U);
  EXPECT_FALSE(log_.records(std::string(kDeliveryTopic))[0].tombstone);
  pipeline_->release(std::string_view("c1\0"
                                      "9",
                                      4),
                     {.connection = 1, .token = 2}, sink_);
  pipeline_->turn_end();
  EXPECT_EQ(sink_.settled.size(), 1U);
  log_.complete_one();
  EXPECT_EQ(sink_.settled.size(), 2U);
  EXPECT_TRUE(log_.records(std::string(kDeliveryTopic))[1].tombstone);
}

TEST_F(PipelineTest, ARefusedAppendIsNotAcknowledged) {
  send("report", R"({"device_no":"A","type":"log"})", 1);
  pipeline_->turn_end();
  const Error gone{ErrorCode::not_found, "deleted", ""};
  log_.complete_one(&gone);
  EXPECT_EQ(sink_.settled, (Settled{{1, ReceiptStatus::quota}}));
}

TEST_F(PipelineTest, PressurePausesAndCompletionRelieves) {
  settings_.max_gathered_bytes = 1000;
  use({rule("r", "SELECT * FROM 'report'", kafka_action("message-log", "k"))});
  const std::string payload = "{\"x\":\"" + std::string(600, 'x') + "\"}";
  EXPECT_EQ(send("report", payload, 1), Pressure::none);
  EXPECT_EQ(send("report", payload, 2), Pressure::pause);
  pipeline_->turn_end();
  EXPECT_EQ(sink_.relieves, 0);
  log_.complete_one();
  EXPECT_EQ(sink_.relieves, 1);
}

rules::ActionDefinition republish_action(std::string topic) {
  rules::ActionDefinition action;
  action.kind = rules::ActionDefinition::Kind::republish;
  action.republish.topic = std::move(topic);
  return action;
}

rules::ActionDefinition http_action() {
  rules::ActionDefinition action;
  action.kind = rules::ActionDefinition::Kind::http;
  rules::HttpAction http;
  http.url = "http://old/";
  action.http = http;
  return action;
}

TEST_F(PipelineTest, RepublishingInACircleEndsWithOneErrorMessage) {
  use({rule("circle", "SELECT * FROM 'report'", republish_action("report"))});
  send("report", "{}", 1);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(sink_.settled, (Settled{{1, kDurable}}));
  const auto errors = log_.records("rule-errors");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors[0].value.find("republished too often in a row"), std::string::npos) << errors[0].value;
}

TEST_F(PipelineTest, RepublishingThatBranchesEndsToo) {
  auto definition = rule("circle", "SELECT * FROM 'report'", republish_action("report"));
  for (int i = 0; i < 9; ++i) definition.actions.push_back(republish_action("report"));
  definition.error_action = republish_action("report");
  use({definition});
  send("report", "{}", 1);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(sink_.settled, (Settled{{1, kDurable}}));
  EXPECT_LE(log_.records(std::string(kFallbackErrorTopic)).size(), 64U);
}

TEST_F(PipelineTest, RepublishedRowsAsLongAsTheLimitAreNoCircle) {
  settings_.max_republish_depth = 2;
  use({rule("one", "SELECT * FROM 'a'", republish_action("b")), rule("two", "SELECT * FROM 'b'", republish_action("c")),
       rule("three", "SELECT * FROM 'c'", kafka_action("message-log", "k"))});
  send("a", "{}", 1);
  pipeline_->turn_end();
  log_.complete_one();
  EXPECT_EQ(log_.records("message-log").size(), 1U);
  EXPECT_TRUE(log_.records("rule-errors").empty());
}

TEST_F(PipelineTest, ADeliveryKnowsThatItsRuleHasSpoken) {
  log_.add_topic(std::string(rules::kRuleDeliveryTopic), rules::kRuleDeliveryPartitions);
  auto definition = rule("dual", "SELECT * FROM 'report'", http_action());
  definition.actions.push_back(kafka_action("message-${type}", ""));
  use({definition});
  send("report", R"({"type":"log"})", 1);
  send("report", R"({"type":"nowhere"})", 2);
  pipeline_->turn_end();
  log_.complete_one();
  const auto deliveries = log_.records(std::string(rules::kRuleDeliveryTopic));
  ASSERT_EQ(deliveries.size(), 2U);
  EXPECT_FALSE(rules::decode_delivery(as_bytes(deliveries[0].value))->reported);
  EXPECT_TRUE(rules::decode_delivery(as_bytes(deliveries[1].value))->reported);
  EXPECT_EQ(log_.records("rule-errors").size(), 1U);
}

TEST_F(PipelineTest, ADeliveryWaitsForTheTopicOfAnotherAction) {
  log_.add_topic(std::string(rules::kRuleDeliveryTopic), rules::kRuleDeliveryPartitions);
  for (const bool fine : {true, false}) {
    log_.creates = true;
    auto definition = rule("dual", "SELECT * FROM 'report'", http_action());
    definition.actions.push_back(kafka_action("new-${n}", ""));
    use({definition});
    send("report", fine ? R"({"n":1})" : R"({"n":2})", 1);
    log_.complete_creation(fine);
    pipeline_->turn_end();
    log_.complete_one();
    const auto deliveries = log_.records(std::string(rules::kRuleDeliveryTopic));
    ASSERT_EQ(deliveries.size(), fine ? 1U : 2U);
    EXPECT_EQ(rules::decode_delivery(as_bytes(deliveries.back().value))->reported, !fine);
  }
  EXPECT_EQ(log_.records("rule-errors").size(), 1U);
}

TEST_F(PipelineTest, DetachedSinksHearNothing) {
  send("report", R"({"device_no":"A","type":"log"})", 1);
  pipeline_->turn_end();
  pipeline_->detach(sink_);
  log_.complete_one();
  EXPECT_TRUE(sink_.settled.empty());
}

TEST_F(PipelineTest, WhatIsPublishedIsDurableTogetherWithItsOwnRecords) {
  log_.add_topic("__marks", 1);
  std::vector<bool> settled;
  const OwnRecord mark{"__marks", as_bytes(std::string_view("0/7")), ByteView{}};
  pipeline_->publish("report", as_bytes(std::string_view(R"({"device_no":"A","type":"log"})")), 1, false, {&mark, 1},
                     [&](bool durable) { settled.push_back(durable); });
  pipeline_->turn_end();
  ASSERT_EQ(log_.pending.size(), 1U);
  EXPECT_EQ(log_.pending.front()->items.size(), 2U);
  EXPECT_TRUE(settled.empty());
  log_.complete_one();
  EXPECT_EQ(settled, std::vector<bool>{true});
  EXPECT_EQ(log_.records("__marks").front().key, "0/7");
  EXPECT_EQ(log_.records("message-log").size(), 1U);

  pipeline_->publish("report", as_bytes(std::string_view("{}")), 1, false, {},
                     [&](bool durable) { settled.push_back(durable); });
  pipeline_->turn_end();
  const Error refused{ErrorCode::closed, "stopping", ""};
  log_.complete_one(&refused);
  EXPECT_EQ(settled, (std::vector<bool>{true, false}));
}

}  // namespace
}  // namespace millrace::pipeline

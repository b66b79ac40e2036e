// The actions that are carried out later: read, written, refused, and what they make of a message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "rules/delivery.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"

namespace millrace::rules {
namespace {

using testing::HasSubstr;

Result<RuleDefinition> read(std::string_view actions, std::string_view error_action = "") {
  std::string text = "sql: SELECT * FROM 'a/#'\nactions:\n  - " + std::string(actions) + "\n";
  if (!error_action.empty()) text += "errorAction: " + std::string(error_action) + "\n";
  const auto node = config::parse_yaml(text, "test");
  if (!node) return std::unexpected<Error>(node.error());
  return parse_rule("r", *node);
}

std::string refusal(std::string_view actions) {
  const auto rule = read(actions);
  if (!rule) return rule.error().detail;
  const auto compiled = RuleSet::compile({*rule});
  return compiled ? "" : compiled.error().detail;
}

class Actions : public ::testing::Test {
 protected:
  /// The outputs of one rule for `payload` on a/b.
  std::span<const RuleOutput> run(std::string_view actions, std::string_view payload,
                                  std::string_view error_action = "{kafka: {topic: errors}}") {
    log::set_level(log::Level::off);
    const auto rule = read(actions, error_action);
    EXPECT_TRUE(rule) << rule.error().message();
    rules_ = RuleSet::compile({*rule}).value();
    payload_ = payload;
    message_.topic = "a/b";
    message_.client_id = "T-1";
    message_.payload = as_bytes(payload_);
    message_.received_at = WallTime{1'700'000'000'000};
    return evaluator_.evaluate(*rules_, message_).outputs;
  }
  std::shared_ptr<const RuleSet> rules_;
  Evaluator evaluator_{1};
  std::string payload_;
  DeviceMessage message_;
};

TEST(ActionShapes, AreWrittenAsTheyWereRead) {
  for (const char* const action : {
           R"({http: {url: "http://h/${a}", method: PUT, headers: [{key: X, value: "${b}"}], key: "${c}",
               answer: {topic: t, key: "${d}"}, timeoutMs: 7, giveUpAfterMs: 0}})",
           R"({http: {url: "http://h/", enableBatching: true,
               batchConfig: {maxBatchSize: 100, maxBatchSizeBytes: 5000}}})",
           R"({http: {url: "http://h/", enableBatching: true, batchConfig: {maxBatchOpenMs: 200}}})",
           R"({webhook: {url: "https://h/", text: "hot: ${t}"}})",
           R"({webhook: {url: "https://h/", body: "{}", giveUpAfterMs: 5}})",
           R"({file: {name: "debug-${type}.jsonl"}})",
           R"({republish: {topic: x, qos: 1, retain: true, headers: {payloadFormatIndicator: UTF8_DATA,
               contentType: "${a}", responseTopic: r/s, correlationData: YWI=, messageExpiry: "60",
               userProperties: [{key: k, value: "${v}"}]}}})",
       }) {
    const auto rule = read(action, action);
    ASSERT_TRUE(rule) << action << rule.error().message();
    ASSERT_TRUE(RuleSet::compile({*rule})) << action;
    const auto node = config::parse_yaml(to_json(*rule), "test");
    auto again = parse_rule("r", *node);
    ASSERT_TRUE(again) << to_json(*rule);
    again->line = rule->line;
    EXPECT_EQ(*again, *rule) << to_json(*rule);
  }
}

TEST(ActionShapes, AreRefusedByNameAndPlace) {
  EXPECT_THAT(refusal("{htp: {url: x}}"),
              HasSubstr("there is no action htp; kafka, republish, http, webhook and file"));
  EXPECT_THAT(refusal("{http: {}}"), HasSubstr("http.url (line 3): is missing"));
  EXPECT_THAT(refusal("{http: {url: 'ftp://h'}}"), HasSubstr("a URL begins with http:// or https://"));
  EXPECT_THAT(refusal("{http: {url: 'http://a:b@h/'}}"), HasSubstr("not a URL"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', method: FETCH}}"), HasSubstr("'FETCH' is not one of GET"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', headers: [{key: Host, value: x}]}}"), HasSubstr("headers[0].key"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', timeoutMs: soon}}"), HasSubstr("whole number from 1 to 300000"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', batchConfig: {maxBatchSize: 1}}}"), HasSubstr("from 2 to 1000"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', batchConfig: {maxBatchOpenMs: -1}}}"), HasSubstr("from 0 to 60000"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', enableBatching: true, answer: {topic: t}}}"),
              HasSubstr("goes without"));
  EXPECT_THAT(refusal("{http: {url: 'http://h', answer: {topic: __rules}}}"), HasSubstr("answer.topic"));
  EXPECT_THAT(refusal("{http: {url: 'http://h/${'}}"), HasSubstr("'${' without its '}'"));
  EXPECT_THAT(refusal("{webhook: {url: 'http://h'}}"), HasSubstr("either text or body"));
  EXPECT_THAT(refusal("{file: {name: ../etc/passwd}}"), HasSubstr("a file name is"));
  EXPECT_THAT(refusal("{republish: {topic: a, headers: {messageExpiry: soon}}}"), HasSubstr("messageExpiry"));
  EXPECT_THAT(refusal("{republish: {topic: a, headers: {payloadFormatIndicator: TEXT}}}"), HasSubstr("UTF8_DATA"));
  EXPECT_THAT(refusal("{republish: {topic: a, headers: {correlationData: '%'}}}"), HasSubstr("not base64"));
  EXPECT_THAT(refusal("{republish: {topic: a, headers: {responseTopic: a/#}}}"), HasSubstr("responseTopic"));
}

TEST_F(Actions, AllOfARuleTravelInOneRecord) {
  const auto outputs = run(
      R"({http: {url: "http://h/${d}", headers: [{key: X, value: "${d}"}]}}
  - {kafka: {topic: t}}
  - {webhook: {url: "http://hooks/x", text: "a \"${d}\""}})",
      R"({"d":"D1"})");
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].topic, "t");
  EXPECT_EQ(outputs[1].kind, RuleOutput::Kind::delivery);
  EXPECT_EQ(outputs[1].topic, kRuleDeliveryTopic);
  EXPECT_EQ(as_text(*outputs[1].key), "T-1");
  const auto delivery = decode_delivery(outputs[1].value);
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->rule, "r");
  EXPECT_EQ(delivery->error.topic, "errors");
  ASSERT_EQ(delivery->requests.size(), 2U);
  EXPECT_EQ(delivery->requests[0].target, "http://h/D1");
  EXPECT_EQ(delivery->requests[0].headers[0].second, "D1");
  EXPECT_EQ(as_text(delivery->requests[0].body), R"({"d":"D1"})");
  EXPECT_EQ(as_text(delivery->requests[1].body), R"({"text":"a \"D1\""})");
}

TEST_F(Actions, WhatAValueMakesOfATargetIsChecked) {
  for (const auto& [actions, payload, reason] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {R"({http: {url: "http://h/${d}"}})", R"({"d":"a b"})", "url: not a URL"},
           {R"({http: {url: "http://h/${d}"}})", "{}", "url: ${d} is undefined"},
           {R"({http: {url: "http://h/", headers: [{key: X, value: "${d}"}]}})", R"({"d":"a\r\nHost: x"})", "header X"},
           {R"({file: {name: "f-${d}"}})", R"({"d":"/../x"})", "name: a file name is"},
           {R"({republish: {topic: x, headers: {messageExpiry: "${d}"}}})", R"({"d":"-1"})", "messageExpiry: not"},
           {R"({republish: {topic: x, headers: {responseTopic: "${d}"}}})", R"({"d":"#"})", "responseTopic"},
           {R"({http: {url: "http://h/", answer: {topic: "${d}"}}})", R"({"d":"__rules"})", "answer.topic"},
       }) {
    const auto outputs = run(actions, payload);
    ASSERT_EQ(outputs.size(), 1U) << actions;
    EXPECT_EQ(outputs[0].action, kErrorAction);
    EXPECT_THAT(std::string(as_text(outputs[0].value)), HasSubstr(reason)) << actions;
  }
}

TEST_F(Actions, AnErrorMessageThatIsOutIsToldToTheDelivery) {
  const auto outputs = run("{kafka: {topic: \"${missing}\"}}\n  - {http: {url: 'http://h'}}", "{}");
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].action, kErrorAction);
  EXPECT_TRUE(decode_delivery(outputs[1].value)->reported);
}

TEST_F(Actions, AnErrorActionMayBeARequest) {
  const auto outputs =
      run("{kafka: {topic: \"${missing}\"}}", "{}", "{webhook: {url: 'http://h', body: '${ruleless}'}}");
  EXPECT_TRUE(outputs.empty());  // its own template does not resolve
  const auto again = run("{kafka: {topic: \"${missing}\"}}", "{}", "{http: {url: 'http://h'}}");
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].kind, RuleOutput::Kind::delivery);
  const auto delivery = decode_delivery(again[0].value);
  ASSERT_TRUE(delivery);
  EXPECT_TRUE(delivery->is_error);
  EXPECT_THAT(std::string(as_text(delivery->requests[0].body)), HasSubstr("${missing} is undefined"));
}

TEST_F(Actions, RepublishedMessagesCarryProperties) {
  const auto outputs = run(
      R"({republish: {topic: x, headers: {payloadFormatIndicator: UTF8_DATA, contentType: "a/${d}",
          correlationData: YWI=, messageExpiry: "${n}", userProperties: [{key: "${d}", value: v}]}}})",
      R"({"d":"D1","n":60})");
  ASSERT_EQ(outputs.size(), 1U);
  ASSERT_NE(outputs[0].properties, nullptr);
  EXPECT_EQ(outputs[0].properties->content_type, "a/D1");
  EXPECT_EQ(outputs[0].properties->expiry_s, 60U);
  EXPECT_EQ(outputs[0].properties->utf8_payload, true);
  EXPECT_EQ(as_text(outputs[0].properties->correlation_data), "ab");
  EXPECT_EQ(outputs[0].properties->user_properties[0].key, "D1");
}

}  // namespace
}  // namespace millrace::rules

// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.
#include <gtest/gtest.h>

#include "kafka/protocol/messages/alter_configs.h"
#include "kafka/protocol/messages/describe_configs.h"
#include "kafka/protocol/messages/incremental_alter_configs.h"
#include "kafka/server/config_resource.h"
#include "kafka/server/error_codes.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

constexpr auto kTopic = static_cast<std::int8_t>(ResourceType::topic);
constexpr auto kBroker = static_cast<std::int8_t>(ResourceType::broker);
constexpr std::int8_t kDynamicTopic = 1, kStaticBroker = 4, kDefault = 5;
constexpr std::int8_t kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3;

class ConfigsTest : public ServerFixture {
 protected:
  ConfigsTest() {
    BrokerConfig broker;
    broker.push_back({"num.partitions", "4", "1", ConfigType::int32, "Partitions of a topic.", false});
    broker.push_back({"sasl.secret", std::nullopt, std::nullopt, ConfigType::password, "", true});
    settings.broker_config = std::make_shared<const BrokerConfig>(std::move(broker));
  }
  using Results = std::vector<DescribeConfigsResponse::DescribeConfigsResult>;
  Results describe(std::int8_t type, std::string_view name, std::vector<std::string_view> keys = {},
                   std::int16_t version = 4) {
    DescribeConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys.reset();
    if (!keys.empty()) resource.configuration_keys = std::move(keys);
    request.include_synonyms = true;
    request.include_documentation = version >= 3;
    return ask<DescribeConfigsResponse>(ApiKey::describe_configs, version, request).results;
  }
  std::optional<std::string> value(std::string_view key, std::string_view topic = "events") {
    const auto results = describe(kTopic, topic, {key});
    if (results.at(0).configs.size() != 1) return std::nullopt;
    return std::string(*results[0].configs[0].value);
  }
  using Edit = IncrementalAlterConfigsRequest::AlterableConfig;
  std::pair<std::int16_t, std::string> change(std::vector<Edit> edits, std::string_view topic = "events",
                                              bool validate_only = false, std::int8_t type = kTopic) {
    IncrementalAlterConfigsRequest request;
    request.resources.push_back({type, topic, std::move(edits)});
    request.validate_only = validate_only;
    const auto response = ask<IncrementalAlterConfigsResponse>(ApiKey::incremental_alter_configs, 1, request);
    const auto& out = response.responses.at(0);
    return {out.error_code, std::string(out.error_message.value_or(""))};
  }
};

TEST_F(ConfigsTest, DescribesATopicAtEveryVersion) {
  ASSERT_EQ(change({{"retention.ms", kSet, "5000"}}).first, 0);
  for (std::int16_t version = 1; version <= 4; ++version) {
    SCOPED_TRACE(version);
    const auto results = describe(kTopic, "events", {}, version);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].error_code, 0);
    EXPECT_EQ(results[0].resource_name, "events");
    EXPECT_EQ(results[0].configs.size(), topics::config_keys().size());
    const auto entry = std::ranges::find(results[0].configs, "retention.ms",
                                         &DescribeConfigsResponse::DescribeConfigsResourceResult::name);
    ASSERT_NE(entry, results[0].configs.end());
    EXPECT_EQ(entry->value, "5000");
    EXPECT_FALSE(entry->read_only);
    EXPECT_EQ(entry->config_source, kDynamicTopic);
    ASSERT_EQ(entry->synonyms.size(), 2U);
    EXPECT_EQ(entry->synonyms[0].name, "retention.ms");
    EXPECT_EQ(entry->synonyms[1].name, "log.retention.ms");
    EXPECT_EQ(entry->synonyms[1].value, "604800000");
    EXPECT_EQ(entry->synonyms[1].source, kDefault);
    if (version >= 3) {
      EXPECT_EQ(entry->config_type, 5);
      EXPECT_FALSE(entry->documentation->empty());
    }
  }
  EXPECT_EQ(describe(kTopic, "events", {"cleanup.policy", "no.such"}).at(0).configs.size(), 1U);
}

TEST_F(ConfigsTest, DescribesTheBroker) {
  const auto all = describe(kBroker, "1").at(0);
  ASSERT_EQ(all.configs.size(), 2U);
  EXPECT_EQ(all.configs[0].value, "4");
  EXPECT_TRUE(all.configs[0].read_only);
  EXPECT_EQ(all.configs[0].config_source, kStaticBroker);
  EXPECT_EQ(all.configs[0].synonyms.size(), 2U);
  EXPECT_TRUE(all.configs[1].is_sensitive);
  EXPECT_FALSE(all.configs[1].value);
  EXPECT_TRUE(describe(kBroker, "").at(0).configs.empty()) << "no setting is made for all brokers at run time";
  EXPECT_EQ(describe(kBroker, "2").at(0).error_message,
            "Unexpected broker id, expected 1 or empty string, but received 2");
  EXPECT_EQ(describe(kBroker, "x").at(0).error_code, code(KafkaError::invalid_request));
}

TEST_F(ConfigsTest, SaysWhatCannotBeDescribed) {
  EXPECT_EQ(describe(kTopic, "nowhere").at(0).error_code, 3);
  EXPECT_EQ(describe(kTopic, "a b").at(0).error_code, 17);
  EXPECT_EQ(describe(16, "events").at(0).error_code, 42);
}

TEST_F(ConfigsTest, IncrementalChangesKeepWhatTheyDoNotName) {
  EXPECT_EQ(change({{"retention.ms", kSet, "1000"}, {"segment.bytes", kSet, "1048576"}}).first, 0);
  EXPECT_EQ(change({{"retention.ms", kSet, "2000"}}).first, 0);
  EXPECT_EQ(value("retention.ms"), "2000");
  EXPECT_EQ(value("segment.bytes"), "1048576");
  EXPECT_EQ(change({{"retention.ms", kDelete, std::nullopt}}).first, 0);
  EXPECT_EQ(value("retention.ms"), "604800000");
  EXPECT_EQ(change({{"cleanup.policy", kAppend, "compact"}}).first, 0);
  EXPECT_EQ(value("cleanup.policy"), "delete,compact");
  EXPECT_EQ(change({{"cleanup.policy", kSubtract, "delete"}}).first, 0);
  EXPECT_EQ(value("cleanup.policy"), "compact");
  EXPECT_EQ(change({{"retention.ms", kSet, "7"}}, "events", true).first, 0);
  EXPECT_EQ(value("retention.ms"), "604800000") << "validate_only";
}

TEST_F(ConfigsTest, RefusalsHaveKafkasCodesAndTexts) {
  using Refused = std::pair<std::int16_t, std::string>;
  for (const bool validate_only : {false, true}) {
    SCOPED_TRACE(validate_only);
    const auto refused = [&](std::vector<Edit> edits, std::string_view topic = "events") {
      return change(std::move(edits), topic, validate_only);
    };
    EXPECT_EQ(refused({{"retention.ms", kSet, "abc"}}),
              (Refused{40, "Invalid value abc for configuration retention.ms: Not a number of type LONG"}));
    EXPECT_EQ(refused({{"cleanup.policy", kSet, "burn"}}).first, 40);
    EXPECT_EQ(refused({{"cleanup.policy", kSubtract, "delete"}}).first, 40) << "nothing would be left";
    EXPECT_EQ(refused({{"retention.mss", kSet, "1"}}).first, 40);
    EXPECT_EQ(refused({{"retention.ms", kAppend, "1"}}),
              (Refused{40, "Can't APPEND to key retention.ms because its type is not LIST."}));
    EXPECT_EQ(refused({{"retention.ms", kSet, std::nullopt}}),
              (Refused{42, "Null value not supported for : retention.ms"}));
    EXPECT_EQ(refused({{"retention.ms", kSet, "1"}, {"retention.ms", kSet, "2"}}).first, 42);
    EXPECT_EQ(refused({{"retention.ms", 9, "1"}}).first, 42);
    EXPECT_EQ(refused({{"retention.ms", kSet, "1"}}, "nowhere"), (Refused{3, "The topic 'nowhere' does not exist."}));
    EXPECT_EQ(change({{"num.partitions", kSet, "1"}}, "1", validate_only, kBroker).first, 40);
    EXPECT_EQ(change({{"num.partitions", kSet, "1"}}, "7", validate_only, kBroker).first, 42);
    EXPECT_EQ(change({}, "events", validate_only, 32).first, 42);
  }
  EXPECT_EQ(value("retention.ms"), "604800000");
}

TEST_F(ConfigsTest, AlterConfigsReplacesEverything) {
  ASSERT_EQ(change({{"retention.ms", kSet, "1000"}, {"segment.bytes", kSet, "1048576"}}).first, 0);
  AlterConfigsRequest request;
  request.resources.push_back({kTopic, "events", {{"retention.ms", "3000"}}});
  for (std::int16_t version = 0; version <= 2; ++version) {
    const auto response = ask<AlterConfigsResponse>(ApiKey::alter_configs, version, request);
    EXPECT_EQ(response.responses.at(0).error_code, 0);
    EXPECT_EQ(response.responses[0].resource_name, "events");
  }
  EXPECT_EQ(value("retention.ms"), "3000");
  EXPECT_EQ(value("segment.bytes"), "1073741824");
  request.resources.push_back(request.resources[0]);
  const auto twice = ask<AlterConfigsResponse>(ApiKey::alter_configs, 2, request);
  EXPECT_EQ(twice.responses.at(0).error_code, 42);
  EXPECT_EQ(twice.responses.at(1).error_message, "Each resource must appear at most once.");
}

}  // namespace
}  // namespace millrace::kafka::testing

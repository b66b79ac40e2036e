#include "topics/topic_config.h"

#include <gtest/gtest.h>

namespace millrace::topics {
namespace {

TEST(TopicConfig, KafkaKeysTakeEffect) {
  const auto config = effective_config({}, {{"retention.ms", "172800000"},
                                            {"cleanup.policy", "compact,delete"},
                                            {"message.timestamp.type", "LogAppendTime"},
                                            {"min.insync.replicas", "1"}});
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->retention_ms, 172'800'000);
  EXPECT_TRUE(config->compact);
  EXPECT_TRUE(config->delete_old);
  EXPECT_TRUE(config->log_append_time);
  EXPECT_EQ(config_value(*config, "retention.ms"), "172800000");
  EXPECT_EQ(config_value(*config, "cleanup.policy"), "compact,delete");
}

TEST(TopicConfig, ErrorsNameKeyValueAndNearest) {
  const auto unknown = effective_config({}, {{"retntion.ms", "1"}});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().detail.find("did you mean retention.ms?"), std::string::npos) << unknown.error().detail;
  EXPECT_FALSE(effective_config({}, {{"segment.bytes", "10x"}}));
  EXPECT_FALSE(effective_config({}, {{"segment.bytes", "-1"}}));
  EXPECT_FALSE(effective_config({}, {{"cleanup.policy", "shred"}}));
}

TEST(TopicConfig, TextRoundTrip) {
  const ConfigMap settings{{"a", "x=y\nz\\n"}, {"retention.ms", "-1"}};
  const auto back = parse_config(serialize_config(settings));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, settings);
}

}  // namespace
}  // namespace millrace::topics

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

TEST(TopicConfig, ErrorsAreKafkasOwnText) {
  const auto refusal = [](const ConfigMap& settings) {
    const auto config = effective_config({}, settings);
    return config ? "taken" : config.error().detail;
  };
  EXPECT_EQ(refusal({{"retntion.ms", "1"}}), "Unknown topic config name: retntion.ms, did you mean retention.ms?");
  EXPECT_EQ(refusal({{"segment.bytes", "10x"}}),
            "Invalid value 10x for configuration segment.bytes: Not a number of type INT");
  EXPECT_EQ(refusal({{"retention.ms", ""}}),
            "Invalid value  for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(refusal({{"segment.bytes", "-1"}}),
            "Invalid value -1 for configuration segment.bytes: Value must be at least 14");
  EXPECT_EQ(refusal({{"min.cleanable.dirty.ratio", "1.5"}}),
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1");
  EXPECT_EQ(refusal({{"min.cleanable.dirty.ratio", "nan"}}),
            "Invalid value nan for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE");
  EXPECT_EQ(refusal({{"cleanup.policy", "compact,shred"}}),
            "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete");
  EXPECT_EQ(refusal({{"compression.type", "brotli"}}),
            "Invalid value brotli for configuration compression.type: String must be one of: uncompressed, zstd, lz4, "
            "snappy, gzip, producer");
  EXPECT_EQ(refusal({{"preallocate", "maybe"}}),
            "Invalid value maybe for configuration preallocate: Expected value to be either true or false");
  EXPECT_EQ(refusal({{"min.compaction.lag.ms", "2"}, {"max.compaction.lag.ms", "1"}}),
            "conflict topic config setting min.compaction.lag.ms (2) > max.compaction.lag.ms (1)");
  EXPECT_EQ(refusal({{"retention.bytes", "-5"}, {"cleanup.policy", " compact , delete "}}), "taken");
}

TEST(TopicConfig, EveryKeyTakesTheValueItShows) {
  for (const ConfigKey& key : config_keys()) {
    const std::string shown = key.value_in({});
    const auto config = effective_config({}, {{std::string(key.name), shown}});
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(*config, storage::LogConfig{}) << key.name;
    EXPECT_FALSE(key.documentation.empty());
  }
}

TEST(TopicConfig, SourcesAreToldApart) {
  storage::LogConfig defaults;
  defaults.segment_ms = 5;
  const ConfigMap settings{{"retention.ms", "7"}};
  const auto source = [&](std::string_view key) {
    return describe_config(*find_config_key(key), defaults, settings).source;
  };
  EXPECT_EQ(source("retention.ms"), ConfigSource::dynamic_topic);
  EXPECT_EQ(source("segment.ms"), ConfigSource::static_broker);
  EXPECT_EQ(source("segment.bytes"), ConfigSource::builtin);
  EXPECT_EQ(describe_config(defaults, settings).size(), config_keys().size());
}

TEST(TopicConfig, TextRoundTrip) {
  const ConfigMap settings{{"a", "x=y\nz\\n"}, {"retention.ms", "-1"}};
  const auto back = parse_config(serialize_config(settings));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, settings);
}

}  // namespace
}  // namespace millrace::topics

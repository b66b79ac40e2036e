#include "topics/batch_rules.h"

#include <gtest/gtest.h>

#include "model/record_batch_builder.h"
#include "topics/batch_records.h"

namespace millrace::topics {
namespace {

using storage::LogConfig;
using storage::StoredCompression;

constexpr std::int64_t kNow = 1'700'000'000'000;

SharedBytes batch(std::optional<std::string_view> key, std::int64_t timestamp_ms = kNow) {
  RecordBatchBuilder builder;
  const auto bytes = key ? std::optional(as_bytes(*key)) : std::nullopt;
  builder.append({.key = as_bytes("k"), .value = as_bytes("v"), .headers = {}, .timestamp_ms = timestamp_ms});
  builder.append({.key = bytes, .value = as_bytes("v"), .headers = {}, .timestamp_ms = timestamp_ms});
  return builder.finish();
}

ErrorCode refusal(const SharedBytes& bytes, const LogConfig& config) {
  const auto done = check_timestamps(*parse_batch_header(bytes.view()), config, kNow);
  return done ? ErrorCode::closed : done.error().code;  // closed stands for taken
}

TEST(BatchRules, TimestampsStayWithinTheirLimits) {
  LogConfig config;
  EXPECT_EQ(refusal(batch("k", kNow + 1'000'000'000'000), config), ErrorCode::closed);  // no limit unless asked for
  config.timestamp_after_max_ms = 1'000;
  config.timestamp_before_max_ms = 2'000;
  EXPECT_EQ(refusal(batch("k", kNow + 1'000), config), ErrorCode::closed);
  EXPECT_EQ(refusal(batch("k", kNow + 1'001), config), ErrorCode::out_of_range);
  EXPECT_EQ(refusal(batch("k", kNow - 2'000), config), ErrorCode::closed);
  EXPECT_EQ(refusal(batch("k", kNow - 2'001), config), ErrorCode::out_of_range);
  config.log_append_time = true;
  EXPECT_EQ(refusal(batch("k", kNow - 2'001), config), ErrorCode::closed);
}

TEST(BatchRules, RecompressedBatchesAreTheSameRecords) {
  SharedBytes kept = batch("key");
  for (const auto wanted : {StoredCompression::gzip, StoredCompression::producer, StoredCompression::snappy,
                            StoredCompression::lz4, StoredCompression::zstd, StoredCompression::uncompressed}) {
    const auto next = as_kept(*parse_batch_header(kept.view()), kept, wanted);
    ASSERT_TRUE(next);
    kept = *next;
    const auto header = validate_produced_batch(kept.view());
    ASSERT_TRUE(header) << header.error().message();
    int count = 0;
    BatchRecords records;
    ASSERT_TRUE(records.visit(kept.view(), Offset(0), [&](const ReadRecord& record) {
      EXPECT_EQ(as_text(*record.record.value), "v");
      ++count;
    }));
    EXPECT_EQ(count, 2);
  }
  EXPECT_EQ(parse_batch_header(kept.view())->compression(), Compression::none);
}

}  // namespace
}  // namespace millrace::topics

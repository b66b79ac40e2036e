#include "storage/batch_filter.h"

#include <gtest/gtest.h>

#include "storage/testing/keyed_batch.h"

namespace millrace::storage {
namespace {

constexpr std::int64_t kNow = 1'700'000'100'000;

class BatchFilterTest : public ::testing::Test {
 protected:
  static SharedBytes at(SharedBytes batch, std::int64_t offset) {
    patch_base_offset({batch.mutable_data(), batch.size()}, Offset(offset), LeaderEpoch(0));
    return batch;
  }
  void learn(const SharedBytes& batch) {
    EXPECT_FALSE(filter_.learn(*parse_batch_header(batch.view()), batch.view(), newest_, {}));
  }
  FilteredBatch filter(const SharedBytes& batch, std::int64_t now_ms = kNow, Offset known_until = Offset(1'000)) {
    const auto done = filter_.filter(*parse_batch_header(batch.view()), batch,
                                     {.newest = &newest_,
                                      .known_until = known_until,
                                      .now_ms = now_ms,
                                      .delete_retention_ms = 5'000,
                                      .producers = &producers_,
                                      .bugs = {}});
    EXPECT_TRUE(done);
    return *done;
  }

  BatchFilter filter_;
  KeyOffsets newest_{1_MiB, 1};
  std::unordered_map<ProducerId, Offset> producers_;
};

TEST_F(BatchFilterTest, WhatIsSupersededGoesAndTheRestKeepsOffsetAndTime) {
  for (const auto codec : {CompressionCodec::none, CompressionCodec::gzip, CompressionCodec::snappy,
                           CompressionCodec::lz4, CompressionCodec::zstd}) {
    newest_ = KeyOffsets(1_MiB, 1);
    const SharedBytes first = at(keyed_batch({{"a", "1"}, {"b", "2"}, {"c", "3"}}, {.codec = codec}), 100);
    const SharedBytes second = at(keyed_batch({{"c", "4"}, {"a", "5"}}), 200);
    learn(first);
    learn(second);
    const FilteredBatch kept = filter(first);
    EXPECT_EQ(kept.dropped, 2U);
    const auto header = parse_batch_header(kept.bytes.view());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->base_offset, Offset(100));
    EXPECT_EQ(header->last_offset(), Offset(102));
    EXPECT_EQ(header->record_count, 1);
    EXPECT_EQ(static_cast<int>(header->compression()), static_cast<int>(codec));
    EXPECT_EQ(header->max_timestamp, 1'700'000'000'001);
    const auto records = records_of(kept.bytes.view());
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].offset, Offset(101));
    EXPECT_EQ(records[0].timestamp_ms, 1'700'000'000'001);
    EXPECT_EQ(records[0].record.value, "2");
    const FilteredBatch same = filter(second);
    EXPECT_EQ(same.bytes.data(), second.data());  // nothing was copied
  }
}

TEST_F(BatchFilterTest, WhatLiesBehindTheKnownStays) {
  const SharedBytes first = at(keyed_batch({{"a", "1"}, {"a", "2"}}), 100);
  learn(first);
  EXPECT_EQ(filter(first, kNow, Offset(100)).dropped, 0U);
  EXPECT_EQ(filter(first, kNow, Offset(101)).dropped, 1U);
}

TEST_F(BatchFilterTest, TombstonesGetAnHourAndGoWhenItIsOver) {
  const SharedBytes batch = at(keyed_batch({{"a", std::nullopt}, {"b", "1"}}), 100);
  learn(batch);
  const FilteredBatch marked = filter(batch);
  EXPECT_EQ(marked.delete_horizon_ms, kNow + 5'000);
  EXPECT_EQ(marked.dropped, 0U);
  const auto header = parse_batch_header(marked.bytes.view());
  EXPECT_EQ(header->attributes & kDeleteHorizonBit, kDeleteHorizonBit);
  EXPECT_EQ(header->base_timestamp, kNow + 5'000);
  const auto records = records_of(marked.bytes.view());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].timestamp_ms, 1'700'000'000'000);  // as they were
  EXPECT_EQ(records[1].timestamp_ms, 1'700'000'000'001);
  EXPECT_FALSE(records[0].record.value);

  newest_ = KeyOffsets(1_MiB, 1);  // the next round knows nothing new
  const FilteredBatch before = filter(marked.bytes, kNow + 4'999);
  EXPECT_EQ(before.bytes.data(), marked.bytes.data());
  EXPECT_EQ(before.delete_horizon_ms, kNow + 5'000);
  const FilteredBatch after = filter(marked.bytes, kNow + 5'000);
  EXPECT_EQ(after.dropped, 1U);
  EXPECT_EQ(after.delete_horizon_ms, kNoTimestamp);
  EXPECT_EQ(records_of(after.bytes.view()).size(), 1U);
}

TEST_F(BatchFilterTest, ASupersededTombstoneGoesAtOnce) {
  const SharedBytes first = at(keyed_batch({{"a", std::nullopt}}), 100);
  const SharedBytes second = at(keyed_batch({{"a", "again"}}), 101);
  learn(first);
  learn(second);
  EXPECT_TRUE(filter(first).bytes.empty());
}

TEST_F(BatchFilterTest, TheLastBatchOfAProducerStaysBeItEmpty) {
  const KeyedBatch form{.producer = ProducerId(9), .sequence = 40, .codec = CompressionCodec::lz4};
  const SharedBytes first = at(keyed_batch({{"a", "1"}, {"b", "1"}}, form), 100);
  learn(first);
  learn(at(keyed_batch({{"a", "2"}, {"b", "2"}}), 200));
  EXPECT_TRUE(filter(first).bytes.empty());
  producers_[ProducerId(9)] = Offset(101);
  const FilteredBatch kept = filter(first);
  const auto header = parse_batch_header(kept.bytes.view());
  ASSERT_TRUE(header && batch_crc_matches(kept.bytes.view()));
  EXPECT_EQ(kept.bytes.size(), kBatchHeaderSize);
  EXPECT_EQ(header->record_count, 0);
  EXPECT_EQ(header->base_offset, Offset(100));
  EXPECT_EQ(header->last_sequence(), 41);
  EXPECT_EQ(header->compression(), Compression::none);
  EXPECT_EQ(filter(kept.bytes).bytes.size(), kBatchHeaderSize);  // as long as it is the last one
  producers_[ProducerId(9)] = Offset(500);
  EXPECT_TRUE(filter(kept.bytes).bytes.empty());
}

TEST_F(BatchFilterTest, RecordsWithoutAKeyGo) {
  RecordBatchBuilder builder;
  builder.append({.key = std::nullopt, .value = as_bytes("v"), .headers = {}, .timestamp_ms = 1});
  EXPECT_TRUE(filter(at(builder.finish(), 100)).bytes.empty());
}

TEST_F(BatchFilterTest, ControlAndGarbledBatchesAreLeftAlone) {
  SharedBytes control = at(keyed_batch({{"a", "1"}}), 100);
  control.mutable_data()[22] |= 0x20U;
  learn(control);
  EXPECT_EQ(newest_.size(), 0U);
  learn(at(keyed_batch({{"a", "2"}}), 200));
  EXPECT_EQ(filter(control).bytes.data(), control.data());
  SharedBytes garbled = at(keyed_batch({{"a", "1"}}), 100);
  garbled.mutable_data()[kBatchHeaderSize] = 0x7F;  // a record longer than its batch
  EXPECT_EQ(filter(garbled).bytes.data(), garbled.data());
}

}  // namespace
}  // namespace millrace::storage

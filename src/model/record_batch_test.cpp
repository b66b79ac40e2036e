#include "model/record_batch.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include "model/record_batch_builder.h"
#include "model/record_reader.h"
#include "model/records_check.h"
#include "model/topic_partition.h"

namespace millrace {
namespace {

SharedBytes sample_batch() {
  RecordBatchBuilder builder;
  const RecordHeader headers[] = {{"trace", as_bytes("1")}, {"empty", std::nullopt}};
  builder.append(
      {.key = as_bytes("device-1"), .value = as_bytes("{\"speed\":1}"), .headers = headers, .timestamp_ms = 1000});
  builder.append({.key = std::nullopt, .value = std::nullopt, .headers = {}, .timestamp_ms = 990});
  return builder.finish();
}

TEST(RecordBatch, BuiltBatchValidatesAndReadsBack) {
  SharedBytes batch = sample_batch();
  patch_base_offset({batch.mutable_data(), batch.size()}, Offset(500), LeaderEpoch(0));
  const auto header = validate_produced_batch(batch.view());
  ASSERT_TRUE(header) << header.error().message();
  EXPECT_EQ(header->base_offset, Offset(500));
  EXPECT_EQ(header->max_timestamp, 1000);
  RecordReader reader = RecordReader::of_batch(*header, batch.view());
  const auto first = reader.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->offset, Offset(500));
  EXPECT_EQ(as_text(*first->record.key), "device-1");
  ASSERT_EQ(first->record.headers.size(), 2U);
  EXPECT_EQ(first->record.headers[1].key, "empty");
  EXPECT_FALSE(first->record.headers[1].value.has_value());
  const auto second = reader.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->record.timestamp_ms, 990);
  EXPECT_FALSE(second->record.key.has_value());
  EXPECT_FALSE(second->record.value.has_value());
  EXPECT_TRUE(reader.done());
  EXPECT_TRUE(reader.finish());
}

// Tails keep thousands of them, so the room a builder works in must not stay with what it finished.
TEST(RecordBatch, HoldsLittleMoreThanItNeeds) {
  RecordBatchBuilder builder;
  const std::string value(300, 'v');
  for (const int records : {1, 200, 1, 3, 1}) {
    for (int i = 0; i < records; ++i) {
      RecordView record;
      record.value = as_bytes(value);
      builder.append(record);
    }
    SharedBytes batch = builder.finish();
    EXPECT_LE(malloc_usable_size(batch.mutable_data()), batch.size() + batch.size() / 2) << records;
  }
}

TEST(RecordBatch, EveryFlippedByteBehindTheCrcIsNoticed) {
  const SharedBytes good = sample_batch();
  for (std::size_t i = 16; i < good.size(); ++i) {
    SharedBytes bad = SharedBytes::copy_of(good.view());
    bad.mutable_data()[i] ^= 0x40;
    EXPECT_FALSE(validate_produced_batch(bad.view())) << "byte " << i;
  }
}

TEST(RecordBatch, EveryTruncationIsNoticed) {
  const SharedBytes good = sample_batch();
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(validate_produced_batch(good.view().first(size)));
}

TEST(RecordsCheck, EveryTruncationAndWrongCountIsNoticed) {
  const SharedBytes batch = sample_batch();
  BatchHeader header = parse_batch_header(batch.view()).value();
  const ByteView records = batch.view().subspan(kBatchHeaderSize);
  EXPECT_TRUE(check_records(header, records, nullptr));
  std::vector<std::int32_t> keyless;
  EXPECT_EQ(check_records(header, records, &keyless).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(keyless, std::vector<std::int32_t>{1}) << "the second has no key";
  for (std::size_t size = 0; size < records.size(); ++size)
    EXPECT_FALSE(check_records(header, records.first(size), nullptr));
  header.record_count = 1;
  EXPECT_FALSE(check_records(header, records, nullptr)) << "bytes behind the last record";
  header.record_count = 3;
  EXPECT_FALSE(check_records(header, records, nullptr));
}

// Whatever the reader refuses is refused here, and nothing else but offsets that do not count up.
TEST(RecordsCheck, AgreesWithTheReaderOnEveryChangedByte) {
  const SharedBytes good = sample_batch();
  const BatchHeader header = parse_batch_header(good.view()).value();
  for (std::size_t i = kBatchHeaderSize; i < good.size(); ++i) {
    for (int change = 1; change < 256; ++change) {
      SharedBytes bad = SharedBytes::copy_of(good.view());
      bad.mutable_data()[i] = static_cast<std::uint8_t>(bad.mutable_data()[i] ^ change);
      RecordReader reader = RecordReader::of_batch(header, bad.view());
      bool readable = true;
      for (std::int64_t next = 0; readable && !reader.done(); ++next) {
        const auto record = reader.next();
        readable = record && record->offset == header.base_offset + next;
      }
      readable = readable && reader.finish();
      EXPECT_EQ(check_records(header, bad.view().subspan(kBatchHeaderSize), nullptr).has_value(), readable)
          << "byte " << i << " changed by " << change;
    }
  }
}

TEST(RecordBatch, SequenceWraps) {
  BatchHeader header;
  header.base_sequence = 0x7FFFFFFE;
  header.last_offset_delta = 2;
  EXPECT_EQ(header.last_sequence(), 0);
}

TEST(TopicName, KafkaRules) {
  EXPECT_TRUE(is_valid_topic_name("message-log_1.x"));
  EXPECT_FALSE(is_valid_topic_name(""));
  EXPECT_FALSE(is_valid_topic_name(".."));
  EXPECT_FALSE(is_valid_topic_name("a/b"));
  EXPECT_FALSE(is_valid_topic_name(std::string(250, 'a')));
}

}  // namespace
}  // namespace millrace

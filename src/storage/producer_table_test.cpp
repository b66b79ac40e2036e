#include "storage/producer_table.h"

#include <gtest/gtest.h>

#include <limits>

#include "storage/testing/log_on_disk.h"

namespace millrace::storage {
namespace {

using Kind = ProducerVerdict::Kind;

BatchHeader header(std::int16_t epoch, std::int32_t sequence, std::int32_t records = 1) {
  BatchHeader header;
  header.producer_id = ProducerId(9);
  header.producer_epoch = ProducerEpoch(epoch);
  header.base_sequence = sequence;
  header.last_offset_delta = records - 1;
  header.record_count = records;
  return header;
}

class Producer : public testing::Test {
 protected:
  Kind send(const BatchHeader& batch) {
    const ProducerVerdict verdict = judge(known_ ? &entry_ : nullptr, batch);
    if (verdict.kind == Kind::duplicate) original_ = verdict.original.base_offset();
    if (verdict.kind == Kind::accept) {
      accept(entry_, batch, next_, 0);
      next_ += batch.record_count;
      known_ = true;
    }
    return verdict.kind;
  }
  ProducerEntry entry_;
  bool known_ = false;
  Offset next_{100};
  Offset original_{-1};
};

TEST_F(Producer, WithoutStateAnySequenceIsTaken) {
  EXPECT_EQ(send(header(3, 77)), Kind::accept);
  EXPECT_EQ(send(header(3, 78)), Kind::accept);
}

TEST_F(Producer, AGapIsOutOfOrder) {
  EXPECT_EQ(send(header(0, 0, 5)), Kind::accept);
  EXPECT_EQ(send(header(0, 6)), Kind::out_of_order);
  EXPECT_EQ(send(header(0, 4)), Kind::out_of_order);
  EXPECT_EQ(send(header(0, 5)), Kind::accept);
}

TEST_F(Producer, TheLastFiveBatchesAreKnownAgain) {
  for (int i = 0; i < 7; ++i) EXPECT_EQ(send(header(0, i * 10, 10)), Kind::accept);
  for (int i = 2; i < 7; ++i) {
    EXPECT_EQ(send(header(0, i * 10, 10)), Kind::duplicate) << i;
    EXPECT_EQ(original_, Offset(100 + i * 10));
  }
  EXPECT_EQ(send(header(0, 10, 10)), Kind::out_of_order);
  EXPECT_EQ(send(header(0, 60, 9)), Kind::out_of_order);
}

TEST_F(Producer, SequencesWrapToZero) {
  constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(send(header(0, kMax - 1, 2)), Kind::accept);
  EXPECT_EQ(send(header(0, 0, 3)), Kind::accept);
  EXPECT_EQ(send(header(0, kMax - 1, 2)), Kind::duplicate);
  EXPECT_EQ(send(header(0, 3, 1)), Kind::accept);
  ProducerEntry other;
  accept(other, header(0, kMax - 1, 4), Offset(0), 0);  // wraps inside the batch: last sequence is 1
  EXPECT_EQ(judge(&other, header(0, 2)).kind, Kind::accept);
}

TEST_F(Producer, AnOlderEpochIsFencedAndANewerOneStartsAtZero) {
  EXPECT_EQ(send(header(1, 0, 2)), Kind::accept);
  EXPECT_EQ(send(header(0, 2)), Kind::fenced);
  EXPECT_EQ(send(header(2, 2)), Kind::out_of_order);
  EXPECT_EQ(send(header(2, 0)), Kind::accept);
  EXPECT_EQ(send(header(1, 0, 2)), Kind::fenced);
}

TEST(ProducerTable, EncodesAndDecodes) {
  ProducerTable table;
  for (int i = 0; i < 20; ++i) {
    BatchHeader batch = header(2, i);
    batch.producer_id = ProducerId(1000 - i % 4);
    batch.base_offset = Offset(i);
    table.apply(batch, 5'000 + i);
  }
  Buffer bytes;
  table.encode(bytes);
  ByteReader in(bytes.view());
  const auto again = ProducerTable::decode(in);
  ASSERT_TRUE(again);
  EXPECT_EQ(in.remaining(), 0U);
  Buffer second;
  again->encode(second);
  EXPECT_TRUE(std::ranges::equal(bytes.view(), second.view()));
  ASSERT_NE(again->find(ProducerId(999)), nullptr);
  EXPECT_EQ(again->find(ProducerId(999))->newest().last_offset, Offset(17));
  EXPECT_TRUE(parse_kafka_snapshot(table.kafka_snapshot().view()));
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    ByteReader part(bytes.view(0, cut));
    EXPECT_FALSE(ProducerTable::decode(part)) << cut;
  }
}

TEST(ProducerTable, ForgetsWhoWasNotSeenForADay) {
  ProducerTable table;
  BatchHeader batch = header(0, 0);
  table.apply(batch, 1'000);
  batch.producer_id = ProducerId(10);
  table.apply(batch, 90'000);
  table.expire(100'000, 86'400);
  EXPECT_EQ(table.find(ProducerId(9)), nullptr);
  EXPECT_NE(table.find(ProducerId(10)), nullptr);
}

// The same rules through the log: within one commit, over commits, over a kill and over a clean stop.
TEST(IdempotentAppend, DuplicatesGetTheirOldOffsetWhateverHappenedBetween) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  const auto batch = [](int sequence) { return batch_of({std::to_string(sequence)}, 1, ProducerId(4), 0, sequence); };
  {
    const auto partition = disk.find("t");
    Append a{partition.get(), batch(0), {}};
    Append b{partition.get(), batch(1), {}};
    Append again{partition.get(), batch(0), {}};
    Append gap{partition.get(), batch(5), {}};
    Append* const all[] = {&a, &b, &again, &gap};
    ASSERT_TRUE(disk.log->commit({}, all));
    EXPECT_EQ(b.outcome->base_offset, Offset(1));
    EXPECT_TRUE(again.outcome->duplicate);
    EXPECT_EQ(again.outcome->base_offset, Offset(0));
    ASSERT_FALSE(gap.outcome);
    EXPECT_EQ(gap.outcome.error().code, ErrorCode::out_of_order);
  }
  int next = 2;
  for (int round = 0; round < 6; ++round) {
    const auto fresh = disk.append(*disk.find("t"), batch(next));
    ASSERT_TRUE(fresh);
    EXPECT_FALSE(fresh->duplicate);
    EXPECT_EQ(fresh->base_offset, Offset(next));
    ++next;
    if (round == 2) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
    if (round == 4) {
      ASSERT_TRUE(disk.stop());
    }
    disk.crash();
    ASSERT_TRUE(disk.open());
    for (int back = std::max(0, next - 5); back < next; ++back) {
      const auto old = disk.append(*disk.find("t"), batch(back));
      ASSERT_TRUE(old) << old.error().message();
      EXPECT_TRUE(old->duplicate);
      EXPECT_EQ(old->base_offset, Offset(back));
    }
    EXPECT_EQ(disk.find("t")->high_watermark(), Offset(next));
  }
}

// A commit that fails must leave no trace in the producer's state: the retry is the first.
TEST(IdempotentAppend, ARefusedCommitIsForgotten) {
  LogOnDisk disk;
  disk.options.journal_max_bytes = 128_KiB;
  disk.options.journal_file_bytes = 64_KiB;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  int sequence = 0;
  const std::string big(20'000, 'b');
  Result<Appended> appended = Appended{};
  while (appended) {
    appended = disk.append(*disk.find("t"), batch_of({big}, 1, ProducerId(4), 0, sequence));
    if (appended) ++sequence;
    ASSERT_LT(sequence, 20);
  }
  EXPECT_EQ(appended.error().code, ErrorCode::disk_full);
  EXPECT_EQ(disk.find("t")->high_watermark(), Offset(sequence));
  ASSERT_TRUE(disk.log->checkpoint());
  appended = disk.append(*disk.find("t"), batch_of({big}, 1, ProducerId(4), 0, sequence));
  ASSERT_TRUE(appended) << appended.error().message();
  EXPECT_FALSE(appended->duplicate);
  EXPECT_EQ(appended->base_offset, Offset(sequence));
}

}  // namespace
}  // namespace millrace::storage

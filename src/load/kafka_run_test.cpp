// The Kafka generator against a broker in memory that checks every batch and answers late by a known time.
#include "load/kafka_run.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "load/fake_kafka_server.h"
#include "load/replay_check.h"
#include "model/record_batch_builder.h"
#include "model/record_reader.h"

namespace millrace::load {
namespace {

using std::chrono::milliseconds;
constexpr std::uint64_t kMs = 1'000'000;

KafkaPlan short_plan(const FakeKafkaServer& server) {
  KafkaPlan plan;
  plan.port = server.port();
  plan.partitions = 6;
  plan.batch_bytes = 4'000;
  plan.warmup = 0.05;
  plan.duration = 0.3;
  return plan;
}

TEST(BatchTemplate, EveryCountGivesAValidBatch) {
  for (const bool keyed : {false, true}) {
    const BatchTemplate batch(100, 3'000,
                              keyed ? std::vector<std::string>{"a", "bb", "ccc"} : std::vector<std::string>{});
    EXPECT_GT(batch.max_records(), 20U);
    EXPECT_LE(batch.size(batch.max_records()), 3'000U);
    for (std::uint32_t n = 1; n <= batch.max_records(); ++n) {
      Buffer out;
      out.append("before");
      batch.append(out, n, {.timestamp_ms = 5, .producer = ProducerId(9), .epoch = 0, .base_sequence = 70},
                   [](std::uint32_t i) { return 1'000 + i; });
      const ByteView bytes = out.view(6, out.size() - 6);
      ASSERT_EQ(bytes.size(), batch.size(n));
      const Result<BatchHeader> header = validate_produced_batch(bytes);
      ASSERT_TRUE(header) << header.error().message();
      EXPECT_EQ(header->record_count, static_cast<std::int32_t>(n));
      EXPECT_EQ(header->base_sequence, 70);
      RecordReader reader = RecordReader::of_batch(*header, bytes);
      for (std::uint32_t i = 0; i < n; ++i) {
        const Result<ReadRecord> record = reader.next();
        ASSERT_TRUE(record);
        EXPECT_EQ(record->record.value->size(), 100U);
        EXPECT_EQ(load_be<std::uint64_t>(record->record.value->data()), 1'000 + i);
        EXPECT_EQ(record->record.key.has_value(), keyed);
        EXPECT_EQ(record->record.timestamp_ms, 5);
      }
      EXPECT_TRUE(reader.finish());
    }
  }
  EXPECT_EQ(BatchTemplate(10'000, 100, {}).max_records(), 1U);
}

TEST(KafkaRun, ClosedLoopSendsValidBatchesAndLosesNone) {
  for (const bool idempotent : {false, true}) {
    for (const std::int64_t batches : {1, 4}) {
      FakeKafkaServer server({});
      KafkaPlan plan = short_plan(server);
      plan.idempotent = idempotent;
      plan.batches_per_request = batches;
      plan.producers = 2;
      plan.keys = 100;
      plan.duration = 0.1;
      const Result<KafkaResult> result = KafkaRun(plan).run();
      ASSERT_TRUE(result) << result.error().message();
      server.stop();
      EXPECT_TRUE(server.problems.empty()) << server.problems[0];
      EXPECT_GT(result->total_sent, 100U);
      EXPECT_EQ(result->total_acknowledged, result->total_sent);
      EXPECT_EQ(server.batches * result->records_per_batch, result->total_sent);
      EXPECT_EQ(result->lost_connections, 0U) << result->first_trouble;
      EXPECT_EQ(result->partitions, 6);
    }
  }
}

TEST(KafkaRun, OpenLoopKeepsRateAndShowsAKnownDelay) {
  FakeKafkaServer server({.answer_after = milliseconds(25)});
  KafkaPlan plan = short_plan(server);
  plan.rate = 5'000;
  plan.linger = 0.004;
  plan.in_flight = 1'000;
  plan.batches_per_request = 6;
  plan.idempotent = false;
  const Result<KafkaResult> result = KafkaRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  server.stop();
  EXPECT_TRUE(server.problems.empty()) << server.problems[0];
  EXPECT_EQ(result->total_acknowledged, result->total_sent);
  EXPECT_LE(result->total_sent, 1'751U);  // what is due within 0.35 s
  EXPECT_GE(result->total_sent, 500U);
  EXPECT_GE(result->acknowledgement.min(), 25 * kMs);
  EXPECT_LT(result->acknowledgement.min(), 60 * kMs);
}

TEST(KafkaRun, ANarrowPipelineIsChargedToTheRecords) {
  // One request at a time and 20 ms each: 50 requests/s of one batch cannot carry what is due, so the wait must show.
  FakeKafkaServer server({.answer_after = milliseconds(20)});
  KafkaPlan plan = short_plan(server);
  plan.rate = 5'000;
  plan.in_flight = 1;
  plan.drain = 0.1;
  const Result<KafkaResult> result = KafkaRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_GT(result->acknowledgement.at_share(0.9), 100 * kMs);
}

TEST(KafkaRun, ConsumersReadWhatWasProducedAndItsAge) {
  FakeKafkaServer server({});
  KafkaPlan plan = short_plan(server);
  plan.rate = 2'000;
  plan.consumers = 2;
  const Result<KafkaResult> result = KafkaRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->total_fetched, result->total_acknowledged);
  EXPECT_GT(result->end_to_end.count(), 0U);
  EXPECT_GT(result->end_to_end.min(), 0U);

  plan.producers = 0;
  plan.rate = 0;
  plan.fetch_bytes = 5'000;
  const Result<KafkaResult> again = KafkaRun(plan).run();
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->reached_end);
  EXPECT_EQ(again->records_there, static_cast<std::int64_t>(result->total_acknowledged));
  EXPECT_EQ(again->total_fetched, result->total_acknowledged);
}

TEST(KafkaRun, ErrorsOfTheBrokerAreCountedAndNamed) {
  FakeKafkaServer server({.refuse_every = 5});
  KafkaPlan plan = short_plan(server);
  plan.duration = 0.1;
  const Result<KafkaResult> result = KafkaRun(plan).run();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_GT(result->refused, 0U);
  EXPECT_EQ(result->refused + result->total_acknowledged, result->total_sent);
  EXPECT_NE(result->first_trouble.find("REQUEST_TIMED_OUT"), std::string::npos);
  plan.topic = "absent";
  plan.create = false;
  const Result<KafkaResult> absent = KafkaRun(plan).run();
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::not_found);
}

TEST(ReadTopics, BringsEveryRecordOfEveryPartitionToTheCheck) {
  const std::string path = testing::TempDir() + "read_topics_test.csv";
  std::ofstream(path) << "id,v\na,1\na,2\nb,1\n";
  ReplayMapping mapping;
  mapping.key = "id";
  auto script = ReplayScript::load({path}, mapping, "run", 0);
  ASSERT_TRUE(script);
  FakeKafkaServer server({.partitions = 2});
  for (std::size_t d = 0; d < 2; ++d) {
    const ReplayScript::Device& device = script->devices()[d];
    for (std::size_t i = 0; i < device.events.size(); ++i) {
      Buffer message;
      script->write_message(device, i, message);
      RecordBatchBuilder builder;
      builder.append({as_bytes(device.name), message.view(), {}, 0});
      const SharedBytes batch = builder.finish();
      server.preload("message-log", static_cast<std::int32_t>(d), batch.view());
    }
  }
  ReplayCheck check(*script, {});
  const Result<std::uint64_t> records = read_topics("127.0.0.1", server.port(), {"message-log"}, check);
  ASSERT_TRUE(records) << records.error().message();
  EXPECT_EQ(*records, 3U);
  EXPECT_TRUE(check.findings().good());
  EXPECT_FALSE(read_topics("127.0.0.1", server.port(), {"absent"}, check));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace millrace::load

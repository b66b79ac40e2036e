// Produce and Fetch: durability before the answer, no copies, KIP-74 limits, long polling, and the error codes of both.
#include <gtest/gtest.h>

#include "codec/compression.h"
#include "kafka/server/error_codes.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

class ProduceTest : public ServerFixture {
 protected:
  ProduceTest() { settings.decompressed_max_bytes = 50'000; }
  ProduceResponse::PartitionProduceResponse produce(const ProduceRequest& request, std::int16_t version = 8) {
    WireClient& client = connect();
    const auto id = client.send(ApiKey::produce, version, request);
    executor.run();
    const auto response = client.take<ProduceResponse>(ApiKey::produce, version, id);
    if (response.responses.empty()) return {};
    return response.responses[0].partition_responses.at(0);
  }
};

// The same records, compressed.
SharedBytes compressed(const SharedBytes& batch, Compression codec) {
  Buffer out;
  out.append(batch.view().first(kBatchHeaderSize));
  EXPECT_TRUE(compress(static_cast<CompressionCodec>(codec), batch.view().subspan(kBatchHeaderSize), out));
  SharedBytes made(std::move(out));
  store_be(made.mutable_data() + 8, static_cast<std::int32_t>(made.size() - kBatchOverhead));
  made.mutable_data()[22] = static_cast<std::uint8_t>(codec);
  store_be(made.mutable_data() + 17, compute_batch_crc(made.view()));
  return made;
}

TEST_F(ProduceTest, AnswersOnlyWhenDurableAtEveryVersion) {
  std::int64_t expected = 0;
  for (std::int16_t version = 3; version <= 11; ++version) {
    SCOPED_TRACE(version);
    log.hold_appends = true;
    WireClient& client = connect();
    const SharedBytes batch = batch_of({"a", "b"});
    const auto id = client.send(ApiKey::produce, version, produce_request(batch.view()));
    executor.run();
    EXPECT_EQ(client.peek(), std::nullopt);
    log.commit();
    executor.run();
    const auto response = client.take<ProduceResponse>(ApiKey::produce, version, id);
    const auto& partition = response.responses.at(0).partition_responses.at(0);
    EXPECT_EQ(response.responses[0].name, "events");
    EXPECT_EQ(partition.error_code, 0);
    EXPECT_EQ(partition.base_offset, expected);
    EXPECT_EQ(partition.log_append_time_ms, -1);
    expected += 2;
  }
  EXPECT_EQ(metrics.records_produced.value(), 18U);
}

TEST_F(ProduceTest, BatchesAreNotCopiedOnTheirWayToTheLog) {
  log.hold_appends = true;
  WireClient& client = connect();
  const SharedBytes first = batch_of({"a"});
  std::string both(as_text(first.view()));
  both += as_text(first.view());
  client.send(ApiKey::produce, 8, produce_request(as_bytes(both)));
  log.commit();
  executor.run();
  const auto read = log.partition("events", 0).read(Offset(0), 1000);
  ASSERT_EQ(read->batches.size(), 2U) << "several batches of one entry are appended one by one";
  EXPECT_EQ(read->batches[0].data() + read->batches[0].size(), read->batches[1].data())
      << "both share the frame's memory";
}

TEST_F(ProduceTest, AcksZeroHasNoAnswerAndARefusalCloses) {
  WireClient& client = connect();
  const SharedBytes batch = batch_of({"a"});
  client.send(ApiKey::produce, 8, produce_request(batch.view(), 0));
  executor.run();
  EXPECT_EQ(client.peek(), std::nullopt);
  EXPECT_FALSE(client.wire.closed);
  EXPECT_EQ(log.partition("events", 0).high_watermark(), Offset(1));
  client.send(ApiKey::produce, 8, produce_request(batch.view(), 0, "nowhere"));
  executor.run();
  EXPECT_TRUE(client.wire.closed);
  EXPECT_EQ(closed(CloseReason::produce_refused), 1U);
}

TEST_F(ProduceTest, RefusalsHaveKafkasCodes) {
  const SharedBytes good = batch_of({"a"});
  const auto error = [this](const ProduceRequest& request, std::int16_t version = 8) {
    return static_cast<KafkaError>(produce(request, version).error_code);
  };
  EXPECT_EQ(error(produce_request(good.view(), -1, "nowhere")), KafkaError::unknown_topic_or_partition);
  EXPECT_EQ(error(produce_request(good.view(), -1, "events", 2)), KafkaError::unknown_topic_or_partition);
  EXPECT_EQ(error(produce_request(good.view(), -1, "events", -1)), KafkaError::unknown_topic_or_partition);
  EXPECT_EQ(error(produce_request(good.view(), 2)), KafkaError::invalid_required_acks);
  EXPECT_EQ(error(produce_request({})), KafkaError::invalid_record);
  SharedBytes bad = SharedBytes::copy_of(good.view());
  bad.mutable_data()[bad.size() - 1] ^= 1;
  EXPECT_EQ(error(produce_request(bad.view())), KafkaError::corrupt_message);
  EXPECT_EQ(error(produce_request(good.view().first(good.size() - 1))), KafkaError::corrupt_message);
  SharedBytes old = SharedBytes::copy_of(good.view());
  old.mutable_data()[16] = 1;
  EXPECT_EQ(error(produce_request(old.view())), KafkaError::unsupported_for_message_format);
  SharedBytes transactional = SharedBytes::copy_of(good.view());
  transactional.mutable_data()[22] |= 0x10;
  store_be(transactional.mutable_data() + 17, compute_batch_crc(transactional.view()));
  EXPECT_EQ(error(produce_request(transactional.view())), KafkaError::invalid_txn_state);
  const SharedBytes zstd = compressed(good, Compression::zstd);
  EXPECT_EQ(error(produce_request(zstd.view()), 6), KafkaError::unsupported_compression);
  EXPECT_EQ(error(produce_request(zstd.view()), 7), KafkaError::none);
  SharedBytes noise = SharedBytes::copy_of(good.view());
  noise.mutable_data()[22] |= 4;
  store_be(noise.mutable_data() + 17, compute_batch_crc(noise.view()));
  EXPECT_EQ(error(produce_request(noise.view())), KafkaError::invalid_record) << "does not decompress";
  const SharedBytes large = compressed(batch_of({std::string(100'000, 'x')}), Compression::gzip);
  EXPECT_EQ(error(produce_request(large.view())), KafkaError::message_too_large) << "when decompressed";
  ASSERT_TRUE(log.create({.name = "compacted", .partitions = 1, .config = {{"cleanup.policy", "compact"}}}));
  const auto keyless = produce(produce_request(good.view(), -1, "compacted"));
  EXPECT_EQ(keyless.error_code, code(KafkaError::invalid_record));
  ASSERT_EQ(keyless.record_errors.size(), 1U);
  EXPECT_EQ(keyless.record_errors[0].batch_index, 0);
  ASSERT_TRUE(log.create({.name = "__own", .partitions = 1, .config = {}, .internal = true}));
  EXPECT_EQ(error(produce_request(good.view(), -1, "__own")), KafkaError::invalid_topic);
  EXPECT_EQ(log.partition("events", 0).high_watermark(), Offset(1)) << "only the accepted one was written";
}

TEST_F(ProduceTest, OneRefusedBatchRefusesItsEntryOnly) {
  const SharedBytes good = batch_of({"a"});
  std::string mixed(as_text(good.view()));
  mixed += as_text(good.view());
  mixed.back() = static_cast<char>(mixed.back() ^ 1);
  ProduceRequest request = produce_request(as_bytes(mixed));
  request.topic_data[0].partition_data.push_back({1, good.view()});
  WireClient& client = connect();
  const auto id = client.send(ApiKey::produce, 8, request);
  executor.run();
  const auto response = client.take<ProduceResponse>(ApiKey::produce, 8, id);
  const auto& partitions = response.responses.at(0).partition_responses;
  EXPECT_EQ(partitions.at(0).error_code, code(KafkaError::corrupt_message));
  EXPECT_EQ(partitions.at(1).error_code, 0);
  EXPECT_EQ(log.partition("events", 0).high_watermark(), Offset(0));
  EXPECT_EQ(log.partition("events", 1).high_watermark(), Offset(1));
}

TEST_F(ProduceTest, ErrorsOfTheLogAreTranslated) {
  const SharedBytes good = batch_of({"a"});
  const std::pair<ErrorCode, KafkaError> table[] = {{ErrorCode::out_of_order, KafkaError::out_of_order_sequence},
                                                    {ErrorCode::fenced, KafkaError::invalid_producer_epoch},
                                                    {ErrorCode::too_large, KafkaError::message_too_large},
                                                    {ErrorCode::not_found, KafkaError::unknown_topic_or_partition},
                                                    {ErrorCode::closed, KafkaError::kafka_storage_error}};
  for (const auto& [error, kafka] : table) {
    log.append_error = Error{error, "test", {}};
    const auto answer = produce(produce_request(good.view()));
    EXPECT_EQ(answer.error_code, code(kafka));
    EXPECT_EQ(answer.base_offset, -1);
    EXPECT_EQ(answer.error_message, "test");
  }
}

class FetchTest : public ServerFixture {
 protected:
  static std::string records(const FetchResponse& response, std::size_t partition = 0) {
    return std::string(as_text(response.responses.at(0).partitions.at(partition).records->bytes));
  }
};

TEST_F(FetchTest, GivesBatchesAtEveryVersion) {
  put({"a", "b"});
  put({"c"});
  for (std::int16_t version = 4; version <= 12; ++version) {
    SCOPED_TRACE(version);
    WireClient& client = connect();
    const auto id = client.send(ApiKey::fetch, version, fetch_request(0));
    const auto response = client.take<FetchResponse>(ApiKey::fetch, version, id);
    const auto& partition = response.responses.at(0).partitions.at(0);
    EXPECT_EQ(partition.error_code, 0);
    EXPECT_EQ(partition.high_watermark, 3);
    EXPECT_EQ(partition.last_stable_offset, 3);
    EXPECT_EQ(response.session_id, 0);
    const auto header = parse_batch_header(partition.records->bytes);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->record_count, 2);
  }
}

TEST_F(FetchTest, LargeBatchesLeaveWithoutACopy) {
  log.partition("events", 0).append(batch_of({std::string(10'000, 'x')}));
  WireClient& client = connect();
  client.send(ApiKey::fetch, 11, fetch_request(0));
  ASSERT_EQ(client.wire.shared.size(), 1U);
  EXPECT_EQ(client.wire.shared[0].data(), log.partition("events", 0).read(Offset(0), 1)->batches[0].data());
}

TEST_F(FetchTest, WaitsForDataAndWakesWhenItIsDurable) {
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, fetch_request(0, 500));
  executor.advance(std::chrono::milliseconds(499));
  EXPECT_EQ(client.peek(), std::nullopt);
  put({"late"});
  executor.run();
  EXPECT_FALSE(records(client.take<FetchResponse>(ApiKey::fetch, 11, id)).empty());
  EXPECT_LE(executor.timers(), 1U);
}

TEST_F(FetchTest, GivesUpAfterMaxWaitWithNothing) {
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, fetch_request(0, 500));
  executor.advance(std::chrono::milliseconds(500));
  const auto response = client.take<FetchResponse>(ApiKey::fetch, 11, id);
  EXPECT_EQ(response.responses.at(0).partitions.at(0).error_code, 0);
  EXPECT_EQ(records(response), "");
}

TEST_F(FetchTest, MinBytesIsWaitedFor) {
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, fetch_request(0, 500, 200));
  put({"one"});
  executor.run();
  EXPECT_EQ(client.peek(), std::nullopt);
  put({"two"});
  put({"three"});
  executor.run();
  EXPECT_GE(records(client.take<FetchResponse>(ApiKey::fetch, 11, id)).size(), 200U);
}

TEST_F(FetchTest, AQuietPartitionGathersNoWaits) {
  WireClient& client = connect();
  FetchRequest request = fetch_request(0, 500);
  request.topics[0].partitions.push_back({.partition = 1, .fetch_offset = 0, .partition_max_bytes = 1000});
  for (int i = 0; i < 50; ++i) {
    request.topics[0].partitions[0].fetch_offset = i;
    const auto id = client.send(ApiKey::fetch, 11, request);
    put({"x"});
    executor.run();
    client.take<FetchResponse>(ApiKey::fetch, 11, id);
  }
  EXPECT_LE(log.partition("events", 1).waiting(), 1U);
  EXPECT_LE(endpoint().watches().size(), 2U);
}

TEST_F(FetchTest, TwoConsumersOfOnePartitionBothWake) {
  WireClient& a = connect();
  WireClient& b = connect();
  const auto id_a = a.send(ApiKey::fetch, 11, fetch_request(0, 500));
  const auto id_b = b.send(ApiKey::fetch, 11, fetch_request(0, 500));
  put({"x"});
  executor.run();
  a.take<FetchResponse>(ApiKey::fetch, 11, id_a);
  b.take<FetchResponse>(ApiKey::fetch, 11, id_b);
}

TEST_F(FetchTest, ADeletedTopicEndsTheWait) {
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, fetch_request(0, 500));
  ASSERT_TRUE(log.remove("events"));
  executor.run();
  const auto response = client.take<FetchResponse>(ApiKey::fetch, 11, id);
  EXPECT_EQ(response.responses.at(0).partitions.at(0).error_code, code(KafkaError::unknown_topic_or_partition));
}

TEST_F(FetchTest, OneBatchAlwaysFitsAndTheSecondPartitionRespectsTheLimit) {
  const std::string large(5000, 'x');
  put({large}, 0);
  put({large}, 1);
  FetchRequest request = fetch_request(0);
  request.max_bytes = 100;
  request.topics[0].partitions[0].partition_max_bytes = 10;
  request.topics[0].partitions.push_back({.partition = 1, .fetch_offset = 0, .partition_max_bytes = 10});
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, request);
  const auto response = client.take<FetchResponse>(ApiKey::fetch, 11, id);
  EXPECT_GT(records(response, 0).size(), 5000U);
  EXPECT_EQ(records(response, 1), "");
}

TEST_F(FetchTest, WhatLiesOnDiskIsReadElsewhereAndAnswersKeepTheirOrder) {
  put({"cold"});
  log.partition("events", 0).on_disk = true;
  WireClient& client = connect();
  const auto first = client.send(ApiKey::fetch, 11, fetch_request(0, 500));
  executor.run();
  EXPECT_EQ(client.peek(), std::nullopt) << "the loop does not wait for the disk";
  EXPECT_TRUE(client.wire.paused) << "one read of the disk at a time";
  const auto second = client.send(ApiKey::fetch, 11, fetch_request(0, 500, 1, 1));
  put({"hot"}, 1);
  disk.run();
  executor.run();
  EXPECT_FALSE(records(client.take<FetchResponse>(ApiKey::fetch, 11, first)).empty());
  EXPECT_FALSE(records(client.take<FetchResponse>(ApiKey::fetch, 11, second)).empty());
  EXPECT_FALSE(client.wire.paused);
}

TEST_F(FetchTest, ATimerThatRunsOutDuringAReadWaitsForIt) {
  put({"cold"});
  log.partition("events", 0).on_disk = true;
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, fetch_request(0, 500, 1'000'000));
  executor.advance(std::chrono::milliseconds(600));
  EXPECT_EQ(client.peek(), std::nullopt);
  disk.run();
  executor.run();
  EXPECT_FALSE(records(client.take<FetchResponse>(ApiKey::fetch, 11, id)).empty());
}

TEST_F(FetchTest, TooLittleOnDiskWaitsForMore) {
  put({"cold"});
  log.partition("events", 0).on_disk = true;
  WireClient& client = connect();
  const auto id = client.send(ApiKey::fetch, 11, fetch_request(0, 500, 100));
  disk.run();
  executor.run();
  EXPECT_EQ(client.peek(), std::nullopt);
  put({std::string(100, 'x')});
  executor.run();
  disk.run();
  executor.run();
  EXPECT_GT(records(client.take<FetchResponse>(ApiKey::fetch, 11, id)).size(), 100U);
}

TEST_F(FetchTest, AClientThatGoesDuringAReadLeavesNothingBehind) {
  put({"cold"});
  log.partition("events", 0).on_disk = true;
  WireClient& client = connect();
  client.send(ApiKey::fetch, 11, fetch_request(0, 500));
  client.stream().close();
  executor.run();
  disk.run();
  executor.run();
  EXPECT_EQ(endpoint().connections(), 0U);
  executor.advance(std::chrono::milliseconds(10));
  EXPECT_LE(executor.timers(), 1U) << "but the one that looks for idle connections";
}

TEST_F(FetchTest, ErrorsAnswerAtOnce) {
  put({"a"});
  const auto error = [this](const FetchRequest& request, std::int16_t version = 11) {
    WireClient& client = connect();
    const auto id = client.send(ApiKey::fetch, version, request);
    const auto response = client.take<FetchResponse>(ApiKey::fetch, version, id);
    if (response.error_code != 0 || response.responses.empty()) return static_cast<KafkaError>(response.error_code);
    return static_cast<KafkaError>(response.responses[0].partitions.at(0).error_code);
  };
  EXPECT_EQ(error(fetch_request(2, 1000)), KafkaError::offset_out_of_range);
  EXPECT_EQ(error(fetch_request(-1, 1000)), KafkaError::offset_out_of_range);
  EXPECT_EQ(error(fetch_request(0, 1000, 1, 7)), KafkaError::unknown_topic_or_partition);
  FetchRequest ahead = fetch_request(0, 1000);
  ahead.topics[0].partitions[0].current_leader_epoch = 5;
  EXPECT_EQ(error(ahead), KafkaError::unknown_leader_epoch);
  FetchRequest session = fetch_request(0, 1000);
  session.session_id = 5;
  session.session_epoch = 1;
  EXPECT_EQ(error(session), KafkaError::fetch_session_id_not_found);
  log.partition("events", 0).read_error = Error{ErrorCode::corrupt, "batch", {}};
  EXPECT_EQ(error(fetch_request(0, 1000)), KafkaError::corrupt_message);
  EXPECT_EQ(metrics.damaged_reads.value(), 1U);
}

}  // namespace
}  // namespace millrace::kafka::testing

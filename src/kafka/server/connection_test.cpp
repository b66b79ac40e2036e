// What holds for every request: order of answers, splits of the stream, back-pressure, refusal of bad input, draining.
#include "kafka/server/connection.h"

#include <gtest/gtest.h>

#include "kafka/protocol/messages/api_versions.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/testing/server_fixture.h"

namespace millrace::kafka::testing {
namespace {

class ConnectionTest : public ServerFixture {};

TEST_F(ConnectionTest, AnswersComeInTheOrderOfRequests) {
  log.hold_appends = true;
  WireClient& client = connect();
  const SharedBytes batch = batch_of({"a"});
  const auto produce = client.send(ApiKey::produce, 8, produce_request(batch.view()));
  const auto versions = client.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  const auto wait = client.send(ApiKey::fetch, 11, fetch_request(0, 500, 1'000'000));
  const auto last = client.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  executor.run();
  EXPECT_EQ(client.peek(), std::nullopt) << "the second answer must wait for the first";
  log.commit();
  executor.run();
  client.take<ProduceResponse>(ApiKey::produce, 8, produce);
  client.take<ApiVersionsResponse>(ApiKey::api_versions, 0, versions);
  EXPECT_EQ(client.peek(), std::nullopt);
  executor.advance(std::chrono::milliseconds(500));
  client.take<FetchResponse>(ApiKey::fetch, 11, wait);
  client.take<ApiVersionsResponse>(ApiKey::api_versions, 0, last);
}

TEST_F(ConnectionTest, EverySplitOfTheStreamIsUnderstood) {
  const SharedBytes batch = batch_of({"a", "b"});
  const std::string bytes = frame(ApiKey::api_versions, 3, 1, ApiVersionsRequest{"c", "1"}) +
                            frame(ApiKey::produce, 9, 2, produce_request(batch.view())) +
                            frame(ApiKey::metadata, 12, 3, MetadataRequest{});
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    WireClient& client = connect();
    client.feed(std::string_view(bytes).substr(0, cut));
    client.feed(std::string_view(bytes).substr(cut));
    executor.run();
    client.take<ApiVersionsResponse>(ApiKey::api_versions, 3, 1);
    const auto produced = client.take<ProduceResponse>(ApiKey::produce, 9, 2);
    EXPECT_EQ(produced.responses.at(0).partition_responses.at(0).base_offset, static_cast<std::int64_t>(2 * cut));
    client.take<MetadataResponse>(ApiKey::metadata, 12, 3);
  }
  WireClient& client = connect();
  for (const char byte : bytes) client.feed(std::string_view(&byte, 1));
  executor.run();
  client.take<ApiVersionsResponse>(ApiKey::api_versions, 3, 1);
}

TEST_F(ConnectionTest, ALargeFrameArrivesWholeWhereverItIsCut) {
  const SharedBytes batch = batch_of({std::string(300'000, 'x')});
  const std::string small = frame(ApiKey::api_versions, 0, 1, ApiVersionsRequest{});
  const std::string bytes = small + frame(ApiKey::produce, 9, 2, produce_request(batch.view())) +
                            frame(ApiKey::metadata, 12, 3, MetadataRequest{});
  for (const std::size_t cut :
       {small.size() + 2, small.size() + 4, small.size() + 5, std::size_t{200'000}, bytes.size() - 3}) {
    WireClient& client = connect();
    client.feed(std::string_view(bytes).substr(0, cut));
    client.feed(std::string_view(bytes).substr(cut));
    executor.run();
    client.take<ApiVersionsResponse>(ApiKey::api_versions, 0, 1);
    const auto produced = client.take<ProduceResponse>(ApiKey::produce, 9, 2);
    EXPECT_EQ(produced.responses.at(0).partition_responses.at(0).error_code, 0);
    client.take<MetadataResponse>(ApiKey::metadata, 12, 3);
  }
}

TEST_F(ConnectionTest, BadInputClosesThatConnectionWithItsReason) {
  const auto expect_close = [this](std::string bytes, CloseReason reason) {
    WireClient& client = connect();
    const std::uint64_t before = closed(reason);
    client.feed(bytes);
    executor.run();
    EXPECT_TRUE(client.wire.closed) << to_string(reason);
    EXPECT_EQ(closed(reason), before + 1) << to_string(reason);
  };
  expect_close("GET / HTTP/1.1\r\n\r\n", CloseReason::frame_size);
  expect_close(std::string("\xFF\xFF\xFF\xFF", 4), CloseReason::frame_size);
  std::string unknown_key = frame(ApiKey::metadata, 0, 1, MetadataRequest{});
  unknown_key[4] = 0x11;
  expect_close(unknown_key, CloseReason::unknown_api);
  std::string unknown_version = frame(ApiKey::metadata, 0, 1, MetadataRequest{});
  unknown_version[7] = 99;
  expect_close(unknown_version, CloseReason::unsupported_version);
  std::string old_produce = frame(ApiKey::produce, 3, 1, ProduceRequest{});
  old_produce[7] = 2;
  expect_close(old_produce, CloseReason::unsupported_version);
  std::string cut_body = frame(ApiKey::metadata, 1, 1, MetadataRequest{});
  cut_body.resize(cut_body.size() - 1);
  store_be(reinterpret_cast<std::uint8_t*>(cut_body.data()), static_cast<std::int32_t>(cut_body.size() - 4));
  expect_close(cut_body, CloseReason::malformed_request);
  EXPECT_EQ(endpoint().connections(), 0U);
  EXPECT_EQ(metrics.connections.value(), 0);
}

TEST_F(ConnectionTest, FramesAreSmallUntilTheFirstValidRequest) {
  settings.first_request_max_bytes = 1000;
  std::string size(4, '\0');
  store_be(reinterpret_cast<std::uint8_t*>(size.data()), std::int32_t{1001});
  WireClient& stranger = connect();
  stranger.feed(size);
  executor.run();
  EXPECT_TRUE(stranger.wire.closed);
  WireClient& known = connect();
  known.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  known.feed(size);
  executor.run();
  EXPECT_FALSE(known.wire.closed);
}

TEST_F(ConnectionTest, TooMuchInFlightStopsReadingAndNothingIsLost) {
  log.hold_appends = true;
  settings.connection_in_flight_requests = 3;
  WireClient& client = connect();
  const SharedBytes batch = batch_of({"a"});
  for (int i = 0; i < 10; ++i) client.send(ApiKey::produce, 8, produce_request(batch.view()));
  EXPECT_TRUE(client.wire.paused);
  EXPECT_EQ(log.held(), 3U);
  for (int round = 0; round < 4; ++round) {
    log.commit();
    executor.run();
  }
  for (int i = 1; i <= 10; ++i) client.take<ProduceResponse>(ApiKey::produce, 8, i);
  EXPECT_FALSE(client.wire.paused);
  EXPECT_EQ(log.partition("events", 0).high_watermark(), Offset(10));
}

TEST_F(ConnectionTest, BytesInFlightCountToo) {
  log.hold_appends = true;
  settings.connection_in_flight_bytes = 5000;
  WireClient& client = connect();
  const SharedBytes batch = batch_of({std::string(3000, 'x')});
  for (int i = 0; i < 3; ++i) client.send(ApiKey::produce, 8, produce_request(batch.view()));
  EXPECT_EQ(log.held(), 2U);
  EXPECT_TRUE(client.wire.paused);
}

TEST_F(ConnectionTest, ACongestedLogIsWaitedForByProducers) {
  WireClient& client = connect();
  log.congested_now = log.hold_appends = true;
  const SharedBytes batch = batch_of({"a"});
  const auto id = client.send(ApiKey::produce, 8, produce_request(batch.view()));
  const auto next = client.send(ApiKey::produce, 8, produce_request(batch.view()));
  EXPECT_TRUE(client.wire.paused);
  EXPECT_EQ(log.held(), 1U);
  executor.advance(std::chrono::seconds(5));
  EXPECT_EQ(client.peek(), std::nullopt);
  EXPECT_FALSE(client.wire.closed);
  log.congested_now = log.hold_appends = false;
  log.commit();
  executor.advance(std::chrono::milliseconds(10));
  client.take<ProduceResponse>(ApiKey::produce, 8, id);
  client.take<ProduceResponse>(ApiKey::produce, 8, next);
}

// A producer with Nagle's algorithm holds its next request back until the one before is acknowledged by the kernel.
TEST_F(ConnectionTest, WhatWaitsForTheLogIsAcknowledgedToTheKernelAtOnce) {
  log.hold_appends = true;
  WireClient& client = connect();
  client.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  EXPECT_EQ(client.wire.acknowledged_at_once, 0) << "the answer tells it";
  const SharedBytes small = batch_of({"a"});
  client.send(ApiKey::produce, 8, produce_request(small.view()));
  EXPECT_EQ(client.wire.acknowledged_at_once, 1);
  const SharedBytes large = batch_of({std::string(300'000, 'x')});
  client.send(ApiKey::produce, 8, produce_request(large.view()));
  EXPECT_GE(client.wire.acknowledged_at_once, 2);
}

TEST_F(ConnectionTest, ACongestedLogIsNoConcernOfThoseWhoOnlyAsk) {
  log.congested_now = log.hold_appends = true;
  const SharedBytes batch = batch_of({"a"});
  connect().send(ApiKey::produce, 8, produce_request(batch.view()));
  WireClient& client = connect();
  const auto id = client.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  EXPECT_FALSE(client.wire.paused);
  client.take<ApiVersionsResponse>(ApiKey::api_versions, 0, id);
}

TEST_F(ConnectionTest, AFullLoopReadsSmallRequestsOfThoseWithoutAShareInIt) {
  log.hold_appends = true;
  settings.loop_in_flight_bytes = 1000;
  const SharedBytes batch = batch_of({std::string(3000, 'x')});
  WireClient& producer = connect();
  producer.send(ApiKey::produce, 8, produce_request(batch.view()));
  EXPECT_TRUE(producer.wire.paused);

  WireClient& asking = connect();
  asking.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  EXPECT_FALSE(asking.wire.paused);
  asking.take<ApiVersionsResponse>(ApiKey::api_versions, 0, 1);
  std::string size(4, '\0');
  store_be(reinterpret_cast<std::uint8_t*>(size.data()), std::int32_t{1'000'000});
  asking.feed(size);
  EXPECT_TRUE(asking.wire.paused) << "a large request waits until there is room for it";

  log.commit();
  executor.advance(std::chrono::milliseconds(10));
  EXPECT_FALSE(asking.wire.paused);
}

TEST_F(ConnectionTest, AClientThatDoesNotReadIsNotRead) {
  WireClient& client = connect();
  client.stream().pending = settings.connection_pending_bytes + 1;
  client.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  EXPECT_TRUE(client.wire.paused);
  client.stream().drained();
  executor.run();
  client.take<ApiVersionsResponse>(ApiKey::api_versions, 0, 1);
}

TEST_F(ConnectionTest, AnswersForAClientThatLeftAreDropped) {
  log.hold_appends = true;
  WireClient& client = connect();
  const SharedBytes batch = batch_of({"a"});
  client.send(ApiKey::produce, 8, produce_request(batch.view()));
  client.send(ApiKey::fetch, 11, fetch_request(5, 100'000'000));
  client.stream().abort();
  executor.run();
  EXPECT_EQ(endpoint().connections(), 0U);
  log.commit();
  executor.run();
  EXPECT_EQ(log.partition("events", 0).high_watermark(), Offset(1)) << "what was taken in is written all the same";
  EXPECT_LE(executor.timers(), 1U) << "only the idle sweep";
}

TEST_F(ConnectionTest, DrainingAnswersWhatWasTakenAndThenCloses) {
  log.hold_appends = true;
  WireClient& producer = connect();
  WireClient& consumer = connect();
  WireClient& quiet = connect();
  const SharedBytes batch = batch_of({"a"});
  const auto produce = producer.send(ApiKey::produce, 8, produce_request(batch.view()));
  const auto fetch = consumer.send(ApiKey::fetch, 11, fetch_request(0, 100'000));
  bool drained = false;
  endpoint().drain([&drained] { drained = true; });
  executor.run();
  EXPECT_TRUE(quiet.wire.closed);
  EXPECT_TRUE(consumer.wire.closed);
  consumer.take<FetchResponse>(ApiKey::fetch, 11, fetch);
  EXPECT_FALSE(drained);
  producer.send(ApiKey::api_versions, 0, ApiVersionsRequest{});
  log.commit();
  executor.run();
  producer.take<ProduceResponse>(ApiKey::produce, 8, produce);
  EXPECT_EQ(producer.peek(), std::nullopt) << "no request is taken while draining";
  EXPECT_TRUE(producer.wire.closed);
  EXPECT_TRUE(drained);
}

TEST_F(ConnectionTest, ConnectionsOverTheLimitAreClosed) {
  settings.max_connections = 1;
  WireClient& first = connect();
  WireClient& second = connect();
  EXPECT_TRUE(first.wire.alive);
  EXPECT_FALSE(second.wire.alive);
  EXPECT_EQ(closed(CloseReason::too_many), 1U);
}

TEST_F(ConnectionTest, IdleConnectionsAreClosedAndWaitingOnesAreNot) {
  WireClient& quiet = connect();
  WireClient& waiting = connect();
  waiting.send(ApiKey::fetch, 11, fetch_request(0, 10'000'000));
  executor.advance(settings.idle_timeout * 3 / 2);
  EXPECT_TRUE(quiet.wire.closed);
  EXPECT_FALSE(waiting.wire.closed);
  EXPECT_EQ(closed(CloseReason::idle), 1U);
}

}  // namespace
}  // namespace millrace::kafka::testing

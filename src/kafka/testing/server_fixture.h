// ServerFixture: an Endpoint on a hand-turned executor with a log in memory, and what most tests of handlers need
// around it.
#pragma once

#include <gtest/gtest.h>

#include "kafka/groups/groups.h"
#include "kafka/protocol/messages/fetch.h"
#include "kafka/protocol/messages/produce.h"
#include "kafka/server/endpoint.h"
#include "kafka/testing/manual_executor.h"
#include "kafka/testing/memory_topic_log.h"
#include "kafka/testing/wire_client.h"
#include "metrics/registry.h"
#include "model/record_batch_builder.h"

namespace millrace::kafka::testing {

inline SharedBytes batch_of(std::initializer_list<std::string_view> values, std::int64_t timestamp_ms = 1000) {
  RecordBatchBuilder builder;
  for (const std::string_view value : values) {
    builder.append({.key = std::nullopt, .value = as_bytes(value), .headers = {}, .timestamp_ms = timestamp_ms});
  }
  return builder.finish();
}

class ServerFixture : public ::testing::Test {
 protected:
  ServerFixture() {
    settings.advertised_host = "127.0.0.1";
    settings.advertised_port = 9092;
    EXPECT_TRUE(log.create({.name = "events", .partitions = 2, .config = {}}));
  }
  Endpoint& endpoint() {
    if (!endpoint_) {
      groups.emplace(std::vector<TimedExecutor*>{&executor}, log, clock, registry, group_settings, 1, &executor);
      groups->start();
      executor.run();
      endpoint_.emplace(executor, disk, *groups, log, clock, metrics, settings);
    }
    return *endpoint_;
  }
  /// One request over a connection of its own.
  template <class Response, class Request>
  Response ask(ApiKey key, std::int16_t version, const Request& request) {
    WireClient& client = connect();
    const auto id = client.send(key, version, request);
    executor.run();
    disk.run();
    executor.run();
    return client.take<Response>(key, version, id);
  }
  WireClient& connect() { return *clients_.emplace_back(std::make_unique<WireClient>(endpoint(), executor)); }

  static ProduceRequest produce_request(ByteView records, std::int16_t acks = -1, std::string_view topic = "events",
                                        std::int32_t partition = 0) {
    ProduceRequest request;
    request.acks = acks;
    auto& entry = request.topic_data.emplace_back();
    entry.name = topic;
    entry.partition_data.push_back({partition, records});
    return request;
  }
  static FetchRequest fetch_request(std::int64_t offset, std::int32_t max_wait_ms = 0, std::int32_t min_bytes = 1,
                                    std::int32_t partition = 0) {
    FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = min_bytes;
    auto& topic = request.topics.emplace_back();
    topic.topic = "events";
    topic.partitions.push_back({.partition = partition, .fetch_offset = offset, .partition_max_bytes = 1'000'000});
    return request;
  }
  void put(std::initializer_list<std::string_view> values, std::int32_t partition = 0,
           std::int64_t timestamp_ms = 1000) {
    log.partition("events", partition).append(batch_of(values, timestamp_ms));
  }

  ManualClock clock;
  ManualExecutor executor{clock};
  ManualExecutor disk{clock};  // run() is how the disk gets around to it
  MemoryTopicLog log;
  metrics::Registry registry;
  ServerMetrics metrics{registry};
  ServerSettings settings;
  GroupSettings group_settings;
  std::optional<Groups> groups;
  std::uint64_t closed(CloseReason reason) { return metrics.closed[static_cast<std::size_t>(reason)]->value(); }

 private:
  std::vector<std::unique_ptr<WireClient>> clients_;
  std::optional<Endpoint> endpoint_;
};

}  // namespace millrace::kafka::testing

// The server on real sockets and two loops: one address for all, answers over TCP, and a stop that ends connections.
#include "kafka/server/server.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/endian.h"
#include "kafka/groups/groups.h"
#include "kafka/protocol/messages/api_versions.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/server/loop_executor.h"
#include "kafka/testing/memory_topic_log.h"
#include "kafka/testing/server_fixture.h"
#include "net/testing/socket_client.h"

namespace millrace::kafka::testing {
namespace {

ServerSettings listening(net::Address address) {
  ServerSettings settings;
  settings.address = std::move(address);
  settings.node_id = 7;
  return settings;
}

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    groups.start();
    server.emplace(std::vector{&first, &second}, groups, log, clock, registry, settings);
  }
  ~ServerTest() override {
    if (!threads.empty()) server->stop(std::chrono::seconds(5));
    first.stop();
    second.stop();
    for (std::thread& thread : threads) thread.join();
    server.reset();  // sockets go before their loops
  }
  // Sockets are bound before the loops run.
  void start() {
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message();
    for (net::Loop* loop : {&first, &second}) threads.emplace_back([loop] { loop->run(); });
  }

  MemoryTopicLog log;
  SystemClock clock;
  metrics::Registry registry;
  ServerSettings settings = listening({.port = 0});
  net::Loop first;
  net::Loop second;
  LoopExecutor first_executor{first};
  LoopExecutor second_executor{second};
  Groups groups{{&first_executor, &second_executor}, log, clock, registry, GroupSettings{}, 1};
  std::vector<std::thread> threads;
  std::optional<Server> server;
};

std::string receive_frame(net::testing::SocketClient& client) {
  const std::string size = client.receive(4);
  if (size.size() != 4) return {};
  return client.receive(static_cast<std::size_t>(load_be<std::int32_t>(as_bytes(size).data())));
}

TEST_F(ServerTest, EveryConnectionIsServedAndLearnsTheBoundAddress) {
  start();
  const std::uint16_t port = server->address().port;
  ASSERT_NE(port, 0);
  for (int i = 0; i < 20; ++i) {  // the kernel spreads them over both loops
    net::testing::SocketClient client(port);
    ASSERT_TRUE(client.connected());
    MetadataRequest all;
    all.topics.reset();
    ASSERT_TRUE(
        client.send(frame(ApiKey::api_versions, 0, 1, ApiVersionsRequest{}) + frame(ApiKey::metadata, 9, 2, all)));
    EXPECT_EQ(load_be<std::int32_t>(as_bytes(receive_frame(client)).data()), 1);
    const std::string answer = receive_frame(client);
    ByteReader reader(as_bytes(answer).subspan(5));
    const auto metadata = MetadataResponse::decode(reader, 9);
    ASSERT_TRUE(metadata);
    EXPECT_EQ(metadata->brokers.at(0).port, port);
    EXPECT_EQ(metadata->brokers.at(0).node_id, 7);
  }
}

TEST_F(ServerTest, AMegabyteGoesInAndComesOut) {
  ASSERT_TRUE(log.create({.name = "events", .partitions = 1, .config = {}}));
  start();
  net::testing::SocketClient client(server->address().port);
  const SharedBytes batch = batch_of({std::string(1'000'000, 'x')});
  ProduceRequest produce;
  produce.acks = -1;
  auto& entry = produce.topic_data.emplace_back();
  entry.name = "events";
  entry.partition_data.push_back({0, batch.view()});
  FetchRequest fetch;
  fetch.max_wait_ms = 10'000;
  fetch.min_bytes = 1;
  auto& topic = fetch.topics.emplace_back();
  topic.topic = "events";
  topic.partitions.push_back({.partition = 0, .fetch_offset = 0, .partition_max_bytes = 100});
  // The first request says who speaks; larger frames are taken only after it.
  ASSERT_TRUE(client.send(frame(ApiKey::api_versions, 0, 1, ApiVersionsRequest{}) +
                          frame(ApiKey::produce, 8, 2, produce) + frame(ApiKey::fetch, 11, 3, fetch)));
  receive_frame(client);
  EXPECT_EQ(load_be<std::int32_t>(as_bytes(receive_frame(client)).data()), 2);
  const std::string answer = receive_frame(client);
  ByteReader reader(as_bytes(answer).subspan(4));
  const auto fetched = FetchResponse::decode(reader, 11);
  ASSERT_TRUE(fetched);
  EXPECT_TRUE(batch_crc_matches(fetched->responses.at(0).partitions.at(0).records->bytes));
}

TEST_F(ServerTest, StopEndsConnections) {
  start();
  net::testing::SocketClient client(server->address().port);
  ASSERT_TRUE(client.send(frame(ApiKey::api_versions, 0, 1, ApiVersionsRequest{})));
  receive_frame(client);
  server->stop(std::chrono::seconds(5));
  EXPECT_TRUE(client.ended());
  net::testing::SocketClient late(server->address().port);
  EXPECT_TRUE(!late.connected() || late.ended());
}

TEST_F(ServerTest, ATakenPortIsAnError) {
  start();
  const ServerSettings same = listening(server->address());
  net::Loop other;
  Server second_server({&other}, groups, log, clock, registry, same);
  const auto started = second_server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::already_exists);
}

TEST_F(ServerTest, ListeningEverywhereNeedsAnAddressToTell) {
  Server everywhere({&first}, groups, log, clock, registry, listening({.host = "0.0.0.0"}));
  const auto started = everywhere.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace millrace::kafka::testing

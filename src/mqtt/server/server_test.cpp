// The server on real loops and sockets: two threads, one port, clients spread over both, stop.
#include "mqtt/server/server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "metrics/registry.h"
#include "model/device_message.h"
#include "mqtt/protocol/decoder.h"
#include "mqtt/protocol/encoder.h"
#include "mqtt/testing/describe.h"
#include "mqtt/testing/hex.h"
#include "net/testing/socket_client.h"

namespace millrace::mqtt {
namespace {

using net::testing::LoopThread;
using net::testing::SocketClient;
using testing::from_hex;

/// Settles at the end of each turn of its loop. Thread: its loop's, except count().
class TurnReceiver final : public MessageReceiver {
 public:
  explicit TurnReceiver(LoopThread& thread) : thread_(thread) {
    thread_.run([this] {
      hook_ = thread_.loop().at_turn_end([this] {
        if (sink_ != nullptr && !waiting_.empty()) sink_->settle(std::exchange(waiting_, {}), ReceiptStatus::durable);
      });
    });
  }
  ~TurnReceiver() override {
    thread_.run([this] { thread_.loop().remove_hook(hook_); });
  }
  Pressure receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) override {
    EXPECT_TRUE(thread_.loop().in_loop_thread());
    sink_ = &sink;
    count_ += messages.size();
    for (const DeviceMessage& message : messages) {
      if (message.receipt.connection != 0) waiting_.push_back(message.receipt);
    }
    return Pressure::none;
  }
  void release(std::string_view, Receipt receipt, ReceiptSink&) override {
    if (receipt.connection != 0) waiting_.push_back(receipt);
  }
  void store(std::span<const OwnRecord>, Receipt receipt, ReceiptSink& sink) override { release({}, receipt, sink); }
  void detach(ReceiptSink&) override { sink_ = nullptr; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  LoopThread& thread_;
  net::Loop::HookId hook_ = 0;
  ReceiptSink* sink_ = nullptr;
  std::vector<Receipt> waiting_;
  std::atomic<std::size_t> count_{0};
};

/// One packet as a line, read to its end.
std::string read_packet(SocketClient& client, protocol::Version version = protocol::Version::v3_1_1) {
  std::string bytes = client.receive(2);
  for (;;) {
    const auto frame = protocol::next_frame(as_bytes(bytes), 1_MiB);
    if (!frame) return frame.error().why;
    if (frame->complete()) {
      const auto packet = protocol::decode(*frame, version);
      return packet ? testing::describe(*packet) : packet.error().why;
    }
    const std::string more = client.receive(frame->claimed > bytes.size() ? frame->claimed - bytes.size() : 1);
    if (more.empty()) return bytes.empty() ? "end" : "cut";
    bytes += more;
  }
}

std::string connect_bytes(const std::string& id) {
  return testing::with_length(0x10, from_hex("0004'MQTT' 04 02 0000 00") + static_cast<char>(id.size()) + id);
}

struct RunningServer {
  explicit RunningServer(std::size_t loops) {
    std::vector<net::Loop*> pointers;
    for (std::size_t i = 0; i < loops; ++i) {
      threads.push_back(std::make_unique<LoopThread>());
      receivers.push_back(std::make_unique<TurnReceiver>(*threads.back()));
      pointers.push_back(&threads.back()->loop());
    }
    Settings settings;
    settings.listen = {{"127.0.0.1", 0}};
    settings.listen_websocket = {{"127.0.0.1", 0}};
    settings.stop_timeout = std::chrono::milliseconds(400);
    server = std::make_unique<Server>(
        pointers, [this](std::size_t loop) -> MessageReceiver& { return *receivers[loop]; }, registry, settings);
  }
  [[nodiscard]] std::uint16_t port() const { return port_of(0); }
  [[nodiscard]] std::uint16_t port_of(std::size_t listener) const { return server->addresses()[listener].port; }

  metrics::Registry registry;
  std::vector<std::unique_ptr<LoopThread>> threads;
  std::vector<std::unique_ptr<TurnReceiver>> receivers;
  std::unique_ptr<Server> server;
};

TEST(Server, ManyClientsOnTwoLoops) {
  RunningServer running(2);
  ASSERT_TRUE(running.server->start().has_value());
  ASSERT_NE(running.port(), 0);
  constexpr int kReaders = 8;
  constexpr int kMessages = 200;
  std::vector<std::unique_ptr<SocketClient>> readers;
  for (int i = 0; i < kReaders; ++i) {
    auto& reader = *readers.emplace_back(std::make_unique<SocketClient>(running.port()));
    reader.send(connect_bytes("reader" + std::to_string(i)) + from_hex("82 08 0001 0003't/#' 01"));
    ASSERT_EQ(read_packet(reader), "connack present=0 success");
    ASSERT_EQ(read_packet(reader), "suback 1 granted_qos_1");
  }
  SocketClient device(running.port());
  device.send(connect_bytes("device"));
  ASSERT_EQ(read_packet(device), "connack present=0 success");
  std::string bytes;
  for (int i = 1; i <= kMessages; ++i) bytes += from_hex("32 08 0003't/1' 00") + static_cast<char>(i) + "x";
  device.send(bytes);
  for (int i = 1; i <= kMessages; ++i) ASSERT_EQ(read_packet(device), "puback " + std::to_string(i) + " success");
  for (auto& reader : readers) {
    for (int i = 1; i <= kMessages; ++i) {
      ASSERT_EQ(read_packet(*reader), "publish t/1 q1 id=" + std::to_string(i) + " [x]");
    }
  }
  EXPECT_EQ(running.receivers[0]->count() + running.receivers[1]->count(), static_cast<std::size_t>(kMessages));
  running.server->stop();
  EXPECT_TRUE(device.ended());
}

TEST(Server, TakeOverStormsLeaveOneOwner) {
  RunningServer running(2);
  ASSERT_TRUE(running.server->start().has_value());
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(std::make_unique<SocketClient>(running.port()));
    clients.back()->send(connect_bytes("same"));
  }
  // Each is let in or closed; once all are, the one left is the one that answers.
  std::size_t let_in = 0;
  for (auto& client : clients) let_in += read_packet(*client) == "connack present=0 success" ? 1 : 0;
  EXPECT_GE(let_in, 1U);
  std::size_t alive = 0;
  for (auto& client : clients) {
    client->send(from_hex("c000"));
    alive += read_packet(*client) == "pingresp" ? 1 : 0;
  }
  EXPECT_EQ(alive, 1U);
  running.server->stop();
}

TEST(Server, CountsByListener) {
  RunningServer running(2);
  ASSERT_TRUE(running.server->start().has_value());
  const std::string tcp = running.server->addresses()[0].to_string();
  const std::string ws = running.server->addresses()[1].to_string();
  {
    SocketClient client(running.port());
    client.send(connect_bytes("c") + from_hex("82 08 0001 0003't/#' 01 32 08 0003't/1' 0007 'x'"));
    ASSERT_EQ(read_packet(client), "connack present=0 success");
    ASSERT_EQ(read_packet(client), "suback 1 granted_qos_1");
    // Its own message and the acknowledgement, in whichever order.
    read_packet(client);
    read_packet(client);
    SocketClient refused(running.port());
    refused.send(from_hex("10 0d 0004'MQTT' 04 00 0000 0001") + "x" + from_hex("c000"));  // no clean session: allowed
    ASSERT_EQ(read_packet(refused), "connack present=0 success");
    SocketClient unnamed(running.port());
    unnamed.send(from_hex("10 0c 0004'MQTT' 04 00 0000 0000"));
    ASSERT_EQ(read_packet(unnamed), "connack present=0 client_identifier_not_valid");
    SocketClient garbage(running.port_of(1));
    garbage.send("no HTTP at all\r\n\r\n");
    garbage.ended();
  }
  running.server->stop();
  const std::string page = running.registry.prometheus_text();
  const auto line = [&](const char* name, const std::string& listener, const char* reason = nullptr) {
    std::string key = fmt::format("millrace_mqtt_listener_{}{{listener=\"{}\"", name, listener);
    key += reason != nullptr ? fmt::format(",reason=\"{}\"}} ", reason) : "} ";
    const std::size_t at = page.find(key);
    return at == std::string::npos ? -1 : std::atoi(page.c_str() + at + key.size());
  };
  EXPECT_EQ(line("sockets_total", "tcp://" + tcp), 3);
  EXPECT_EQ(line("connects_total", "tcp://" + tcp), 2);
  EXPECT_EQ(line("connections", "tcp://" + tcp), 0);
  EXPECT_EQ(line("refused_total", "tcp://" + tcp, "connect"), 1);
  EXPECT_EQ(line("refused_total", "tcp://" + tcp, "before_connect"), 0);
  EXPECT_EQ(line("messages_received_total", "tcp://" + tcp), 1);
  EXPECT_EQ(line("messages_delivered_total", "tcp://" + tcp), 1);
  EXPECT_EQ(line("delivered_bytes_total", "tcp://" + tcp), 1);
  EXPECT_GT(line("received_bytes_total", "tcp://" + tcp), 30);
  EXPECT_EQ(line("sockets_total", "ws://" + ws), 1);
  EXPECT_EQ(line("refused_total", "ws://" + ws, "before_connect"), 1);
  EXPECT_EQ(line("refused_total", "ws://" + ws, "limit"), 0);
}

TEST(Server, TakenPortIsAnError) {
  RunningServer first(1);
  ASSERT_TRUE(first.server->start().has_value());
  LoopThread thread;
  TurnReceiver receiver(thread);
  Settings settings;
  settings.listen = {{"127.0.0.1", first.port()}};
  Server second({&thread.loop()}, [&](std::size_t) -> MessageReceiver& { return receiver; }, first.registry, settings);
  const auto started = second.start();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::already_exists);
}

TEST(Server, StopsWithClientsConnectedAndWithout) {
  for (const int clients : {0, 1, 40}) {
    RunningServer running(2);
    ASSERT_TRUE(running.server->start().has_value());
    std::vector<std::unique_ptr<SocketClient>> connected;
    for (int i = 0; i < clients; ++i) {
      connected.push_back(std::make_unique<SocketClient>(running.port()));
      connected.back()->send(connect_bytes("c" + std::to_string(i)));
      ASSERT_EQ(read_packet(*connected.back()), "connack present=0 success");
    }
    connected.resize(static_cast<std::size_t>(clients) / 2);  // some leave by themselves
    running.server->stop();
    for (auto& client : connected) EXPECT_TRUE(client->ended());
  }
}

}  // namespace
}  // namespace millrace::mqtt

// TestServer: the loops of a server without sockets, threads or time, turned by hand. TestClient: a client on a
// FakeStream.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "mqtt/protocol/decoder.h"
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/testing/describe.h"
#include "mqtt/testing/fake_stream.h"
#include "mqtt/testing/hex.h"
#include "mqtt/testing/recording_receiver.h"

namespace millrace::mqtt::testing {

class QueueExecutor final : public Executor {
 public:
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  bool run() {
    if (tasks_.empty()) return false;
    std::deque<Task> tasks = std::exchange(tasks_, {});
    for (Task& task : tasks) task();
    return true;
  }

 private:
  std::deque<Task> tasks_;
};

class TestServer;

class TestClient {
 public:
  TestClient(TestServer& server, std::shared_ptr<FakePeer> peer, protocol::Version version)
      : server_(&server), peer_(std::move(peer)), version_(version) {}

  /// Sends and turns the server until nothing happens any more.
  void send(std::string_view bytes);
  void send(const protocol::Packet& packet) {
    Buffer out;
    protocol::encode(out, packet, version_);
    send(as_text(out.view()));
  }
  void send_hex(std::string_view hex) { send(from_hex(hex)); }
  /// CONNECT; what came back is in seen().
  void connect(std::string_view id, bool clean = true, std::uint16_t keep_alive_s = 0,
               std::string_view properties_hex = "") {
    protocol::Connect packet;
    packet.version = version_;
    packet.clean_start = clean;
    packet.client_id = id;
    packet.keep_alive_s = keep_alive_s;
    connect(packet, properties_hex);
  }
  void connect(protocol::Connect packet, std::string_view properties_hex = "") {
    const std::string block = from_hex(properties_hex);
    packet.properties = protocol::validate_properties(as_bytes(block), protocol::PacketType::connect).value();
    send(protocol::Packet(packet));
  }
  void publish(std::string_view topic, std::string_view payload, int qos = 0, std::uint16_t id = 0,
               bool retain = false) {
    protocol::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.qos = static_cast<std::uint8_t>(qos);
    packet.packet_id = id;
    packet.retain = retain;
    send(protocol::Packet(packet));
  }
  void subscribe(std::string_view filter, int qos = 0, std::uint16_t id = 1) {
    send(protocol::Packet(protocol::Subscribe{id, {{filter, {static_cast<std::uint8_t>(qos), false, false, {}}}}, {}}));
  }
  void ack(protocol::PacketType type, std::uint16_t id) {
    send(protocol::Packet(protocol::PublishAck{type, id, {}, {}}));
  }
  void disconnect(protocol::ReasonCode reason = protocol::ReasonCode::success) {
    send(protocol::Packet(protocol::Disconnect{reason, {}}));
  }
  /// The network breaks.
  void drop();

  /// What came since the last call, one line per packet, joined by "; ".
  std::string seen() {
    std::string lines;
    for (;;) {
      const auto frame = protocol::next_frame(as_bytes(peer_->received), 300_MiB);
      if (!frame) return lines + "REFUSED " + frame.error().why;
      if (!frame->complete()) return lines;
      const auto packet = protocol::decode(*frame, version_);
      if (!lines.empty()) lines += "; ";
      lines += packet ? describe(*packet) : std::string("BAD ") + packet.error().why;
      peer_->received.erase(0, frame->size);
    }
  }
  [[nodiscard]] protocol::Version version() const { return version_; }
  [[nodiscard]] bool closed() const { return peer_->closed; }
  [[nodiscard]] bool paused() const { return peer_->stream != nullptr && peer_->stream->paused(); }
  [[nodiscard]] FakePeer& peer() { return *peer_; }
  [[nodiscard]] std::string& raw() { return peer_->received; }

 private:
  TestServer* server_;
  std::shared_ptr<FakePeer> peer_;
  protocol::Version version_;
};

class TestServer {
 public:
  explicit TestServer(Settings settings = {}, std::size_t loops = 1)
      : exchange_(
            [&] {
              settings.clock = &clock_;
              return settings;
            }(),
            registry) {
    for (std::size_t i = 0; i < loops; ++i) {
      executors_.push_back(std::make_unique<QueueExecutor>());
      receivers_.push_back(std::make_unique<RecordingReceiver>());
      auto& peer = *exchange_.peers.emplace_back(std::make_unique<Peer>());
      servers_.push_back(std::make_unique<LoopServer>(i, exchange_, *executors_.back(), *receivers_.back(), 7 + i));
      peer.executor = executors_.back().get();
      peer.server = servers_.back().get();
    }
  }

  TestClient client(protocol::Version version = protocol::Version::v5, std::size_t loop = 0) {
    auto peer = std::make_shared<FakePeer>();
    peers_.push_back(peer);
    servers_[loop]->accept(std::make_unique<FakeStream>(peer));
    return {*this, peer, version};
  }
  /// Everything that happens by itself, to its end.
  void turn() {
    // The hooks at the end of a turn may cause something for the next one.
    for (int quiet = 0; quiet < 3; ++quiet) {
      bool busy = false;
      for (const auto& executor : executors_) busy |= executor->run();
      for (std::size_t i = 0; i < peers_.size(); ++i) {
        if (FakeStream* stream = peers_[i]->stream) busy |= stream->turn();
      }
      for (const auto& receiver : receivers_) {
        if (receiver->settles_by_itself && receiver->has_work()) {
          receiver->settle();
          busy = true;
        }
      }
      for (const auto& server : servers_) server->end_turn();
      for (const auto& peer : peers_) {
        if (peer->stream != nullptr) busy |= peer->stream->flush();
      }
      if (busy) quiet = 0;
    }
    std::erase_if(peers_, [](const auto& peer) { return peer->stream == nullptr; });
  }
  /// Time passes and nothing runs.
  void stand_still(int seconds) { clock_.advance(std::chrono::seconds(seconds)); }
  void seconds(int count) {
    for (int i = 0; i < count; ++i) {
      clock_.advance(std::chrono::seconds(1));
      for (const auto& server : servers_) server->tick();
      turn();
    }
  }
  /// Gives it a message topic, and so persistent sessions. Before the first client.
  void make_durable(std::shared_ptr<MemoryMessages> messages = std::make_shared<MemoryMessages>()) {
    messages_ = std::move(messages);
    exchange_.durable = true;
    exchange_.messages = messages_;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      servers_[i]->set_messages(messages_);
      receivers_[i]->message_topic = messages_.get();
    }
  }
  MemoryMessages& messages() { return *messages_; }
  /// The last value of a key of an internal topic, over all loops; nullopt when it has none.
  std::optional<std::string> recorded(std::string_view topic, std::string_view key) const {
    std::optional<std::string> value;
    std::uint64_t order = 0;
    for (const auto& receiver : receivers_) {
      for (const auto& own : receiver->own) {
        if (own.topic != topic || own.key != key || own.order < order) continue;
        value = own.value;
        order = own.order;
      }
    }
    return value;
  }
  LoopServer& loop(std::size_t i = 0) { return *servers_[i]; }
  RecordingReceiver& receiver(std::size_t i = 0) { return *receivers_[i]; }
  Exchange& exchange() { return exchange_; }
  ManualClock& clock() { return clock_; }
  [[nodiscard]] std::string metrics() const { return registry.prometheus_text(); }

  metrics::Registry registry;

 private:
  std::shared_ptr<MemoryMessages> messages_;
  ManualClock clock_;
  Exchange exchange_;
  std::vector<std::unique_ptr<QueueExecutor>> executors_;
  std::vector<std::unique_ptr<RecordingReceiver>> receivers_;
  std::vector<std::unique_ptr<LoopServer>> servers_;
  std::vector<std::shared_ptr<FakePeer>> peers_;
};

inline void TestClient::send(std::string_view bytes) {
  if (peer_->stream != nullptr) peer_->stream->arrive(bytes);
  server_->turn();
}
inline void TestClient::drop() {
  if (peer_->stream != nullptr) peer_->stream->reset();
  server_->turn();
}

}  // namespace millrace::mqtt::testing

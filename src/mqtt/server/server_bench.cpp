// What MQTT itself costs per message: decoding alone, and a connection from bytes to a receiver that keeps nothing,
// with the acknowledgements written back. Run with --benchmark_min_time=0.2.
#include <benchmark/benchmark.h>

#include "mqtt/protocol/decoder.h"
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/loop_server.h"
#include "net/stream.h"

namespace millrace::mqtt {
namespace {

using protocol::Version;

constexpr std::size_t kReadBytes = 64_KiB;

std::string publish_bytes(std::size_t payload, int qos, std::uint16_t id, Version version) {
  const std::string body(payload, 'x');
  protocol::Publish packet;
  packet.topic = "fleet/vehicle-0042/telemetry";
  packet.payload = as_bytes(body);
  packet.qos = static_cast<std::uint8_t>(qos);
  packet.packet_id = id;
  Buffer out;
  encode(out, packet, version);
  return std::string(as_text(out.view()));
}

/// As many PUBLISH packets as one read holds.
std::string one_read(std::size_t payload, int qos, Version version, std::size_t& messages) {
  std::string bytes;
  messages = 0;
  while (bytes.size() + payload + 64 < kReadBytes) {
    bytes +=
        publish_bytes(payload, qos, qos != 0 ? static_cast<std::uint16_t>(messages + 1) : std::uint16_t{0}, version);
    ++messages;
  }
  return bytes;
}

class NullStream final : public net::Stream {
 public:
  void start(net::StreamHandler& handler) override { handler_ = &handler; }
  void pause_reading() override {}
  void resume_reading() override {}
  void expect(std::size_t) override {}
  Buffer& output() override { return output_; }
  void mark_dirty() override {}
  void send(SharedBytes) override {}
  std::size_t pending_bytes() const override { return output_.size(); }
  void set_marks(std::size_t, std::size_t) override {}
  void close() override {}
  void abort() override {}
  std::string peer_address() const override { return {}; }

  net::StreamHandler* handler_ = nullptr;
  Buffer output_;
};

class NullReceiver final : public MessageReceiver {
 public:
  Pressure receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) override {
    sink_ = &sink;
    for (const DeviceMessage& message : messages) {
      bytes += message.payload.size();
      if (message.receipt.connection != 0) waiting_.push_back(message.receipt);
    }
    return Pressure::none;
  }
  void release(std::string_view, Receipt, ReceiptSink&) override {}
  void store(std::span<const OwnRecord>, Receipt, ReceiptSink&) override {}
  void detach(ReceiptSink&) override {}
  void settle() {
    if (!waiting_.empty()) sink_->settle(waiting_, ReceiptStatus::durable);
    waiting_.clear();
  }
  std::size_t bytes = 0;

 private:
  std::vector<Receipt> waiting_;
  ReceiptSink* sink_ = nullptr;
};

class NoExecutor final : public Executor {
 public:
  void post(Task task) override { task(); }
};

struct Bench {
  Bench() : exchange(Settings{}, registry) {
    auto& peer = *exchange.peers.emplace_back(std::make_unique<Peer>());
    server = std::make_unique<LoopServer>(0, exchange, executor, receiver, 1);
    peer.executor = &executor;
    peer.server = server.get();
  }
  NullStream& connect(std::string_view id, Version version) {
    auto stream = std::make_unique<NullStream>();
    NullStream& opened = *stream;
    server->accept(std::move(stream));
    protocol::Connect packet;
    packet.version = version;
    packet.client_id = id;
    Buffer out;
    encode(out, packet);
    opened.handler_->on_bytes(out.view());
    return opened;
  }
  metrics::Registry registry;
  Exchange exchange;
  NullReceiver receiver;
  NoExecutor executor;
  std::unique_ptr<LoopServer> server;
};

void BM_Decode(benchmark::State& state) {
  const auto version = static_cast<Version>(state.range(1));
  std::size_t messages = 0;
  const std::string bytes = one_read(static_cast<std::size_t>(state.range(0)), 1, version, messages);
  for (auto _ : state) {
    ByteView rest = as_bytes(bytes);
    while (!rest.empty()) {
      const auto frame = protocol::next_frame(rest, 1_MiB);
      benchmark::DoNotOptimize(protocol::decode_publish(*frame, version));
      rest = rest.subspan(frame->size);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}
BENCHMARK(BM_Decode)->ArgsProduct({{64, 256}, {4, 5}})->ArgNames({"payload", "version"});

// Bytes to receiver and back to acknowledgements, `connections` of them in turn.
void BM_Inbound(benchmark::State& state) {
  Bench bench;
  std::size_t messages = 0;
  const std::string bytes =
      one_read(static_cast<std::size_t>(state.range(0)), static_cast<int>(state.range(1)), Version::v3_1_1, messages);
  std::vector<NullStream*> streams;
  for (int i = 0; i < 50; ++i) streams.push_back(&bench.connect("bench-" + std::to_string(i), Version::v3_1_1));
  std::size_t next = 0;
  for (auto _ : state) {
    NullStream& stream = *streams[next++ % streams.size()];
    stream.handler_->on_bytes(as_bytes(bytes));
    bench.receiver.settle();
    bench.server->end_turn();
    stream.output_.clear();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}
BENCHMARK(BM_Inbound)->ArgsProduct({{64, 256}, {0, 1}})->ArgNames({"payload", "qos"});

// One publisher, `subscribers` subscribers: time per copy that goes out.
void BM_FanOut(benchmark::State& state) {
  Bench bench;
  const int qos = static_cast<int>(state.range(1));
  std::vector<NullStream*> subscribers;
  for (int i = 0; i < state.range(0); ++i) {
    NullStream& stream = bench.connect("sub-" + std::to_string(i), Version::v3_1_1);
    Buffer out;
    encode(out, protocol::Subscribe{1, {{"fleet/#", {static_cast<std::uint8_t>(qos), false, false, {}}}}, {}},
           Version::v3_1_1);
    stream.handler_->on_bytes(out.view());
    subscribers.push_back(&stream);
  }
  NullStream& publisher = bench.connect("pub", Version::v3_1_1);
  const std::string bytes = publish_bytes(16, qos, qos != 0 ? std::uint16_t{1} : std::uint16_t{0}, Version::v3_1_1);
  std::uint16_t id = 0;
  for (auto _ : state) {
    publisher.handler_->on_bytes(as_bytes(bytes));
    bench.receiver.settle();
    bench.server->end_turn();
    publisher.output_.clear();
    if (++id == 0) ++id;
    std::uint8_t ack[4];
    protocol::put_short_ack(ack, protocol::PacketType::puback, id);
    for (NullStream* stream : subscribers) {
      stream->output_.clear();
      if (qos != 0) stream->handler_->on_bytes(ack);
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FanOut)->ArgsProduct({{1, 100, 1000}, {0, 1}})->ArgNames({"subscribers", "qos"});

}  // namespace
}  // namespace millrace::mqtt

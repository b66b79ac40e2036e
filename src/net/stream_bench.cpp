// A stream against a raw blocking socket on loopback: bytes per second into a handler that only counts, and round
// trips.
#include <benchmark/benchmark.h>

#include <thread>

#include "net/listener.h"
#include "net/testing/socket_client.h"

namespace {

using namespace millrace;
using net::testing::LoopThread;
using net::testing::SocketClient;

struct Peer final : net::StreamHandler {
  std::unique_ptr<net::Stream> stream;
  std::size_t total = 0;
  std::size_t answer_at = 0;  // one byte back after so many; 0: echo everything
  std::size_t on_bytes(ByteView view) override {
    if (answer_at == 0) {
      stream->send_copy(view);
    } else if ((total += view.size()) >= answer_at) {
      total -= answer_at;
      stream->send_copy(as_bytes("."));
    }
    return view.size();
  }
  void on_closed(const Error&) override {}
};

void run(benchmark::State& state, std::size_t block, std::size_t answer_at) {
  LoopThread thread;
  Peer peer;
  peer.answer_at = answer_at;
  auto listener = net::Listener::bind(thread.loop(), {}, [&](std::unique_ptr<net::Stream> stream) {
    peer.stream = std::move(stream);
    peer.stream->start(peer);
  });
  thread.run([&] { (*listener)->start(); });
  {
    SocketClient client((*listener)->address().port);
    const std::string bytes(block, 'x');
    for (auto step : state) {
      client.send(bytes);
      benchmark::DoNotOptimize(client.receive(answer_at == 0 ? block : 1));
    }
  }
  thread.run([&] {
    listener->reset();
    peer.stream.reset();
  });
  state.SetBytesProcessed(static_cast<std::int64_t>(block) * state.iterations());
}

void read_4_mib(benchmark::State& state) {
  run(state, 4_MiB, 4_MiB);
}
void round_trip_64_b(benchmark::State& state) {
  run(state, 64, 0);
}
BENCHMARK(read_4_mib)->UseRealTime();
BENCHMARK(round_trip_64_b)->UseRealTime();

}  // namespace

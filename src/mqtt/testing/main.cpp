// mqtt_settling_server [port [loops]]: the MQTT server with a receiver that keeps nothing and settles everything, as
// matched by no rule, at the end of each turn. For real clients and for measuring the server alone. Prints
// "ready <address>"; ends on SIGINT or SIGTERM.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "metrics/registry.h"
#include "model/device_message.h"
#include "mqtt/server/server.h"
#include "net/loop.h"

namespace {

using namespace millrace;

class SettlingReceiver final : public MessageReceiver {
 public:
  explicit SettlingReceiver(net::Loop& loop) {
    loop.at_turn_end([this] { settle(); });
  }
  Pressure receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) override {
    sink_ = &sink;
    for (const DeviceMessage& message : messages) {
      if (message.receipt.connection != 0) waiting_.push_back(message.receipt);
    }
    return Pressure::none;
  }
  void release(std::string_view, Receipt receipt, ReceiptSink& sink) override {
    sink_ = &sink;
    if (receipt.connection != 0) waiting_.push_back(receipt);
  }
  void store(std::span<const OwnRecord>, Receipt receipt, ReceiptSink& sink) override { release({}, receipt, sink); }
  void detach(ReceiptSink&) override { sink_ = nullptr; }

 private:
  void settle() {
    if (sink_ != nullptr && !waiting_.empty()) sink_->settle(waiting_, ReceiptStatus::no_match);
    waiting_.clear();
  }
  std::vector<Receipt> waiting_;
  ReceiptSink* sink_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  mqtt::Settings settings;
  settings.listen = {{"127.0.0.1", static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0)}};
  const int count = argc > 2 ? std::atoi(argv[2]) : 1;
  metrics::Registry registry;
  std::vector<std::unique_ptr<net::Loop>> loops;
  std::vector<net::Loop*> pointers;
  std::vector<std::unique_ptr<SettlingReceiver>> receivers;
  for (int i = 0; i < count; ++i) {
    loops.push_back(std::make_unique<net::Loop>());
    pointers.push_back(loops.back().get());
    receivers.push_back(std::make_unique<SettlingReceiver>(*loops.back()));
  }
  mqtt::Server server(
      pointers, [&](std::size_t loop) -> MessageReceiver& { return *receivers[loop]; }, registry, settings);
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message().c_str());
    return 1;
  }
  std::vector<std::thread> threads;
  for (const auto& loop : loops) threads.emplace_back([&loop] { loop->run(); });
  std::printf("ready %s\n", server.addresses().front().to_string().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server.stop();
  for (const auto& loop : loops) loop->stop();
  for (std::thread& thread : threads) thread.join();
  std::fputs(registry.prometheus_text().c_str(), stderr);
  return 0;
}

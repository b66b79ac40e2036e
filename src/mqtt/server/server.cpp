#include "mqtt/server/server.h"

#include <latch>

#include "base/log.h"
#include "base/rng.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/server/restore.h"
#include "net/loop.h"

namespace millrace::mqtt {
namespace {

constexpr auto kTick = std::chrono::seconds(1);

// Room for connections that are refused in words, or are being replaced.
std::size_t listener_limit(const Settings& settings) {
  return settings.max_connections + settings.max_connections / 8 + 16;
}

}  // namespace

struct Server::Impl {
  struct Loop {
    net::Loop* loop = nullptr;
    std::unique_ptr<LoopServer> server;
    std::vector<std::unique_ptr<net::Listener>> listeners;
    net::Loop::TimerId timer = 0;
    net::Loop::HookId hook = 0;
  };

  Impl(Settings settings, metrics::Registry& registry) : exchange(std::move(settings), registry) {}

  static void tick(Loop& loop) {
    loop.timer = loop.loop->run_after(kTick, [&loop] { tick(loop); });
    loop.server->tick();
  }
  /// Runs `action(Loop&)` in every loop and waits for all.
  template <class Action>
  void everywhere(Action action) {
    std::latch ran(static_cast<std::ptrdiff_t>(loops.size()));
    for (Loop& loop : loops) {
      loop.loop->post([&] {
        action(loop);
        ran.count_down();
      });
    }
    ran.wait();
  }

  Exchange exchange;
  std::vector<Loop> loops;
  bool started = false;
};

Server::Server(std::vector<net::Loop*> loops, const std::function<MessageReceiver&(std::size_t loop)>& receiver,
               metrics::Registry& registry, Settings settings)
    : impl_(std::make_unique<Impl>(std::move(settings), registry)) {
  for (std::size_t i = 0; i < loops.size(); ++i) {
    Impl::Loop& loop = impl_->loops.emplace_back();
    loop.loop = loops[i];
    auto& peer = *impl_->exchange.peers.emplace_back(std::make_unique<Peer>());
    loop.server = std::make_unique<LoopServer>(i, impl_->exchange, receiver(i), system_entropy());
    peer.executor = loops[i];
    peer.server = loop.server.get();
  }
}

Server::~Server() {
  stop();
}

void Server::restore_deliveries(std::span<const std::string> delivery_ids) {
  for (const std::string& id : delivery_ids) {
    if (const auto delivery = parse_delivery_id(id)) {
      impl_->exchange.registry.restore(*delivery);
    } else {
      log::warn("mqtt_delivery_id_not_understood", {{"bytes", id.size()}});
    }
  }
}

Result<void> Server::restore(topics::TopicLog& log) {
  impl_->exchange.durable = true;
  return restore_retained(log, impl_->exchange);
}

Result<void> Server::start() {
  for (const net::Address& address : impl_->exchange.settings.listen) {
    const net::Listener* first = nullptr;
    for (Impl::Loop& loop : impl_->loops) {
      LoopServer* server = loop.server.get();
      MR_TRY_ASSIGN(auto listener,
                    net::Listener::bind(
                        *loop.loop, address,
                        [server](std::unique_ptr<net::Stream> stream) { server->accept(std::move(stream)); }, first));
      loop.listeners.push_back(std::move(listener));
      if (first != nullptr) continue;
      first = loop.listeners.back().get();
      loop.listeners.back()->limit_connections(listener_limit(impl_->exchange.settings),
                                               impl_->exchange.metrics.connections_refused);
    }
  }
  impl_->started = true;
  for (Impl::Loop& loop : impl_->loops) {
    loop.loop->post([&loop] {
      loop.hook = loop.loop->at_turn_end([&loop] { loop.server->end_turn(); });
      Impl::tick(loop);
      for (const auto& listener : loop.listeners) listener->start();
    });
  }
  return {};
}

void Server::stop() {
  if (!std::exchange(impl_->started, false)) return;
  std::latch stopped(static_cast<std::ptrdiff_t>(impl_->loops.size()));
  for (Impl::Loop& loop : impl_->loops) {
    loop.loop->post([&] {
      for (const auto& listener : loop.listeners) listener->stop();
      loop.server->begin_stop([&stopped] { stopped.count_down(); });
    });
  }
  stopped.wait();
  // Sessions end in an order of their own, from loop to loop: whatever was posted before has run when this has gone
  // round twice.
  impl_->everywhere([](Impl::Loop& loop) { loop.server->close_all(); });
  impl_->everywhere([](Impl::Loop& loop) {
    loop.loop->cancel(loop.timer);
    loop.loop->remove_hook(loop.hook);
    loop.listeners.clear();
  });
}

std::vector<net::Address> Server::addresses() const {
  std::vector<net::Address> addresses;
  for (const auto& listener : impl_->loops.front().listeners) addresses.push_back(listener->address());
  return addresses;
}

bool Server::publish(std::size_t loop, std::string_view topic, ByteView payload, std::uint8_t qos, bool retain) {
  return impl_->loops[loop].server->publish(topic, payload, qos, retain);
}

}  // namespace millrace::mqtt

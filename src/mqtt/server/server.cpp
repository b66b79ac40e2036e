#include "mqtt/server/server.h"

#include <fmt/format.h>

#include <latch>

#include "base/log.h"
#include "base/rng.h"
#include "mqtt/server/administration.h"
#include "mqtt/server/listener_gate.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/server/restore.h"
#include "net/loop.h"

namespace millrace::mqtt {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kStopStep = std::chrono::milliseconds(20);

// Room for connections that are refused in words, or are being replaced.
std::size_t listener_limit(const Settings& settings) {
  return settings.max_connections + settings.max_connections / 8 + 16;
}

// "tcp://127.0.0.1:1883", "tls://...", "ws://...", "wss://...", "unix:/run/millrace.sock"
std::string listener_name(std::string_view protocol, const net::StreamLayers& layers, const net::Address& address) {
  if (address.host.starts_with('/')) return "unix:" + address.host;
  const std::string_view secured = protocol == "ws" ? "wss" : "tls";
  return fmt::format("{}://{}", layers.tls ? secured : protocol, address.to_string());
}

}  // namespace

struct Server::Impl {
  struct Loop {
    net::Loop* loop = nullptr;
    std::unique_ptr<LoopServer> server;
    std::vector<std::unique_ptr<net::Listener>> listeners;
    net::Loop::TimerId timer = 0;
    net::Loop::TimerId stop_timer = 0;
    net::Loop::HookId hook = 0;
  };

  Impl(Settings settings, metrics::Registry& metric_registry)
      : registry(metric_registry), exchange(std::move(settings), metric_registry) {}

  static void tick(Loop& loop) {
    loop.timer = loop.loop->run_after(kTick, [&loop] { tick(loop); });
    loop.server->tick();
  }
  /// A turn now and then, at whose end a stop goes on.
  static void turn_often(Loop& loop) {
    loop.stop_timer = loop.loop->run_after(kStopStep, [&loop] { turn_often(loop); });
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

  /// One listener per loop on one address; `accept(Loop&, stream)` for each connection, `layers` below the stream.
  template <class Accept>
  Result<void> listen(const char* protocol, const net::Address& address, const net::StreamLayers& layers,
                      Accept accept) {
    const net::Listener* first = nullptr;
    const Settings& settings = exchange.settings;
    const std::size_t number = exchange.listeners.size();
    gates.push_back(std::make_unique<ListenerGate>(settings.connect_rate, address.to_string(), exchange.memory,
                                                   exchange.clock, exchange.metrics));
    for (Loop& loop : loops) {
      MR_TRY_ASSIGN(auto listener, net::Listener::bind(
                                       *loop.loop, address,
                                       [accept, number, &loop](std::unique_ptr<net::Stream> stream) {
                                         accept(loop, std::move(stream), number);
                                       },
                                       first));
      listener->set_layers(layers);
      listener->set_gate(*gates.back());
      loop.listeners.push_back(std::move(listener));
      if (first != nullptr) continue;
      first = loop.listeners.back().get();
      exchange.listeners.push_back(
          std::make_unique<ListenerMetrics>(registry, listener_name(protocol, layers, first->address())));
      loop.listeners.back()->limit_connections(listener_limit(settings), exchange.listeners.back()->refused_limit);
    }
    return {};
  }

  metrics::Registry& registry;
  Exchange exchange;
  Administration administration{exchange};
  std::vector<std::unique_ptr<ListenerGate>> gates;  // one per address
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
    loop.server = std::make_unique<LoopServer>(i, impl_->exchange, *loops[i], receiver(i), system_entropy());
    peer.executor = loops[i];
    peer.server = loop.server.get();
  }
}

Server::~Server() {
  stop();
}

Result<void> Server::restore(topics::TopicLog& log, std::span<const std::string> delivery_ids) {
  Exchange& exchange = impl_->exchange;
  const auto table = log.table();
  const topics::Topic* messages = table->find(kMessageTopic);
  if (messages == nullptr || messages->partitions.size() != 1) {
    return fail(ErrorCode::not_found, "a topic of the MQTT server with one partition", std::string(kMessageTopic));
  }
  exchange.durable = true;
  exchange.log = &log;
  exchange.messages = messages->partitions.front();
  for (const Impl::Loop& loop : impl_->loops) loop.server->set_messages(exchange.messages);
  MR_TRY(restore_retained(log, exchange));
  MR_TRY_ASSIGN(SessionRecords sessions, read_sessions(log));
  return restore_sessions(std::move(sessions), exchange, delivery_ids);
}

Result<void> Server::start() {
  const Settings& settings = impl_->exchange.settings;
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    const net::StreamLayers layers = i < settings.layers.size() ? settings.layers[i] : net::StreamLayers{};
    MR_TRY(impl_->listen("tcp", settings.listen[i], layers,
                         [](Impl::Loop& loop, std::unique_ptr<net::Stream> stream, std::size_t listener) {
                           loop.server->accept(std::move(stream), listener);
                         }));
  }
  for (std::size_t i = 0; i < settings.listen_websocket.size(); ++i) {
    const net::StreamLayers layers =
        i < settings.layers_websocket.size() ? settings.layers_websocket[i] : net::StreamLayers{};
    MR_TRY(impl_->listen("ws", settings.listen_websocket[i], layers,
                         [&settings](Impl::Loop& loop, std::unique_ptr<net::Stream> stream, std::size_t listener) {
                           loop.server->accept(net::over_websocket(*loop.loop, std::move(stream), settings.websocket),
                                               listener);
                         }));
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
      Impl::turn_often(loop);
      loop.server->begin_stop([&stopped] { stopped.count_down(); });
    });
  }
  stopped.wait();
  // Sessions end in an order of their own, from loop to loop: whatever was posted before has run when this has gone
  // round twice.
  impl_->everywhere([](Impl::Loop& loop) { loop.server->close_all(); });
  impl_->everywhere([](Impl::Loop& loop) {
    loop.loop->cancel(loop.timer);
    loop.loop->cancel(loop.stop_timer);
    loop.loop->remove_hook(loop.hook);
    loop.listeners.clear();
  });
}

std::vector<net::Address> Server::addresses() const {
  std::vector<net::Address> addresses;
  for (const auto& listener : impl_->loops.front().listeners) addresses.push_back(listener->address());
  return addresses;
}

Administration& Server::administration() {
  return impl_->administration;
}

bool Server::publish(std::size_t loop, std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
                     const PublishProperties& properties) {
  return impl_->loops[loop].server->publish(topic, payload, qos, retain, properties);
}

}  // namespace millrace::mqtt

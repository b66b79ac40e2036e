#include "kafka/server/server.h"

#include <condition_variable>
#include <mutex>

#include "kafka/groups/groups.h"
#include "kafka/server/disk_pool.h"
#include "kafka/server/endpoint.h"
#include "net/listener.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kDiskThreads = 2;  // one can wait for the disk while the other checks what it has

// Counts down the loops that have drained.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : count_(count) {}
  void done() {
    const std::scoped_lock lock(mutex_);
    if (--count_ == 0) zero_.notify_all();
  }
  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return zero_.wait_for(lock, time, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;  // guards count_; nothing else is locked under it
  std::condition_variable zero_;
  std::size_t count_;
};

}  // namespace

struct Server::Impl {
  struct PerLoop {
    net::Loop* loop;
    TimedExecutor* executor;
    std::unique_ptr<Endpoint> endpoint;
    std::vector<std::unique_ptr<net::Listener>> listeners;  // the first, then the further ones
  };

  Groups& groups;
  topics::TopicLog& log;
  const Clock& clock;
  ServerMetrics metrics;
  ServerSettings settings;
  std::vector<net::Loop*> loops;
  std::vector<PerLoop> parts;
  DiskPool disk;  // behind the endpoints: its threads end before they go
  bool stopped = false;
};

Server::Server(std::vector<net::Loop*> loops, Groups& groups, topics::TopicLog& log, const Clock& clock,
               metrics::Registry& registry, ServerSettings settings)
    : impl_(new Impl{.groups = groups,
                     .log = log,
                     .clock = clock,
                     .metrics = ServerMetrics(registry),
                     .settings = std::move(settings),
                     .loops = std::move(loops),
                     .parts = {},
                     .disk = DiskPool(kDiskThreads)}) {}

Server::~Server() = default;

Result<void> Server::start() {
  // All sockets first: nothing is accepted unless all could be bound.
  for (net::Loop* loop : impl_->loops) {
    Impl::PerLoop& part = impl_->parts.emplace_back();
    part.loop = loop;
    part.executor = &impl_->groups.executor(impl_->parts.size() - 1);
  }
  for (std::size_t i = 0; i <= impl_->settings.further.size(); ++i) {
    auto bound = bind(i);
    if (!bound) {
      impl_->parts.clear();
      return bound;
    }
  }
  for (Impl::PerLoop& part : impl_->parts) {
    part.endpoint = std::make_unique<Endpoint>(*part.executor, impl_->disk, impl_->groups, impl_->log, impl_->clock,
                                               impl_->metrics, impl_->settings);
    part.loop->post([&part] {
      for (const auto& listener : part.listeners) listener->start();
    });
  }
  return {};
}

/// Binds listener `index` on every loop and completes what it advertises.
Result<void> Server::bind(std::size_t index) {
  ListenerSettings& settings = index == 0 ? impl_->settings : impl_->settings.further[index - 1];
  net::Address address = settings.address;
  if (settings.advertised_host.empty() && (address.host == "0.0.0.0" || address.host == "::")) {
    return fail(ErrorCode::invalid_argument,
                "Kafka clients must be told an address they can reach: set kafka.advertised.host",
                "kafka.host is " + address.host);
  }
  const net::Listener* first = nullptr;
  for (std::size_t i = 0; i < impl_->parts.size(); ++i) {
    Impl::PerLoop& part = impl_->parts[i];
    MR_TRY_ASSIGN(auto listener, net::Listener::bind(
                                     *part.loop, address,
                                     [this, i, index](std::unique_ptr<net::Stream> stream) {
                                       impl_->parts[i].endpoint->accept(std::move(stream), index);
                                     },
                                     first));
    listener->set_layers(settings.layers);
    if (first == nullptr) first = listener.get();
    address = listener->address();
    part.listeners.push_back(std::move(listener));
  }
  if (settings.advertised_host.empty()) settings.advertised_host = address.host;
  if (settings.advertised_port == 0) settings.advertised_port = address.port;
  return {};
}

net::Address Server::address(std::size_t index) const {
  return impl_->parts.front().listeners[index]->address();
}

void Server::stop(std::chrono::milliseconds grace) {
  if (std::exchange(impl_->stopped, true) || impl_->parts.empty()) return;
  impl_->groups.stop();  // whoever waits for a rebalance would hold up the drain
  const auto drained = std::make_shared<Countdown>(impl_->parts.size());
  for (Impl::PerLoop& part : impl_->parts) {
    part.loop->post([&part, drained] {
      for (const auto& listener : part.listeners) listener->stop();
      part.endpoint->drain([drained] { drained->done(); });
    });
  }
  if (!drained->wait_for(grace)) {
    for (Impl::PerLoop& part : impl_->parts) {
      part.loop->post([&part] { part.endpoint->abort(); });
    }
    drained->wait_for(std::chrono::seconds(1));
  }
  impl_->disk.stop();  // what is read by now is posted to loops that run
}

}  // namespace millrace::kafka

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
    std::unique_ptr<net::Listener> listener;
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
  const std::string& host = impl_->settings.address.host;
  if (impl_->settings.advertised_host.empty() && (host == "0.0.0.0" || host == "::")) {
    return fail(ErrorCode::invalid_argument,
                "Kafka clients must be told an address they can reach: set kafka.advertised.host",
                "kafka.host is " + host);
  }
  // All sockets first: nothing is accepted unless all could be bound.
  net::Address address = impl_->settings.address;
  const net::Listener* first = nullptr;
  for (net::Loop* loop : impl_->loops) {
    Impl::PerLoop& part = impl_->parts.emplace_back();
    part.loop = loop;
    const std::size_t index = impl_->parts.size() - 1;
    part.executor = &impl_->groups.executor(index);
    auto bound = net::Listener::bind(
        *loop, address,
        [this, index](std::unique_ptr<net::Stream> stream) { impl_->parts[index].endpoint->accept(std::move(stream)); },
        first);
    if (!bound) {
      impl_->parts.clear();
      return std::unexpected(std::move(bound).error());
    }
    part.listener = std::move(*bound);
    if (first == nullptr) first = part.listener.get();
    address = part.listener->address();
  }
  ServerSettings& settings = impl_->settings;
  if (settings.advertised_host.empty()) settings.advertised_host = address.host;
  if (settings.advertised_port == 0) settings.advertised_port = address.port;
  for (Impl::PerLoop& part : impl_->parts) {
    part.endpoint = std::make_unique<Endpoint>(*part.executor, impl_->disk, impl_->groups, impl_->log, impl_->clock,
                                               impl_->metrics, settings);
    part.loop->post([listener = part.listener.get()] { listener->start(); });
  }
  return {};
}

net::Address Server::address() const {
  return impl_->parts.front().listener->address();
}

void Server::stop(std::chrono::milliseconds grace) {
  if (std::exchange(impl_->stopped, true) || impl_->parts.empty()) return;
  impl_->groups.stop();  // whoever waits for a rebalance would hold up the drain
  const auto drained = std::make_shared<Countdown>(impl_->parts.size());
  for (Impl::PerLoop& part : impl_->parts) {
    part.loop->post([&part, drained] {
      part.listener->stop();
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

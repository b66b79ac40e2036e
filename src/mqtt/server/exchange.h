// Exchange: what the loops of one server share. Nothing here is touched per message but two atomics that hardly ever
// change.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "mqtt/server/connect_rate.h"
#include "mqtt/server/identity_holds.h"
#include "mqtt/server/listener_metrics.h"
#include "mqtt/server/memory_budget.h"
#include "mqtt/server/response_watch.h"
#include "mqtt/server/server_metrics.h"
#include "mqtt/server/settings.h"
#include "mqtt/session/session_registry.h"
#include "topics/topic_log.h"

namespace millrace::mqtt {

class LoopServer;

struct Peer {
  Executor* executor = nullptr;
  LoopServer* server = nullptr;
  std::atomic<std::size_t> subscriptions{0};
};

struct Exchange {
  Exchange(Settings chosen, metrics::Registry& metric_registry)
      : settings(std::move(chosen)),
        clock(settings.clock != nullptr ? *settings.clock : system_clock),
        metrics(metric_registry),
        memory(settings.max_memory),
        rates{.address{settings.connect_rate_per_address, settings.connect_wait},
              .identity{settings.connect_rate_per_identity, settings.connect_wait},
              .takeover{settings.takeover_rate, settings.connect_wait}},
        retained(RetainedStore(settings.retained)) {}

  Settings settings;
  SystemClock system_clock;
  const Clock& clock;
  ServerMetrics metrics;
  MemoryBudget memory;
  IdentityHolds identity_holds;
  ConnectRates rates;
  SessionRegistry registry;
  Guarded<RetainedStore> retained;  // taken for RETAIN and SUBSCRIBE, in pieces; never together with another lock
  ResponseWatch responses;
  // Set before the first connection.
  bool durable = false;                         // there is a log to remember things in
  std::shared_ptr<topics::Partition> messages;  // `__mqtt_messages`, when durable
  topics::TopicLog* log = nullptr;
  std::atomic<std::uint64_t> last_serial{0};
  std::atomic<std::size_t> connected{0};
  std::vector<std::unique_ptr<Peer>> peers;                 // by loop; complete before the first connection
  std::vector<std::unique_ptr<ListenerMetrics>> listeners;  // by their number; complete before the first connection
  std::atomic<std::size_t> subscriptions{0};                // of all loops
};

}  // namespace millrace::mqtt

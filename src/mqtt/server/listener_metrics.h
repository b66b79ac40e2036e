// ListenerMetrics: what came and went through one listener, under its name. As many as addresses are configured.
// Thread: any; loops gather in a ListenerTally and add once per turn.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "metrics/registry.h"

namespace millrace::mqtt {

struct ListenerMetrics {
  /// `name`: "tcp://0.0.0.0:1883", "wss://[::]:443", "unix:/run/millrace.sock"
  ListenerMetrics(metrics::Registry& registry, const std::string& name);

  metrics::Gauge& connections;
  metrics::Counter& sockets;
  metrics::Counter& connects;
  metrics::Counter& refused_limit;    // over mqtt.max.connections, closed at once
  metrics::Counter& refused_connect;  // CONNECT refused in words
  metrics::Counter& refused_before;   // gone or closed before a CONNECT could be judged
  metrics::Counter& messages_received;
  metrics::Counter& messages_delivered;
  metrics::Counter& received_bytes;
  metrics::Counter& delivered_bytes;
};

/// Of one loop and one listener, since the end of the last turn.
struct ListenerTally {
  std::array<std::uint64_t, 3> received{};  // PUBLISH by QoS
  std::array<std::uint64_t, 3> delivered{};
  std::uint64_t received_bytes = 0;
  std::uint64_t delivered_bytes = 0;
};

}  // namespace millrace::mqtt

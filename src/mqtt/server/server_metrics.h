// The server's metrics, created once. Hot paths gather and add once per read.
#pragma once

#include <array>

#include "metrics/registry.h"
#include "mqtt/protocol/reason_code.h"

namespace millrace::mqtt {

class ServerMetrics {
 public:
  explicit ServerMetrics(metrics::Registry& registry);

  metrics::Gauge& connections;
  metrics::Gauge& subscriptions;
  metrics::Counter& connects;
  metrics::Counter& takeovers;
  std::array<metrics::Counter*, 3> received;  // PUBLISH by QoS
  metrics::Counter& received_bytes;
  metrics::Counter& payload_received;
  metrics::Counter& packets_received;
  metrics::Counter& packets_sent;
  metrics::Counter& sockets;
  metrics::Counter& repeated;
  std::array<metrics::Counter*, 3> delivered;  // by QoS
  metrics::Counter& expired_sessions;
  metrics::Counter& spilled;
  metrics::Counter& dropped_slow;
  metrics::Counter& dropped_too_large;
  metrics::Counter& dropped_crossing;
  metrics::Counter& dropped_expired;
  metrics::Counter& dropped_quota;
  metrics::Counter& dropped_unauthorized;
  metrics::Counter& dropped_topic;
  metrics::Counter& sent_bytes;
  metrics::Gauge& retained_messages;
  metrics::Gauge& retained_bytes;
  metrics::Gauge& share_groups;
  metrics::Counter& refused_quota;
  metrics::Counter& pauses;
  metrics::Counter& wills;
  metrics::Gauge& held_bytes;
  metrics::Counter& connects_held;
  metrics::Counter& accept_pauses_rate;
  metrics::Counter& accept_pauses_memory;

  /// CONNECTs refused and connections closed by the server, by reason. Not for hot paths.
  void count_refused(protocol::ReasonCode reason);
  void count_closed(protocol::ReasonCode reason);

 private:
  metrics::Registry& registry_;
};

}  // namespace millrace::mqtt

// ServerMetrics: every counter of the Kafka server, created once. Shared by all loops.
#pragma once

#include <array>
#include <string_view>

#include "kafka/protocol/messages/api_keys.h"
#include "metrics/registry.h"

namespace millrace::kafka {

/// Why a connection was closed by us; the label of a counter and the reason in the log line.
enum class CloseReason {
  frame_size,           // negative, or over socket.request.max.bytes
  malformed_request,    // header or body does not follow its format
  unknown_api,          // a key that is not in the list of served APIs
  unsupported_version,  // a version that is not in the list of served APIs
  produce_refused,      // acks=0 and the batch was refused: the close is the only answer there is
  encode_failed,        // a bug of ours
  too_many,             // max.connections
  unauthenticated,      // a request before the log-in, or after it has expired; or none in time
  log_in_refused,       // wrong user name, password or mechanism
  idle,                 // connections.max.idle.ms
  stopping,             // the server stops
};
inline constexpr std::size_t kCloseReasons = 11;
[[nodiscard]] std::string_view to_string(CloseReason reason);

struct ServerMetrics {
  explicit ServerMetrics(metrics::Registry& registry);
  metrics::Gauge& connections;
  metrics::Counter& connections_accepted;
  std::array<metrics::Counter*, kCloseReasons> closed;
  std::array<metrics::Counter*, std::size(kApiCodecs)> requests;
  metrics::Counter& bytes_received;
  metrics::Counter& bytes_sent;
  metrics::Counter& records_produced;
  metrics::Counter& batches_produced;
  metrics::Counter& batches_refused;
  metrics::Counter& reading_paused;
  metrics::Counter& damaged_reads;
  metrics::Histogram& produce_latency;
};

}  // namespace millrace::kafka

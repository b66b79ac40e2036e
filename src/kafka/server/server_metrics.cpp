#include "kafka/server/server_metrics.h"

#include <string>

namespace millrace::kafka {

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::frame_size:
      return "frame_size";
    case CloseReason::malformed_request:
      return "malformed_request";
    case CloseReason::unknown_api:
      return "unknown_api";
    case CloseReason::unsupported_version:
      return "unsupported_version";
    case CloseReason::produce_refused:
      return "produce_refused";
    case CloseReason::encode_failed:
      return "encode_failed";
    case CloseReason::too_many:
      return "too_many";
    case CloseReason::unauthenticated:
      return "unauthenticated";
    case CloseReason::log_in_refused:
      return "log_in_refused";
    case CloseReason::idle:
      return "idle";
    case CloseReason::stopping:
      return "stopping";
  }
  return "unknown";
}

ServerMetrics::ServerMetrics(metrics::Registry& registry)
    : connections(registry.gauge("millrace_kafka_connections", "Open Kafka connections")),
      connections_accepted(registry.counter("millrace_kafka_connections_accepted_total", "Kafka connections accepted")),
      bytes_received(registry.counter("millrace_kafka_received_bytes_total", "Bytes of Kafka requests")),
      bytes_sent(registry.counter("millrace_kafka_sent_bytes_total", "Bytes of Kafka responses")),
      records_produced(registry.counter("millrace_kafka_produced_records_total", "Records produced and acknowledged")),
      batches_produced(registry.counter("millrace_kafka_produced_batches_total", "Batches produced and acknowledged")),
      batches_refused(registry.counter("millrace_kafka_refused_batches_total", "Batches answered with an error")),
      reading_paused(
          registry.counter("millrace_kafka_reading_paused_total", "Times a connection was not read on purpose")),
      damaged_reads(registry.counter("millrace_kafka_damaged_reads_total",
                                     "Reads that met a damaged batch and were answered with an error")),
      produce_latency(
          registry.histogram("millrace_kafka_produce_seconds", "From a whole Produce request to its answer")) {
  for (std::size_t i = 0; i < closed.size(); ++i) {
    closed[i] =
        &registry.counter("millrace_kafka_connections_closed_total", "Kafka connections closed by millrace, by reason",
                          {{"reason", std::string(to_string(static_cast<CloseReason>(i)))}});
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i] = &registry.counter("millrace_kafka_requests_total", "Kafka requests, by API",
                                    {{"api", std::string(kApiCodecs[i].name)}});
  }
}

}  // namespace millrace::kafka

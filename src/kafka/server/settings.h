// ServerSettings: what the configuration says about the Kafka listener, under Kafka's names where Kafka has one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "net/listener.h"

namespace millrace::kafka {

struct ServerSettings {
  net::Address address{.host = "127.0.0.1", .port = 9092};
  /// What Metadata tells clients to connect to; empty: the bound host. 0: the bound port.
  std::string advertised_host{};
  std::uint16_t advertised_port = 0;
  std::int32_t node_id = 1;

  std::size_t max_connections = 10'000;             // max.connections, all loops; further ones are closed
  std::size_t request_max_bytes = 100_MiB;          // socket.request.max.bytes: one frame
  std::size_t first_request_max_bytes = 1_MiB;      // the same before a connection has sent one valid request
  std::size_t connection_in_flight_bytes = 16_MiB;  // requests taken and not answered, one connection; beyond: not read
  std::size_t connection_in_flight_requests = 1024;
  std::size_t loop_in_flight_bytes = 256_MiB;       // the same, all connections of one loop (queued.max.request.bytes)
  std::size_t connection_pending_bytes = 64_MiB;    // answers that the client does not take; beyond: not read
  std::size_t fetch_max_bytes = 57'671'680;         // fetch.max.bytes: one Fetch answer (55 MiB)
  std::int32_t max_partitions_per_topic = 10'000;   // of one CreateTopics entry
  std::chrono::milliseconds idle_timeout{600'000};  // connections.max.idle.ms
};

}  // namespace millrace::kafka

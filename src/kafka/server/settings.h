// ServerSettings: what the configuration says about the Kafka listener, under Kafka's names where Kafka has one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "kafka/server/broker_config.h"
#include "net/listener.h"

namespace millrace::kafka {

/// Of the volume that holds the log; -1: not known.
struct VolumeSpace {
  std::int64_t total_bytes = -1;
  std::int64_t usable_bytes = -1;
};

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
  std::size_t loop_in_flight_bytes = 256_MiB;      // the same, all connections of one loop (queued.max.request.bytes)
  std::size_t connection_pending_bytes = 64_MiB;   // answers that the client does not take; beyond: not read
  std::size_t decompressed_max_bytes = 64_MiB;     // of one batch; 0: compressed batches are not looked into
  std::size_t fetch_max_bytes = 57'671'680;        // fetch.max.bytes: one Fetch answer (55 MiB)
  std::int32_t max_partitions_per_topic = 10'000;  // of one CreateTopics entry
  /// A topic asked for with more replicas than one is made with one, and a log line says so; false: it is refused.
  bool clamp_replication_factor = true;
  std::chrono::milliseconds idle_timeout{600'000};  // connections.max.idle.ms

  // What DescribeLogDirs and DescribeConfigs tell.
  std::string log_dir{};                  // absolute
  std::function<VolumeSpace()> volume{};  // quick; called on any loop
  std::shared_ptr<const BrokerConfig> broker_config = std::make_shared<const BrokerConfig>();
};

}  // namespace millrace::kafka

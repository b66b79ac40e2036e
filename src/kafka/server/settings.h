// ServerSettings: what the configuration says about the Kafka listener, under Kafka's names where Kafka has one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "base/bytes.h"
#include "kafka/server/broker_config.h"
#include "net/listener.h"

namespace millrace::auth {
class Acls;
}

namespace millrace::kafka {

/// Of the volume that holds the log; -1: not known.
struct VolumeSpace {
  std::int64_t total_bytes = -1;
  std::int64_t usable_bytes = -1;
};

enum class SaslMechanism : std::uint8_t { plain, scram_sha_256, scram_sha_512 };

/// One address that is listened on.
struct ListenerSettings {
  net::Address address{.host = "127.0.0.1", .port = 9092};
  /// What Metadata tells clients of this listener to connect to; empty: the bound host. 0: the bound port.
  std::string advertised_host{};
  std::uint16_t advertised_port = 0;
  net::StreamLayers layers{};
  std::vector<SaslMechanism> sasl{};  // what a client must log in with; empty: it need not
};

/// The first listener's settings are the object's own.
struct ServerSettings : ListenerSettings {
  std::vector<ListenerSettings> further{};
  std::int32_t node_id = 1;

  auth::Authenticator* authenticator = nullptr;  // required with SASL; outlives the server
  std::vector<std::string> super_users{};        // super.users: who may do everything; ANONYMOUS: who did not log in
  auth::Acls* acls = nullptr;                    // who else may do what; null: everybody may; outlives the server
  std::chrono::milliseconds max_reauth{0};       // connections.max.reauth.ms: how long a log-in holds; 0: for ever
  std::size_t unauthenticated_request_max_bytes = 64_KiB;    // one frame before the log-in
  std::chrono::milliseconds authentication_timeout{30'000};  // for the log-in, from the accept

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

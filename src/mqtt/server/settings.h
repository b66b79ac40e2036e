// Settings of the MQTT server. Every limit has a name here; the configuration module gives them their keys.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "auth/permissions.h"
#include "mqtt/protocol/frame.h"
#include "mqtt/server/seeded_bugs.h"
#include "mqtt/session/retained_store.h"
#include "net/listener.h"
#include "net/websocket_stream.h"

namespace millrace {
class Clock;
}

namespace millrace::mqtt {

struct AccessSettings {
  /// Every client logs in: by a certificate of its listener, or with user name and password. Without it names are noted
  /// and not checked.
  bool log_in_required = false;
  auth::Authenticator* authenticator = nullptr;       // required with log_in_required; outlives the server
  const auth::PermissionSlot* permissions = nullptr;  // null: everybody may do everything; outlives the server
};

struct Settings {
  std::vector<net::Address> listen{net::Address{"127.0.0.1", 1883}};
  /// Of the listeners, in the same order; those without are plain.
  std::vector<net::StreamLayers> layers;
  AccessSettings access;

  /// MQTT over WebSocket (chapter 6).
  std::vector<net::Address> listen_websocket;
  /// Of those, in the same order; those without are plain.
  std::vector<net::StreamLayers> layers_websocket;
  net::WebSocketSettings websocket{.message_size = &protocol::packet_size};

  /// Connected clients; a further one is told so in its CONNACK. Connections that are not clients yet may be an eighth
  /// more; further ones are closed at once.
  std::size_t max_connections = 100'000;
  /// Largest packet taken from a client, in bytes; told to 5.0 clients (3.2.2.3.6).
  std::size_t max_packet_size = 1'048'576;
  /// Largest CONNECT: client id, user name, password and will together. Nothing larger is looked at before a client is
  /// connected.
  std::size_t max_connect_size = 131'072;
  /// From accepting a connection to its CONNECT.
  std::chrono::seconds connect_timeout{10};
  /// QoS 1 and 2 messages a 5.0 client may have unacknowledged (3.2.2.3.3).
  std::uint16_t receive_maximum = 8'192;
  /// Topic aliases a 5.0 client may use (3.2.2.3.8); 0: none.
  std::uint16_t topic_alias_maximum = 16;
  /// Topic aliases used towards a client, if it allows that many (3.1.2.11.5).
  std::uint16_t outbound_topic_aliases = 16;
  /// Longest keep alive granted to a 5.0 client (3.2.2.3.14); 0: whatever it asks for.
  std::uint16_t max_keep_alive_s = 0;
  /// Longest session expiry granted (3.2.2.3.2).
  std::uint32_t max_session_expiry_s = 0xFFFFFFFF;

  /// Levels of a topic or topic filter, and its bytes.
  std::size_t max_topic_levels = 128;
  std::size_t max_topic_bytes = 65'535;
  std::size_t max_subscriptions_per_session = 10'000;
  /// Filters, character by character, whose SUBSCRIBE fails with 0x80.
  std::set<std::string, std::less<>> denied_filters;
  /// Retained messages; a further one is refused with 0x97.
  RetainedLimits retained;
  /// What $SYS/broker/version says.
  std::string version = "millrace";
  /// Whether clients that come, go, subscribe and unsubscribe are told on $aws/events/... (lifecycle_events.h).
  bool lifecycle_events = false;
  /// How often $SYS topics are published; 0: never.
  std::chrono::seconds sys_interval{10};
  /// QoS 1 and 2 messages on their way to one subscriber, if its own Receive Maximum does not allow fewer.
  std::uint32_t max_inflight = 1'000;
  /// Bytes not yet taken by the kernel from which on a subscriber counts as slow: QoS 0 is dropped for it, QoS 1 waits.
  std::size_t max_output_bytes = 1'048'576;
  /// QoS 1 and 2 bytes that may wait for one subscriber; what comes then waits in the log, or without a log its
  /// connection is closed.
  std::size_t max_queued_bytes = 16'777'216;
  /// Bytes on their way from one loop to the others from which on its publishers are paused (QoS 0: dropped).
  std::size_t max_crossing_bytes = 33'554'432;

  /// What all connections may hold together (memory_budget.h), and those of one identity.
  std::size_t max_memory = 536'870'912;
  std::size_t max_identity_bytes = 134'217'728;
  /// Connections accepted per second and listener; 0: as they come.
  std::uint32_t connect_rate = 0;
  /// CONNECTs per second of one network address, and of one identity; 0: any number.
  std::uint32_t connect_rate_per_address = 0;
  std::uint32_t connect_rate_per_identity = 0;
  /// How often per second a client identifier that is connected may be taken over; 0: any number.
  std::uint32_t takeover_rate = 0;
  /// Who comes too soon is kept waiting for so long at most, and refused beyond.
  std::chrono::milliseconds connect_wait{10'000};

  /// Over how long a stop spreads the ends of its connections, so that their clients do not all come back at once; each
  /// is served until its turn. 0: all at once.
  std::chrono::milliseconds stop_spread{0};
  /// How long a stop waits for acknowledgements that are on their way.
  std::chrono::milliseconds stop_timeout{5'000};

  SeededBug bug = SeededBug::none;
  /// Null: the operating system's.
  const Clock* clock = nullptr;
};

}  // namespace millrace::mqtt

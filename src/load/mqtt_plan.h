// What one run of the MQTT generator does (MqttPlan) and what it saw (MqttResult). Plain data; times in seconds unless
// named _ns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/histogram.h"
#include "load/mqtt_packets.h"
#include "load/process_use.h"

namespace millrace::load {

struct MqttPlan {
  std::string host = "127.0.0.1";
  std::int64_t port = 1883;
  MqttVersion version = MqttVersion::v311;
  std::string user;
  std::string password;
  std::string tls_authorities;  // PEM; over TLS then
  std::string client_prefix = "bench";
  std::int64_t keep_alive = 0;

  std::int64_t publishers = 50;
  std::int64_t subscribers = 0;
  std::int64_t idle = 0;
  std::int64_t qos = 1;
  std::int64_t subscribe_qos = -1;  // -1: as qos
  std::string topic = "bench/{n}";  // {n}: number of the publisher
  std::string filter;               // empty: the topic with {n} as +
  PayloadShape payload;
  std::vector<std::string> types = {"log"};  // publisher n has type n mod size

  std::int64_t window = 100;  // unacknowledged messages per publisher
  double rate = 0;            // messages per second in all; 0: closed loop
  double tick = 0;            // open loop: gather what is due for so long
  bool spin = false;          // open loop: never sleep

  double warmup = 1;
  double duration = 5;
  double drain = 5;
  double connect_timeout = 30;
  std::int64_t connecting = 256;  // connects under way at once
  std::int64_t storms = 0;
  std::vector<int> pids;

  [[nodiscard]] bool open_loop() const { return rate > 0; }
  /// QoS 0 has no acknowledgement: a PINGREQ after every kPingEvery messages tells what the server has read, so its
  /// window is wider.
  static constexpr std::uint32_t kPingEvery = 64;
  static constexpr std::uint32_t kQos0Factor = 32;
};

struct ConnectPhase {
  std::size_t wanted = 0;
  std::size_t up = 0;
  double seconds = 0;       // until the last CONNACK (and SUBACK)
  std::size_t resumed = 0;  // TLS sessions that went on
  Histogram latency;        // per connection, from connect() to CONNACK (or SUBACK)
  ProcessUse before;
  ProcessUse after;
};

struct MqttResult {
  ConnectPhase connect;
  std::vector<ConnectPhase> storms;

  double seconds = 0;  // really measured
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;  // QoS 0: proved read by a PINGRESP
  std::uint64_t delivered = 0;
  Histogram
      acknowledgement;   // closed loop: from sending; open loop: from the due time. QoS 0: of a group of kPingEvery
  Histogram end_to_end;  // due time to subscriber
  Histogram lateness;    // open loop: due to sent; the generator, a closed window or a full socket
  ProcessUse before;
  ProcessUse after;
  double generator_cores = 0;

  // The whole run, warm-up and drain included.
  std::uint64_t total_sent = 0;
  std::uint64_t total_acknowledged = 0;
  std::uint64_t total_delivered = 0;
  std::uint64_t missing = 0;    // gaps in a publisher's numbers as a subscriber saw them
  std::uint64_t backwards = 0;  // duplicates or out of order
  std::uint64_t refused = 0;    // acknowledged with an error
  std::uint64_t lost_connections = 0;
  std::string first_loss;  // why

  [[nodiscard]] bool saturated() const { return generator_cores > 0.9; }
  [[nodiscard]] double cpu_seconds() const { return after.cpu_seconds() - before.cpu_seconds(); }
};

}  // namespace millrace::load

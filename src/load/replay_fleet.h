// ReplayFleet: plays a ReplayScript: every device is an MQTT client with its own connection, QoS 1, a bounded window.
//
// Order per device holds across lost connections: unacknowledged messages are sent again first, in their order, with
// DUP and their packet ids (MQTT 4.4, 4.6), then the rest. So a server that keeps what it acknowledged ends up with
// every message at least once, and the first copies in order. Nothing is given up while the server answers within
// `give_up`. One thread, one epoll. Thread: the caller's.
#pragma once

#include <deque>
#include <functional>

#include "load/histogram.h"
#include "load/link.h"
#include "load/mqtt_packets.h"
#include "load/poller.h"
#include "load/replay_script.h"

namespace millrace::load {

struct ReplayPlan {
  std::string host = "127.0.0.1";
  std::int64_t port = 1883;
  MqttVersion version = MqttVersion::v311;
  std::string user;
  std::string password;
  std::string client_prefix = "replay";
  double speed = 0;             // times recorded speed; 0: as fast as it goes
  std::int64_t in_flight = 16;  // per device
  double give_up = 60;          // seconds without any answer
};

struct ReplayState {
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t resent = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t in_flight = 0;
  std::size_t connected = 0;
  double seconds = 0;
  Histogram acknowledgement;  // as fast as it goes: from the first sending; paced: from the due time
  std::string trouble;        // the last lost or refused connection
  bool interrupted = false;
};

class ReplayFleet {
 public:
  using Progress = std::function<void(const ReplayState&)>;

  ReplayFleet(const ReplayPlan& plan, ReplayScript& script);
  /// Returns when everything is acknowledged, nothing has answered for plan.give_up seconds, or `*stop` is set.
  /// `progress` is called about ten times a second. Error: only when nothing could be started (host, or no server at
  /// the first try).
  Result<ReplayState> run(const Progress& progress, const volatile int* stop);
  /// Messages sent more than once, by device, for those who check the result.
  [[nodiscard]] const std::vector<std::uint64_t>& resent_by_device() const { return resent_; }

 private:
  enum class Stage : std::uint8_t { down, connecting, connack, ready };
  struct Flight {
    std::uint32_t event;
    std::uint16_t packet_id;
    std::uint64_t since_ns;
  };
  struct Client {
    Link link;
    Stage stage = Stage::down;
    std::uint32_t window = 1;
    std::uint16_t next_id = 1;
    std::uint32_t next_event = 0;  // not yet in `flights`
    std::uint32_t released = 0;    // events that are due
    std::uint32_t resend = 0;      // flights at the back that this connection has not seen
    std::uint64_t retry_at_ns = 0;
    std::uint64_t retry_wait_ns = 0;
    std::uint64_t last_sent_ns = 0;
    std::deque<Flight> flights;  // oldest first
  };

  void start_connect(std::uint32_t id, std::uint64_t now);
  void connect_due(std::uint64_t now);
  void release_due(std::uint64_t now);
  void lose(std::uint32_t id, std::string why);
  void poll(std::uint64_t timeout_ns);
  bool on_packet(std::uint32_t id, const Packet& packet, std::uint64_t now);
  bool on_puback(std::uint32_t id, const Packet& packet, std::uint64_t now);
  void pump(std::uint32_t id);
  void append(std::uint32_t id, Flight& flight, bool dup);
  void keep_alive(std::uint64_t now);
  [[nodiscard]] std::uint64_t due_ns(std::uint32_t id, std::uint32_t event) const;

  ReplayPlan plan_;
  ReplayScript& script_;
  Endpoint server_;
  Poller poller_;
  InBuffer in_;
  Buffer out_;
  Buffer message_;
  std::vector<Client> clients_;
  std::vector<std::uint64_t> resent_;
  struct Due {
    std::uint64_t at_ns;
    std::uint32_t client;
    bool operator>(const Due& other) const { return at_ns > other.at_ns; }
  };
  std::vector<Due> agenda_;  // a heap of each device's next due event; empty when speed is 0
  std::vector<std::uint32_t> down_;
  std::uint64_t start_ns_ = 0;
  std::uint64_t answered_ns_ = 0;
  std::uint64_t next_keep_alive_ns_ = 0;
  ReplayState state_;
};

}  // namespace millrace::load

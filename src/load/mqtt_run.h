// MqttRun: one thread, one epoll, all clients of a run: connect, (storms,) warm-up, measured time, drain.
//
// Closed loop: every publisher keeps its window full. Open loop: message k is due at a fixed time, belongs to publisher
// k mod N, and its latency counts from that time even when the window or the socket made it wait. Encoding, sending and
// reading allocate nothing per message. Specification: MQTT 3.1.1 and 5.0, sections 4.3 (QoS) and 4.9 (flow control:
// the window never exceeds the server's Receive Maximum). Thread: the caller's, from run() to its return.
#pragma once

#include <deque>
#include <vector>

#include "load/link.h"
#include "load/mqtt_plan.h"
#include "load/pacer.h"
#include "load/poller.h"

namespace millrace::load {

class MqttRun {
 public:
  explicit MqttRun(const MqttPlan& plan);
  /// Error: unavailable when connections do not come up, not_found for host or pid.
  Result<MqttResult> run();

 private:
  enum class Role : std::uint8_t { subscriber, publisher, idle };
  enum class Stage : std::uint8_t { none, connecting, connack, suback, ready, lost };

  struct Client {
    Link link;
    Role role = Role::idle;
    Stage stage = Stage::none;
    bool listed = false;      // in turn_
    std::uint32_t index = 0;  // within its role
    std::uint64_t started_ns = 0;
    std::uint64_t last_sent_ns = 0;
  };
  struct PingGroup {
    std::uint64_t due_ns;  // of its oldest message
    std::uint32_t messages;
  };
  struct Publisher {
    Publish publish;
    std::uint32_t window;
    std::vector<std::uint16_t> free_ids;
    std::vector<std::uint64_t> due_by_id;  // 0: not in use
    std::uint64_t own_sent = 0;
    std::uint32_t unproved = 0;  // QoS 0: sent, no PINGRESP behind it yet
    std::uint32_t since_ping = 0;
    std::uint64_t group_due_ns = 0;
    std::deque<PingGroup> pings;
  };

  // Phases (mqtt_run.cpp).
  void make_clients();
  void connect_all(ConnectPhase& phase);
  Result<void> storm();
  Result<void> measure();
  void drain();
  void say_goodbye();
  void start_connect(std::uint32_t id);
  void lose(Client& client, std::string_view why);
  void poll(std::uint64_t timeout_ns);
  void keep_alive(std::uint64_t now);
  [[nodiscard]] std::uint64_t next_wake(std::uint64_t now, std::uint64_t until) const;
  void list_due(std::uint64_t now);
  void list(std::uint32_t id);
  void take_turns();

  // Traffic (mqtt_traffic.cpp).
  void on_readable(std::uint32_t id);
  void on_writable(std::uint32_t id);
  bool on_packet(Client& client, const Packet& packet, std::uint64_t now);
  bool on_connack(Client& client, const Packet& packet);
  bool on_acknowledged(Publisher& publisher, const Packet& packet, std::uint64_t now);
  bool on_delivery(Client& client, const Packet& packet, std::uint64_t now);
  void on_ping_answer(Publisher& publisher, std::uint64_t now);
  void become_ready(Client& client);
  void pump(std::uint32_t id);
  std::uint8_t* add_ping(Publisher& publisher, std::uint8_t* out);
  void answer(std::uint8_t first, ByteView packet_id);

  [[nodiscard]] std::uint32_t client_id_of(std::uint32_t publisher) const {
    return static_cast<std::uint32_t>(plan_.subscribers) + publisher;
  }

  MqttPlan plan_;
  Endpoint server_;
  Poller poller_;
  InBuffer in_;
  Buffer out_;      // what one pump() sends
  Buffer answers_;  // acknowledgements gathered while one read is parsed
  std::vector<Client> clients_;
  std::vector<Publisher> publishers_;
  std::vector<std::uint32_t> turn_;       // publishers that may send
  std::vector<std::uint32_t> taking_;     // the turn being taken
  std::vector<std::uint32_t> last_seen_;  // subscriber x publisher: highest number
  Histogram* connect_latency_ = nullptr;
  std::size_t ready_ = 0;
  std::size_t pending_ = 0;
  std::size_t failed_ = 0;
  bool sending_ = false;
  bool recording_ = false;
  bool closing_ = false;
  Pacer pacer_;
  std::uint64_t listed_due_ = 0;  // messages of the pacer already handed to their publishers
  std::uint64_t last_turn_ns_ = 0;
  std::uint64_t next_keep_alive_ns_ = 0;
  MqttResult result_;
};

}  // namespace millrace::load

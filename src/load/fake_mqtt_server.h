// FakeMqttServer: a small MQTT server for this module's tests, on loopback and in a thread of its own. What it does
// wrong is chosen by the test: acknowledge late, stall, cut connections. It keeps every QoS 1 message it acknowledged,
// per client and in order. Thread: start and stop on the test's thread; counters and `received` after stop().
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"

namespace millrace::load {

class FakeMqttServer {
 public:
  struct Behaviour {
    std::chrono::nanoseconds acknowledge_after{0};  // each PUBACK, PUBCOMP and PINGRESP this much later than its packet
    std::uint64_t stall_at_message = 0;  // 0: never. On this message nothing is read or written for `stall_for`
    std::chrono::nanoseconds stall_for{0};
    std::uint64_t cut_every = 0;          // 0: never. Every so many messages the connection is closed, the message lost
    bool acknowledge_before_cut = false;  // the message is kept but its PUBACK never sent: the resend is a duplicate
    std::uint64_t refuse_every = 0;       // MQTT 5: every so many PUBACKs say 0x97
    std::uint16_t receive_maximum = 0;    // MQTT 5: 0 leaves it out
  };

  explicit FakeMqttServer(Behaviour behaviour);
  ~FakeMqttServer() { stop(); }
  FakeMqttServer(const FakeMqttServer&) = delete;
  FakeMqttServer& operator=(const FakeMqttServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void stop();

  // After stop().
  struct Message {
    std::string topic;
    std::string payload;
    bool dup = false;
  };
  std::map<std::string, std::vector<Message>> received;  // by client id
  std::uint64_t messages = 0;
  std::uint64_t most_unacknowledged = 0;  // of one client
  std::uint64_t connections = 0;

 private:
  struct Peer {
    int fd = -1;
    std::string client;
    bool v5 = false;
    bool subscribed = false;
    Buffer in;
    std::uint64_t unacknowledged = 0;
  };
  struct Answer {
    MonoTime due;
    int fd;
    std::string bytes;
    bool acknowledgement;
  };
  void serve();
  void accept_one();
  bool read_from(Peer& peer);
  bool on_packet(Peer& peer, std::uint8_t first, ByteView body);
  bool on_publish(Peer& peer, std::uint8_t first, ByteView body);
  void answer(Peer& peer, std::string bytes, bool acknowledgement);
  void answer_due(MonoTime now);
  void drop(Peer& peer);

  Behaviour behaviour_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<Peer> peers_;
  std::vector<Answer> answers_;
  std::size_t answers_from_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millrace::load

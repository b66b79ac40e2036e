// FakeKafkaServer: a Kafka broker in memory for this module's tests, on loopback and in a thread of its own. It answers
// the requests this module sends, checks every produced batch (structure, CRC, sequence) and can answer Produce late by
// a known time. Thread: start and stop on the test's thread; `problems` and `batches` after stop().
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "base/byte_reader.h"
#include "base/clock.h"

namespace millrace::load {

class FakeKafkaServer {
 public:
  struct Behaviour {
    std::chrono::nanoseconds answer_after{0};  // each Produce response this much later than its request
    std::uint64_t refuse_every = 0;            // every so many batches: error 7
    std::int32_t partitions = 4;               // of a topic that is not created
  };
  explicit FakeKafkaServer(Behaviour behaviour);
  ~FakeKafkaServer() { stop(); }
  FakeKafkaServer(const FakeKafkaServer&) = delete;
  FakeKafkaServer& operator=(const FakeKafkaServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void stop();
  /// Puts a batch into a partition, before any client connects.
  void preload(const std::string& topic, std::int32_t partition, ByteView batch);

  // After stop().
  std::vector<std::string> problems;
  std::uint64_t batches = 0;

 private:
  struct Partition {
    std::vector<Buffer> batches;
    std::vector<std::int64_t> bases;
    std::int64_t end = 0;
    std::map<std::int64_t, std::int64_t> next_sequence;  // by producer id
  };
  struct Peer {
    int fd;
    Buffer in;
    std::deque<std::pair<MonoTime, Buffer>> answers;
  };
  void serve();
  bool read_from(Peer& peer);
  void on_request(Peer& peer, ByteReader in);
  void on_produce(ByteReader& in, Buffer& out);
  std::int16_t keep(const std::string& topic, std::int32_t partition, ByteView batch, std::int64_t& base);
  void on_fetch(ByteReader& in, Buffer& out);

  Behaviour behaviour_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::int32_t partitions_;
  std::int64_t next_producer_ = 100;
  std::map<std::string, std::map<std::int32_t, Partition>> topics_;
  std::vector<Peer> peers_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millrace::load

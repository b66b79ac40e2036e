// KafkaRun: one thread, one epoll: producers that pipeline Produce requests, consumers that Fetch, and their figures.
//
// A lane is one producer's share of one partition. Closed loop: every producer keeps `in_flight` requests of full
// batches under way. Open loop: record k is due at a fixed time and belongs to lane k mod lanes; a lane's batch leaves
// when it is full or its oldest record has waited `linger`; latency counts per record from its due time. Idempotent
// producers number their batches per lane. Kafka protocol: Produce 7, Fetch 4, responses in the order of requests.
// Thread: the caller's.
#pragma once

#include <deque>
#include <vector>

#include "load/batch_template.h"
#include "load/kafka_connection.h"
#include "load/kafka_plan.h"
#include "load/link.h"
#include "load/pacer.h"
#include "load/poller.h"

namespace millrace::load {

class KafkaRun {
 public:
  explicit KafkaRun(const KafkaPlan& plan) : plan_(plan) {}
  /// Errors: unavailable (no broker), not_found (topic, host, pid), what the broker said to the first questions.
  Result<KafkaResult> run();

 private:
  struct Lane {
    std::int32_t partition = 0;
    std::int32_t next_sequence = 0;
    std::uint64_t sent = 0;  // records
  };
  struct Part {
    std::uint32_t lane;
    std::uint32_t records;
    std::uint64_t first;  // the lane's own number of the first record
  };
  struct Request {
    std::uint64_t sent_ns;
    std::vector<Part> parts;
  };
  struct Producer {
    Link link;
    Buffer in;
    ProducerId id = kNoProducer;
    std::int32_t correlation = 0;
    std::uint32_t first_lane = 0;
    std::uint32_t next_lane = 0;  // of `lanes_per_producer_`
    std::deque<Request> under_way;
  };
  struct Consumer {
    struct Position {
      std::int32_t partition;
      std::int64_t next;
      std::int64_t end;  // at the start of the run
    };
    Link link;
    Buffer in;
    std::int32_t correlation = 0;
    std::vector<Position> positions;
  };

  Result<void> prepare();
  Result<void> connect();
  Result<void> measure();
  void drain();
  void poll(std::uint64_t timeout_ns);
  void lose(Link& link, std::string_view why);
  template <class OnFrame>
  bool read_frames(Link& link, Buffer& in, OnFrame&& on_frame);

  // kafka_produce.cpp
  void produce(Producer& producer);
  [[nodiscard]] std::uint32_t ready_records(const Lane& lane, std::uint32_t index, std::uint64_t now) const;
  void append_part(Producer& producer, std::uint32_t index, std::uint32_t records, std::uint64_t now, Request& request);
  bool on_produced(Producer& producer, ByteReader in);
  [[nodiscard]] std::uint64_t next_batch_due(std::uint64_t now) const;

  // kafka_consume.cpp
  void ask(Consumer& consumer);
  bool on_fetched(Consumer& consumer, ByteReader in);
  bool take_batches(Consumer::Position& position, ByteView bytes, std::uint64_t now);
  [[nodiscard]] bool all_read() const;

  KafkaPlan plan_;
  Endpoint server_;
  Poller poller_;
  std::vector<BatchTemplate> templates_;  // per partition
  std::vector<Lane> lanes_;               // producer by producer
  std::uint32_t lanes_per_producer_ = 0;
  std::vector<Producer> producers_;
  std::vector<Consumer> consumers_;
  Buffer out_;
  Pacer pacer_;
  std::uint64_t due_ = 0;  // records of the pacer that are due
  std::size_t connected_ = 0;
  bool sending_ = false;
  bool recording_ = false;
  KafkaResult result_;
};

}  // namespace millrace::load

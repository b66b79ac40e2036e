// What one run of the Kafka generator does (KafkaPlan) and what it saw (KafkaResult). Plain data; times in seconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/histogram.h"
#include "load/process_use.h"

namespace millrace::load {

struct KafkaPlan {
  std::string host = "127.0.0.1";
  std::int64_t port = 9092;
  std::string topic = "bench";
  std::int64_t partitions = 64;  // of a topic that does not exist yet
  bool create = true;

  std::int64_t producers = 1;
  std::int64_t record_bytes = 300;  // of the value
  std::int64_t batch_bytes = 65536;
  double linger = 0.005;       // open loop: a batch that is not full waits so long for more
  std::int64_t in_flight = 5;  // requests per connection
  std::int64_t batches_per_request = 1;
  std::int64_t acks = -1;
  bool idempotent = false;
  std::int64_t keys = 0;  // 0: null keys
  double rate = 0;        // records per second in all; 0: closed loop

  std::int64_t consumers = 0;
  std::int64_t fetch_bytes = 1 << 20;  // per partition and request
  bool from_start = false;             // also when there are producers

  double warmup = 1;
  double duration = 5;
  double drain = 10;
  std::vector<int> pids;

  [[nodiscard]] bool open_loop() const { return rate > 0; }
};

struct KafkaResult {
  std::int64_t partitions = 0;
  std::int64_t records_there = 0;       // consumers: records in the log when the run began
  std::uint32_t records_per_batch = 0;  // of a full one
  double seconds = 0;                   // really measured
  std::uint64_t acknowledged = 0;       // records
  std::uint64_t requests = 0;
  std::uint64_t fetched = 0;  // records
  std::uint64_t fetched_bytes = 0;
  Histogram
      acknowledgement;   // per record; closed loop: from the request's sending; open loop: from the record's due time
  Histogram end_to_end;  // due time (closed loop: batch made) to consumer
  ProcessUse before;
  ProcessUse after;
  double generator_cores = 0;
  bool reached_end = false;  // consumers only: everything that was there has been read

  std::uint64_t total_sent = 0;
  std::uint64_t total_acknowledged = 0;
  std::uint64_t total_fetched = 0;
  std::uint64_t refused = 0;  // records whose batch came back with an error
  std::uint64_t lost_connections = 0;
  std::string first_trouble;

  [[nodiscard]] double cpu_seconds() const { return after.cpu_seconds() - before.cpu_seconds(); }
};

}  // namespace millrace::load

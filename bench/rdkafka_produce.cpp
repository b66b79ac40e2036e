// A saturating librdkafka producer: the real client of the Kafka row in bench/RESULTS.md. Built by bench/run against
// librdkafka-dev; nothing of it is part of the program.
//
// rdkafka_produce BROKERS TOPIC PARTITIONS RECORD_BYTES WARMUP_S DURATION_S [key=value ...]
//   key=value are librdkafka settings (enable.idempotence=true). Every record goes to a random partition, the shape of
//   keyed device data. The queue is full all the time, so latency would be queue / throughput and is not reported.
//
// Prints "measuring" and "measured" when the measured time begins and ends, for a caller that samples the server, then
// one JSON object. Threads: librdkafka's own, and this one, which produces and serves delivery reports.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Tally {
  bool measuring = false;
  std::uint64_t delivered = 0;  // while measuring
  std::uint64_t all = 0;
  std::uint64_t failed = 0;
  std::string first_error;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& tally = *static_cast<Tally*>(opaque);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (tally.failed++ == 0) tally.first_error = rd_kafka_err2str(message->err);
    return;
  }
  ++tally.all;
  if (tally.measuring) ++tally.delivered;
}

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "rdkafka_produce: %s\n", text.c_str());
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) die("BROKERS TOPIC PARTITIONS RECORD_BYTES WARMUP_S DURATION_S [key=value ...]");
  const int partitions = std::atoi(argv[3]);
  const auto bytes = static_cast<std::size_t>(std::atol(argv[4]));
  const std::chrono::duration<double> warmup(std::atof(argv[5]));
  const std::chrono::duration<double> duration(std::atof(argv[6]));

  Tally tally;
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const std::string& key, const std::string& value) {
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK) die(error);
  };
  set("bootstrap.servers", argv[1]);
  set("acks", "all");
  set("queue.buffering.max.messages", "100000");
  set("linger.ms", "5");
  for (int i = 7; i < argc; ++i) {
    const std::string pair = argv[i];
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) die("not key=value: " + pair);
    set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_conf_set_opaque(conf, &tally);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (producer == nullptr) die(error);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, argv[2], nullptr);
  if (topic == nullptr) die("cannot open the topic");

  std::string value(bytes, 'x');
  std::uint64_t state = 88172645463325252ULL;  // xorshift64: filler and partitions need no better
  const auto random = [&state] {
    state ^= state << 13U;
    state ^= state >> 7U;
    return state ^= state << 17U;
  };
  for (char& c : value) c = static_cast<char>('!' + random() % 90);

  const SteadyClock::time_point start = SteadyClock::now();
  SteadyClock::time_point measured_from;
  std::uint64_t sent = 0;
  while (true) {
    if (sent % 256 == 0) {
      const SteadyClock::time_point now = SteadyClock::now();
      if (!tally.measuring && now - start >= warmup) {
        tally.measuring = true;
        measured_from = now;
        std::printf("measuring\n");
        std::fflush(stdout);
      }
      if (tally.measuring && now - measured_from >= duration) break;
      rd_kafka_poll(producer, 0);
    }
    const auto partition = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(partitions));
    constexpr int kCopy = RD_KAFKA_MSG_F_COPY;
    if (rd_kafka_produce(topic, partition, kCopy, value.data(), value.size(), nullptr, 0, nullptr) == 0) {
      ++sent;
    } else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(producer, 1);
    } else {
      die(rd_kafka_err2str(rd_kafka_last_error()));
    }
  }
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - measured_from).count();
  const std::uint64_t delivered = tally.delivered;
  std::printf("measured\n");
  std::fflush(stdout);
  rd_kafka_flush(producer, 30'000);
  using Count = unsigned long long;
  std::printf("{\"librdkafka\":\"%s\",\"seconds\":%.3f,\"delivered_per_s\":%.1f,", rd_kafka_version_str(), seconds,
              static_cast<double>(delivered) / seconds);
  std::printf("\"sent\":%llu,\"delivered\":%llu,\"failed\":%llu,\"error\":\"%s\"}\n", static_cast<Count>(sent),
              static_cast<Count>(tally.all), static_cast<Count>(tally.failed), tally.first_error.c_str());
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  return tally.failed == 0 && tally.all == sent ? 0 : 1;
}

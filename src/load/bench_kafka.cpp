// `millrace bench kafka`: options to a plan, a run, and its report.
#include <fmt/format.h>

#include <cstdio>

#include "load/bench.h"
#include "load/kafka_run.h"
#include "load/measure.h"

namespace millrace::load {
namespace {

struct Choices {
  bool json = false;
  bool no_create = false;
  std::int64_t core = -1;
  std::string label;
};

constexpr std::string_view kExamples = R"(Examples
  millrace bench kafka --record-bytes 300 --partitions 64 --pid $(pidof millrace)
  millrace bench kafka --rate 10k --linger 0 --batches-per-request 64 --duration 60
  millrace bench kafka --producers 0 --consumers 1 --topic bench      read what is there
  millrace bench kafka --rate 100k --consumers 1                      end-to-end latency
)";

void declare(Options& options, KafkaPlan& plan, Choices& choices) {
  options.heading("Server");
  options.each("--kafka", "HOST:PORT", "where the broker listens [127.0.0.1:9092]",
               [&plan](std::string_view text) { return parse_endpoint(text, plan.host, plan.port); });
  options.each("--pid", "PID[,PID]", "processes of the server: report their CPU time and memory",
               [&plan](std::string_view text) { return parse_pids(text, plan.pids); });
  options.text("--topic", "NAME", "topic", plan.topic);
  options.count("--partitions", "N", "of the topic when it has to be created", plan.partitions, 1, 10'000);
  options.flag("--no-create", "the topic must exist", choices.no_create);
  options.heading("Producers");
  options.count("--producers", "N", "producing connections", plan.producers, 0, 10'000);
  options.count("--record-bytes", "N", "value of a record; 8 or more carry a stamp", plan.record_bytes, 1, 1'000'000);
  options.count("--keys", "N", "different keys, spread over the partitions; 0: null keys", plan.keys, 0, 10'000'000);
  options.count("--batch-bytes", "N", "largest record batch", plan.batch_bytes, 100, 16'777'216);
  options.count("--in-flight", "N", "requests under way per connection", plan.in_flight, 1, 100'000);
  options.count("--batches-per-request", "N", "batches of different partitions in one request",
                plan.batches_per_request, 1, 10'000);
  options.count("--acks", "-1|1", "-1: all", plan.acks, -1, 1);
  options.flag("--idempotent", "number the batches, so that the broker drops repeated ones (in-flight at most 5)",
               plan.idempotent);
  options.heading("Consumers");
  options.count("--consumers", "N", "fetching connections; the partitions are dealt out to them", plan.consumers, 0,
                10'000);
  options.count("--fetch-bytes", "N", "per partition and request", plan.fetch_bytes, 1, 1 << 30);
  options.flag("--from-start", "read from the first record also when there are producers", plan.from_start);
  options.heading("Load");
  options.real("--rate", "N", "records per second in all, open loop; 0: closed loop", plan.rate, 0);
  options.seconds("--linger", "open loop: how long a batch that is not full waits for more", plan.linger);
  options.seconds("--warmup", "load that is not measured", plan.warmup);
  options.seconds("--duration", "measured time; consumers without producers stop at the end of the log", plan.duration);
  options.seconds("--drain", "how long to wait for late acknowledgements and records", plan.drain);
  options.heading("This process");
  options.count("--cpu", "N", "bind to core N; -1: no binding", choices.core, -1, 1023);
  options.flag("--json", "print one JSON object instead of the table", choices.json);
  options.text("--label", "TEXT", "name of the run, in table and JSON", choices.label);
  options.epilogue(std::string(kExamples));
}

Result<void> complete(KafkaPlan& plan, const Choices& choices) {
  plan.create = !choices.no_create;
  if (plan.producers + plan.consumers == 0) {
    return fail(ErrorCode::invalid_argument, "nothing to do", "give --producers or --consumers");
  }
  if (plan.acks == 0) {
    return fail(ErrorCode::invalid_argument, "--acks 0 has no answers, so nothing could be measured", "use -1 or 1");
  }
  if (plan.idempotent && plan.in_flight > 5) {
    return fail(ErrorCode::invalid_argument, "--idempotent allows 5 requests in flight",
                fmt::format("--in-flight {}", plan.in_flight));
  }
  if (plan.producers == 0) plan.warmup = 0;  // the log would be read before it is measured
  if (choices.core >= 0) return pin_to_core(static_cast<int>(choices.core));
  return {};
}

double per_second(std::uint64_t count, double seconds) {
  return static_cast<double>(count) / seconds;
}

std::string table(const KafkaPlan& plan, const Choices& choices, const KafkaResult& r) {
  std::string out = fmt::format(
      "{}{}kafka  {} B  {} partitions  {} producers  {} consumers  {}  {:.1f} s  {}:{}\n", choices.label,
      choices.label.empty() ? "" : ": ", plan.record_bytes, r.partitions, plan.producers, plan.consumers,
      plan.open_loop()
          ? fmt::format("open loop, {} records/s, linger {:g} ms", with_commas(plan.rate), plan.linger * 1e3)
          : fmt::format("closed loop, {} requests in flight", plan.in_flight),
      r.seconds, plan.host, plan.port);
  const auto megabytes = static_cast<double>(plan.record_bytes) / 1e6;
  double records = 0;
  if (plan.producers > 0) {
    const double rate = per_second(r.acknowledged, r.seconds);
    out += fmt::format(
        "  produce      {} records/s acknowledged  {:.1f} MB/s  {} requests/s  acks={}{}  batch {} records\n",
        with_commas(rate), rate * megabytes, with_commas(per_second(r.requests, r.seconds)),
        plan.acks == -1 ? "all" : "1", plan.idempotent ? " idempotent" : "", r.records_per_batch);
    out += fmt::format("  latency      {}\n", percentiles(r.acknowledgement));
    records += static_cast<double>(r.acknowledged);
  }
  if (plan.consumers > 0) {
    out += fmt::format("  fetch        {} records/s  {:.1f} MB/s{}\n", with_commas(per_second(r.fetched, r.seconds)),
                       per_second(r.fetched_bytes, r.seconds) / 1e6, r.reached_end ? "  (to the end of the log)" : "");
    if (r.end_to_end.count() > 0) out += fmt::format("  end to end   {}\n", percentiles(r.end_to_end));
    if (plan.producers == 0) records += static_cast<double>(r.fetched);
  }
  if (!plan.pids.empty()) {
    out += server_line(r.before, r.after, r.seconds, records, "records");
    if (records > 0) {
      out +=
          fmt::format("               {:.2f} CPU-s per GB of values\n", r.cpu_seconds() / (records * megabytes / 1e3));
    }
  }
  out += generator_line(r.generator_cores);
  out += fmt::format("  whole run    sent {}  acknowledged {}  refused {}  fetched {}  connections lost {}{}\n",
                     with_commas(static_cast<double>(r.total_sent)),
                     with_commas(static_cast<double>(r.total_acknowledged)), r.refused,
                     with_commas(static_cast<double>(r.total_fetched)), r.lost_connections,
                     r.first_trouble.empty() ? "" : " (" + r.first_trouble + ")");
  return out;
}

std::string json(const KafkaPlan& plan, const Choices& choices, const KafkaResult& r) {
  JsonLine line;
  line.text("kind", "kafka");
  line.text("label", choices.label);
  line.number("record_bytes", static_cast<double>(plan.record_bytes));
  line.number("partitions", static_cast<double>(r.partitions));
  line.number("producers", static_cast<double>(plan.producers));
  line.number("consumers", static_cast<double>(plan.consumers));
  line.number("rate_asked", plan.rate);
  line.number("records_per_batch", r.records_per_batch);
  line.number("seconds", r.seconds);
  line.number("acknowledged_per_s", per_second(r.acknowledged, r.seconds));
  line.number("requests_per_s", per_second(r.requests, r.seconds));
  line.number("fetched_per_s", per_second(r.fetched, r.seconds));
  line.number("fetched_mb_per_s", per_second(r.fetched_bytes, r.seconds) / 1e6);
  if (plan.producers > 0) line.latency("ack", r.acknowledgement);
  if (r.end_to_end.count() > 0) line.latency("e2e", r.end_to_end);
  if (!plan.pids.empty()) {
    const auto records = static_cast<double>(plan.producers > 0 ? r.acknowledged : r.fetched);
    line.server(r.before, r.after, r.seconds, records);
    line.number("cpu_s_per_gb", r.cpu_seconds() / (records * static_cast<double>(plan.record_bytes) / 1e9));
  }
  line.number("generator_cores", r.generator_cores);
  line.number("saturated", r.generator_cores > 0.9 ? 1 : 0);
  line.number("total_sent", static_cast<double>(r.total_sent));
  line.number("total_acknowledged", static_cast<double>(r.total_acknowledged));
  line.number("records_there", static_cast<double>(r.records_there));
  line.number("total_fetched", static_cast<double>(r.total_fetched));
  line.number("refused", static_cast<double>(r.refused));
  line.number("connections_lost", static_cast<double>(r.lost_connections));
  line.text("trouble", r.first_trouble);
  return line.finish() + "\n";
}

}  // namespace

int bench_kafka_main(std::span<const std::string_view> args) {
  KafkaPlan plan;
  Choices choices;
  Options options(
      "millrace bench kafka [options]",
      "Loads a Kafka broker with producers and consumers and measures what it does. Without options: one producer, "
      "300-byte records to 64 partitions of the topic `bench`, acks=all, five requests in flight, for 5 seconds.");
  declare(options, plan, choices);
  return measure(
      "bench kafka", options, args, {"--kafka", plan.host, plan.port}, [&] { return complete(plan, choices); },
      [&] { return KafkaRun(plan).run(); },
      [&](const KafkaResult& r) {
        std::fputs((choices.json ? json : table)(plan, choices, r).c_str(), stdout);
        return r.lost_connections > 0 || r.refused > 0 || r.total_acknowledged < r.total_sent ? 1 : 0;
      });
}

}  // namespace millrace::load

// `millrace bench mqtt`: options to a plan, a run, and its report.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "load/bench.h"
#include "load/measure.h"
#include "load/mqtt_run.h"

namespace millrace::load {
namespace {

struct Choices {
  bool json = false;
  bool v5 = false;
  std::int64_t core = -1;
  std::int64_t size = 64;
  std::string label;
  std::string tls_ca;
};

constexpr std::string_view kExamples = R"(Examples
  millrace bench mqtt --publishers 50 --qos 1 --json-payload --size 256 --pid $(pidof millrace)
  millrace bench mqtt --rate 20k --qos 1 --duration 60 --cpu 1
  millrace bench mqtt --publishers 1 --subscribers 100 --qos 0          fan-out
  millrace bench mqtt --publishers 0 --idle 10000 --storm 3             connect storm
)";

void declare(Options& options, MqttPlan& plan, Choices& choices) {
  options.heading("Server");
  options.each("--mqtt", "HOST:PORT", "where the broker listens [127.0.0.1:1883]",
               [&plan](std::string_view text) { return parse_endpoint(text, plan.host, plan.port); });
  options.flag("--v5", "speak MQTT 5 instead of 3.1.1", choices.v5);
  options.text("--user", "NAME", "user name", plan.user);
  options.text("--password", "TEXT", "password", plan.password);
  options.text("--tls-ca", "FILE", "speak TLS and believe these authorities; every client resumes its own last session",
               choices.tls_ca);
  options.each("--pid", "PID[,PID]", "processes of the server: report their CPU time and memory",
               [&plan](std::string_view text) { return parse_pids(text, plan.pids); });
  options.heading("Clients");
  options.count("--publishers", "N", "publishing connections", plan.publishers, 0, 1'000'000);
  options.count("--subscribers", "N", "subscribing connections; all get every message unless --filter says otherwise",
                plan.subscribers, 0, 1'000'000);
  options.count("--idle", "N", "further connections that only stay up", plan.idle, 0, 1'000'000);
  options.count("--keep-alive", "S", "seconds; 0 switches it off", plan.keep_alive, 0, 65535);
  options.text("--client-prefix", "TEXT", "client ids are PREFIX-p0, PREFIX-s0, ...", plan.client_prefix);
  options.heading("Messages");
  options.count("--qos", "0|1|2", "of the publishes", plan.qos, 0, 2);
  options.count("--subscribe-qos", "0|1|2", "of the subscriptions; -1: the same as --qos", plan.subscribe_qos, -1, 2);
  options.count("--size", "BYTES", "payload; 16 or more carry a stamp for end-to-end latency", choices.size, 0,
                268'435'455);
  options.flag("--json-payload", "a JSON device message of --size bytes: device_no, type, seq and more",
               plan.payload.json);
  options.each("--types", "A,B", "values of `type` in JSON messages, device after device [log]",
               [&plan](std::string_view text) -> Result<void> {
                 plan.types.clear();
                 while (!text.empty()) {
                   const std::size_t end = std::min(text.find(','), text.size());
                   plan.types.emplace_back(text.substr(0, end));
                   text.remove_prefix(std::min(end + 1, text.size()));
                 }
                 if (plan.types.empty()) return fail(ErrorCode::invalid_argument, "bad value", "no type is named");
                 return {};
               });
  options.text("--topic", "TEMPLATE", "topic; {n} is the publisher's number", plan.topic);
  options.text("--filter", "FILTER", "subscription; empty: the topic with + for {n}", plan.filter);
  options.heading("Load");
  options.real("--rate", "N", "messages per second in all, open loop; 0: closed loop", plan.rate, 0);
  options.count("--window", "N", "messages without acknowledgement per publisher (QoS 0: 32 x N, proved by PINGREQ)",
                plan.window, 1, 65535);
  options.seconds("--tick", "open loop: gather what is due for so long before sending", plan.tick);
  options.flag("--spin", "open loop: never sleep; exact send times for a whole core", plan.spin);
  options.seconds("--warmup", "load that is not measured", plan.warmup);
  options.seconds("--duration", "measured time; 0: only connect", plan.duration);
  options.seconds("--drain", "how long to wait for late acknowledgements and deliveries", plan.drain);
  options.count("--storm", "K", "K times: reset all connections at once, connect all again", plan.storms, 0, 1000);
  options.count("--connecting", "N", "connects under way at the same time", plan.connecting, 1, 100'000);
  options.seconds("--connect-timeout", "until all must be connected", plan.connect_timeout);
  options.heading("This process");
  options.count("--cpu", "N", "bind to core N; -1: no binding", choices.core, -1, 1023);
  options.flag("--json", "print one JSON object instead of the table", choices.json);
  options.text("--label", "TEXT", "name of the run, in table and JSON", choices.label);
  options.epilogue(std::string(kExamples));
}

Result<void> complete(MqttPlan& plan, const Choices& choices) {
  plan.version = choices.v5 ? MqttVersion::v5 : MqttVersion::v311;
  plan.payload.bytes = static_cast<std::size_t>(choices.size);
  plan.client_prefix += fmt::format("-{}", getpid());
  if (!choices.tls_ca.empty()) {
    std::ifstream file(choices.tls_ca);
    plan.tls_authorities.assign(std::istreambuf_iterator<char>(file), {});
    if (plan.tls_authorities.empty()) {
      return fail(ErrorCode::not_found, "--tls-ca: cannot read the certificates", choices.tls_ca);
    }
  }
  if (plan.payload.json) {
    for (const std::string& type : plan.types) {
      const std::size_t smallest = PayloadShape::smallest_json(type);
      if (plan.payload.bytes < smallest) {
        return fail(ErrorCode::invalid_argument, "--size is too small for a JSON device message",
                    fmt::format("needs {} or more", smallest));
      }
    }
  }
  if (plan.publishers + plan.subscribers + plan.idle == 0) {
    return fail(ErrorCode::invalid_argument, "nothing to do", "give --publishers, --subscribers or --idle");
  }
  if (choices.core >= 0) return pin_to_core(static_cast<int>(choices.core));
  return {};
}

std::string connect_text(const char* what, const ConnectPhase& phase, bool server_known) {
  std::string text =
      fmt::format("  {:<11}  {} of {} in {:.2f} s ({}/s)  {}{}\n", what, phase.up, phase.wanted, phase.seconds,
                  with_commas(static_cast<double>(phase.up) / phase.seconds), percentiles(phase.latency),
                  phase.resumed != 0 ? fmt::format("  {} resumed", phase.resumed) : "");
  if (server_known && phase.up > 0 && phase.wanted >= 1000) {
    const auto up = static_cast<double>(phase.up);
    text += fmt::format("               {:.1f} us server CPU and {:.2f} KiB RSS per connection\n",
                        (phase.after.cpu_seconds() - phase.before.cpu_seconds()) * 1e6 / up,
                        (phase.after.rss_mib - phase.before.rss_mib) * 1024 / up);
  }
  return text;
}

const char* acknowledgement_name(std::int64_t qos) {
  return qos == 0 ? "PINGRESP" : qos == 1 ? "PUBACK" : "PUBCOMP";
}

std::string table(const MqttPlan& plan, const Choices& choices, const MqttResult& r) {
  std::string out = fmt::format("{}{}mqtt {}  QoS {}  {} B{}  {} publishers  {} subscribers  {}  {:.1f} s  {}:{}\n",
                                choices.label, choices.label.empty() ? "" : ": ", choices.v5 ? "5" : "3.1.1", plan.qos,
                                plan.payload.bytes, plan.payload.json ? " JSON" : "", plan.publishers, plan.subscribers,
                                plan.open_loop() ? fmt::format("open loop, {} msg/s", with_commas(plan.rate))
                                                 : fmt::format("closed loop, window {}", plan.window),
                                r.seconds, plan.host, plan.port);
  const bool known = !plan.pids.empty();
  if (r.connect.wanted >= 1000 || r.seconds == 0) out += connect_text("connect", r.connect, known);
  for (const ConnectPhase& phase : r.storms) out += connect_text("storm", phase, known);
  if (r.seconds == 0) return out;
  if (plan.publishers > 0) {
    const double rate = static_cast<double>(r.acknowledged) / r.seconds;
    out +=
        fmt::format("  throughput   {} msg/s {}  {:.1f} MB/s of payload{}\n", with_commas(rate),
                    plan.qos == 0 ? "processed" : "acknowledged", rate * static_cast<double>(plan.payload.bytes) / 1e6,
                    plan.subscribers > 0
                        ? fmt::format("  {} msg/s delivered", with_commas(static_cast<double>(r.delivered) / r.seconds))
                        : "");
    out += fmt::format("  {:<11}  {}{}\n", acknowledgement_name(plan.qos), percentiles(r.acknowledgement),
                       plan.qos == 0 ? "  (groups of 64)" : "");
    if (plan.subscribers > 0) out += fmt::format("  end to end   {}\n", percentiles(r.end_to_end));
    if (plan.open_loop()) out += fmt::format("  sent late    {}\n", percentiles(r.lateness));
  }
  if (known) {
    out += server_line(r.before, r.after, r.seconds, static_cast<double>(r.acknowledged), "messages in");
  }
  out += generator_line(r.generator_cores);
  out +=
      fmt::format("  whole run    sent {}  acknowledged {}  refused {}", with_commas(static_cast<double>(r.total_sent)),
                  with_commas(static_cast<double>(r.total_acknowledged)), r.refused);
  if (plan.subscribers > 0) {
    out += fmt::format("  delivered {}  missing {}  twice or out of order {}",
                       with_commas(static_cast<double>(r.total_delivered)), r.missing, r.backwards);
  }
  out += fmt::format("  connections lost {}{}\n", r.lost_connections,
                     r.first_loss.empty() ? "" : " (" + r.first_loss + ")");
  return out;
}

std::string json(const MqttPlan& plan, const Choices& choices, const MqttResult& r) {
  JsonLine line;
  line.text("kind", "mqtt");
  line.text("label", choices.label);
  line.number("qos", static_cast<double>(plan.qos));
  line.number("version", choices.v5 ? 5 : 4);
  line.number("payload_bytes", static_cast<double>(plan.payload.bytes));
  line.number("publishers", static_cast<double>(plan.publishers));
  line.number("subscribers", static_cast<double>(plan.subscribers));
  line.number("window", static_cast<double>(plan.window));
  line.number("rate_asked", plan.rate);
  line.number("connections", static_cast<double>(r.connect.up));
  line.number("connect_s", r.connect.seconds);
  line.latency("connect", r.connect.latency);
  for (std::size_t i = 0; i < r.storms.size(); ++i) {
    line.number(fmt::format("storm{}_s", i + 1), r.storms[i].seconds);
    line.number(fmt::format("storm{}_up", i + 1), static_cast<double>(r.storms[i].up));
    line.number(fmt::format("storm{}_resumed", i + 1), static_cast<double>(r.storms[i].resumed));
  }
  if (r.seconds > 0) {
    line.number("seconds", r.seconds);
    line.number("sent_per_s", static_cast<double>(r.sent) / r.seconds);
    line.number("acknowledged_per_s", static_cast<double>(r.acknowledged) / r.seconds);
    line.number("delivered_per_s", static_cast<double>(r.delivered) / r.seconds);
    line.latency("ack", r.acknowledgement);
    if (plan.subscribers > 0) line.latency("e2e", r.end_to_end);
    if (plan.open_loop()) line.latency("late", r.lateness);
    if (!plan.pids.empty()) line.server(r.before, r.after, r.seconds, static_cast<double>(r.acknowledged));
    line.number("generator_cores", r.generator_cores);
    line.number("saturated", r.saturated() ? 1 : 0);
  }
  line.number("total_sent", static_cast<double>(r.total_sent));
  line.number("total_acknowledged", static_cast<double>(r.total_acknowledged));
  line.number("total_delivered", static_cast<double>(r.total_delivered));
  line.number("missing", static_cast<double>(r.missing));
  line.number("backwards", static_cast<double>(r.backwards));
  line.number("refused", static_cast<double>(r.refused));
  line.number("connections_lost", static_cast<double>(r.lost_connections));
  return line.finish() + "\n";
}

}  // namespace

int bench_mqtt_main(std::span<const std::string_view> args) {
  MqttPlan plan;
  Choices choices;
  Options options(
      "millrace bench mqtt [options]",
      "Loads an MQTT broker with publishers and subscribers and measures what it does. Without options: 50 publishers, "
      "QoS 1, 64 bytes, as fast as a window of 100 allows, for 5 seconds.");
  declare(options, plan, choices);
  return measure(
      "bench mqtt", options, args, {"--mqtt", plan.host, plan.port}, [&] { return complete(plan, choices); },
      [&] { return MqttRun(plan).run(); },
      [&](const MqttResult& r) {
        std::fputs((choices.json ? json : table)(plan, choices, r).c_str(), stdout);
        return r.lost_connections > 0 || r.refused > 0 ? 1 : 0;
      });
}

}  // namespace millrace::load

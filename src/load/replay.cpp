#include "load/replay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/clock.h"
#include "load/options.h"
#include "load/process_use.h"
#include "load/replay_check.h"
#include "load/replay_fleet.h"
#include "load/replay_progress.h"
#include "load/replay_script.h"
#include "load/report.h"

namespace millrace::load {
namespace {

struct Choices {
  std::vector<std::string> files;
  std::string preset;
  std::string run;
  std::int64_t limit = 0;
  std::string kafka_host;
  std::int64_t kafka_port = 0;
  std::string kafka_topics;
  bool json = false;
  bool quiet = false;
  bool plain = false;
  bool v5 = false;
};

constexpr std::string_view kExamples = R"(Examples
  millrace replay examples/bus-fleet/positions.csv
  millrace replay day.csv.gz --key vehicle_id --time timestamp --speed 60 --set type=log
  millrace replay plant/ --device "{dir}-{file}" --time datetime --topic "factory/{file}"
  millrace replay examples/bus-fleet/positions.csv --verify kafka=127.0.0.1:9092

A message is {"device_no":…, constants of --set, every other column, "replay_run":…, "replay_seq":…}. Numbers stay
numbers, empty cells become null. Messages of one device keep the order of the file. When the connection is lost,
unacknowledged messages are sent again in order (DUP), so a server that keeps what it acknowledged ends up with all of
them. Exit status: 0 all acknowledged (and verified), 1 not all, 2 it could not start.
)";

volatile int g_stop = 0;  // set by SIGINT and SIGTERM, read by the replay loop
void on_signal(int) {
  g_stop = 1;
}

std::string preset_list() {
  std::string list = "column names of known data; without it the header is recognised:";
  for (const ReplayPreset& preset : replay_presets()) list += fmt::format(" {} ({});", preset.name, preset.what);
  list.pop_back();
  return list;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Result<void> set_constant(std::string_view text, ReplayMapping& mapping) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(ErrorCode::invalid_argument, "bad value", fmt::format("'{}' is not name=value", text));
  }
  const std::string name(text.substr(0, equals));
  std::erase_if(mapping.constants, [&](const auto& constant) { return constant.first == name; });
  mapping.constants.emplace_back(name, text.substr(equals + 1));
  return {};
}

Result<void> set_speed(std::string_view text, double& speed) {
  if (text == "max") {
    speed = 0;
    return {};
  }
  if (text.ends_with('x')) text.remove_suffix(1);
  Result<double> value = parse_seconds(text);  // same digits; units make no sense here and are refused below
  const bool digits = text.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!value || !digits || *value <= 0) {
    return fail(ErrorCode::invalid_argument, "bad value",
                fmt::format("'{}' is not max or a factor above 0 (1: as recorded)", text));
  }
  speed = *value;
  return {};
}

void declare(Options& options, ReplayPlan& plan, ReplayMapping& mapping, Choices& choices) {
  options.positional("FILE...", "CSV with a header row, plain or gzip; a folder stands for its .csv and .csv.gz files",
                     choices.files);
  options.heading("Where to");
  const auto endpoint = [&plan](std::string_view text) {
    if (text.starts_with("mqtt://")) text.remove_prefix(7);
    return parse_endpoint(text, plan.host, plan.port);
  };
  options.each("--to", "HOST:PORT", "the MQTT broker, with or without mqtt:// in front [127.0.0.1:1883]", endpoint);
  options.flag("--v5", "speak MQTT 5 instead of 3.1.1", choices.v5);
  options.text("--user", "NAME", "user name", plan.user);
  options.text("--password", "TEXT", "password", plan.password);
  options.text("--topic", "TEMPLATE", "topic; {file} and {dir} stand for the file's name and its folder's",
               mapping.topic);
  options.heading("What the columns mean");
  options.text("--preset", "NAME", preset_list(), choices.preset);
  options.text("--key", "COLUMN", "names the device; every device is one MQTT client", mapping.key);
  options.text("--device", "TEMPLATE", "one device per file instead of a column: car-1, {file}, {dir}-{file}",
               mapping.device);
  options.text("--time", "COLUMN", "when: ISO 8601, YYYY-MM-DD HH:MM:SS, epoch seconds or milliseconds", mapping.time);
  options.each("--set", "NAME=VALUE", "a constant member of every message; may be repeated [type=log]",
               [&mapping](std::string_view text) { return set_constant(text, mapping); });
  options.each("--text", "COLUMN,...", "columns that stay strings even when they look like numbers",
               [&mapping](std::string_view text) -> Result<void> {
                 for (std::string& name : split(text)) mapping.text_columns.push_back(std::move(name));
                 return {};
               });
  options.flag("--plain", "leave out replay_run and replay_seq (no --verify then)", choices.plain);
  options.heading("How fast");
  options.each("--speed", "1|N|max", "recorded speed, N times that, or as fast as it goes [max]",
               [&plan](std::string_view text) { return set_speed(text, plan.speed); });
  options.count("--in-flight", "N", "unacknowledged messages per device", plan.in_flight, 1, 1000);
  options.count("--limit", "N", "stop after so many rows; 0: all", choices.limit, 0, 4'000'000'000);
  options.seconds("--give-up", "stop when the server has been silent for so long", plan.give_up);
  options.heading("Afterwards");
  options.each("--verify", "kafka=HOST:PORT", "read the topics back: every message there once and in order per device",
               [&choices](std::string_view text) {
                 if (text.starts_with("kafka=")) text.remove_prefix(6);
                 choices.kafka_host = "127.0.0.1";
                 return parse_endpoint(text, choices.kafka_host, choices.kafka_port);
               });
  options.text("--kafka-topic", "TOPIC,...", "topics to read; empty: message-TYPE, with the type of --set",
               choices.kafka_topics);
  options.text("--run", "ID", "value of replay_run; empty: a fresh one", choices.run);
  options.flag("--json", "print the summary as one JSON object", choices.json);
  options.flag("--quiet", "no progress", choices.quiet);
  options.epilogue(std::string(kExamples));
}

Result<void> complete(ReplayPlan& plan, ReplayMapping& mapping, Choices& choices) {
  if (choices.files.empty())
    return fail(ErrorCode::invalid_argument, "which file? Say `millrace replay FILE` (--help tells more)");
  if (!choices.preset.empty()) {
    const ReplayPreset* preset = find_preset(choices.preset);
    if (preset == nullptr) {
      std::string known;
      for (const ReplayPreset& each : replay_presets())
        known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
      return fail(ErrorCode::invalid_argument, "no such preset",
                  fmt::format("'{}'; there are {}", choices.preset, known));
    }
    apply_preset(*preset, mapping);
  }
  plan.version = choices.v5 ? MqttVersion::v5 : MqttVersion::v311;
  mapping.marks = !choices.plain;
  if (choices.plain && choices.kafka_port != 0) {
    return fail(ErrorCode::invalid_argument,
                "--verify recognises messages by replay_run and replay_seq: leave --plain out");
  }
  if (choices.run.empty()) {
    for (auto left = static_cast<std::uint64_t>(SystemClock().wall().count()); left > 0; left /= 36) {
      choices.run += "0123456789abcdefghijklmnopqrstuvwxyz"[left % 36];
    }
    std::ranges::reverse(choices.run);
  }
  plan.client_prefix = "replay";
  return {};
}

std::vector<std::string> topics_to_read(const ReplayMapping& mapping, const Choices& choices) {
  if (!choices.kafka_topics.empty()) return split(choices.kafka_topics);
  const auto type = std::ranges::find(mapping.constants, "type", &std::pair<std::string, std::string>::first);
  return {"message-" + (type == mapping.constants.end() ? std::string("log") : type->second)};
}

void print_summary(const ReplayScript& script, const ReplayState& state, bool paced) {
  const auto done = static_cast<double>(state.acknowledged);
  fmt::print("{} of {} messages acknowledged  {} devices  {}  {} msg/s\n", with_commas(done),
             with_commas(static_cast<double>(script.events())), script.devices().size(), human_seconds(state.seconds),
             with_commas(done / std::max(state.seconds, 1e-9)));
  fmt::print("  PUBACK       {}{}\n", percentiles(state.acknowledgement), paced ? "  (from the due time)" : "");
  fmt::print("  sent again   {}  connections lost {}  refused {}\n", with_commas(static_cast<double>(state.resent)),
             state.reconnects, state.refused);
  const std::uint64_t open = script.events() - state.acknowledged - state.refused;
  if (open > 0) {
    fmt::print("  NOT ACKNOWLEDGED {}{}{}\n", with_commas(static_cast<double>(open)),
               state.interrupted ? " (interrupted)" : "", state.trouble.empty() ? "" : ": " + state.trouble);
  }
}

void print_findings(const ReplayCheck::Findings& f, std::uint64_t records, const std::vector<std::string>& topics) {
  fmt::print(
      "  verified     {} records of {}: {} of {} messages there, missing {}, out of order {}, duplicates {} after "
      "resending, {} "
      "unexplained\n",
      with_commas(static_cast<double>(records)), fmt::join(topics, ", "), with_commas(static_cast<double>(f.found)),
      with_commas(static_cast<double>(f.expected)), f.missing, f.out_of_order, f.duplicates, f.unexplained);
  if (f.moved + f.strangers + f.wrong_key > 0) {
    fmt::print("               devices in more than one partition {}, wrong key {}, never played {}\n", f.moved,
               f.wrong_key, f.strangers);
  }
  for (const std::string& text : f.examples) fmt::print("               {}\n", text);
  fmt::print("  {}\n",
             f.good() ? "every message is there, in order per device" : "THE TOPICS DO NOT HOLD WHAT WAS PLAYED");
}

std::string json_summary(const ReplayScript& script, const ReplayState& state) {
  JsonLine line;
  line.text("kind", "replay");
  line.text("run", script.run());
  line.number("messages", static_cast<double>(script.events()));
  line.number("devices", static_cast<double>(script.devices().size()));
  line.number("acknowledged", static_cast<double>(state.acknowledged));
  line.number("refused", static_cast<double>(state.refused));
  line.number("resent", static_cast<double>(state.resent));
  line.number("connections_lost", static_cast<double>(state.reconnects));
  line.number("seconds", state.seconds);
  line.number("messages_per_s", static_cast<double>(state.acknowledged) / std::max(state.seconds, 1e-9));
  line.latency("ack", state.acknowledgement);
  return line.finish();
}

/// {"...": ..., "verify_...": ...} from a finished object.
std::string with_findings(std::string json, const ReplayCheck::Findings& f) {
  json.pop_back();
  return json +
         fmt::format(R"(,"found":{},"missing":{},"out_of_order":{},"duplicates":{},"unexplained":{},"verified":{}}})",
                     f.found, f.missing, f.out_of_order, f.duplicates, f.unexplained, f.good());
}

/// Plays and reports; the exit status. Error: it could not start.
Result<int> play(const ReplayPlan& plan, ReplayMapping mapping, const Choices& choices) {
  MR_TRY_ASSIGN(ReplayScript script,
                ReplayScript::load(choices.files, mapping, choices.run, static_cast<std::uint64_t>(choices.limit)));
  for (const std::string& note : script.notes()) fmt::print(stderr, "note: {}\n", note);
  if (plan.speed > 0 && script.span_ms() == 0 && script.events() > 1) {
    return fail(ErrorCode::invalid_argument, "--speed needs times: say --time COLUMN, or --speed max");
  }
  if (!choices.quiet) {
    fmt::print(stderr, "{} messages of {} devices{}{} to mqtt://{}:{}, {}\n",
               with_commas(static_cast<double>(script.events())), script.devices().size(),
               script.span_ms() > 0
                   ? fmt::format(", recorded over {}", human_seconds(static_cast<double>(script.span_ms()) / 1e3))
                   : "",
               script.recognised().empty() ? "" : fmt::format(" ({})", script.recognised()), plan.host, plan.port,
               plan.speed > 0 ? fmt::format("{:g} times as fast", plan.speed) : "as fast as it goes");
  }
  const auto kind = choices.quiet           ? ReplayProgress::Kind::silent
                    : isatty(STDERR_FILENO) ? ReplayProgress::Kind::bar
                                            : ReplayProgress::Kind::lines;
  ReplayProgress progress(kind, script.events(), script.devices().size());
  ReplayFleet fleet(plan, script);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  const Result<ReplayState> state = fleet.run([&progress](const ReplayState& now) { progress.show(now); }, &g_stop);
  progress.clear();
  if (!state) return std::unexpected(state.error());
  std::signal(SIGINT, SIG_DFL);

  bool good = state->acknowledged == script.events();
  std::string json = choices.json ? json_summary(script, *state) : "";
  if (!choices.json) print_summary(script, *state, plan.speed > 0);
  if (choices.kafka_port != 0) {
    ReplayCheck check(script, fleet.resent_by_device());
    const std::vector<std::string> topics = topics_to_read(mapping, choices);
    const Result<std::uint64_t> records = read_topics(choices.kafka_host, choices.kafka_port, topics, check);
    if (!records) {
      print_error("replay --verify", records.error());
      good = false;
    } else {
      const ReplayCheck::Findings findings = check.findings();
      good = good && findings.good();
      if (choices.json) json = with_findings(std::move(json), findings);
      if (!choices.json) print_findings(findings, *records, topics);
    }
  }
  if (choices.json) fmt::print("{}\n", json);
  return good ? 0 : 1;
}

}  // namespace

int replay_main(std::span<const std::string_view> args) {
  ReplayPlan plan;
  ReplayMapping mapping;
  Choices choices;
  Options options("millrace replay FILE... [options]",
                  "Plays recorded data as a fleet of devices: every device is an MQTT client with a connection of its "
                  "own and sends its "
                  "rows with QoS 1, in order.");
  declare(options, plan, mapping, choices);
  const Result<bool> run = options.parse(args);
  if (run && !*run) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  const Result<void> ready = run ? complete(plan, mapping, choices) : std::unexpected(run.error());
  if (!ready) {
    print_error("replay", ready.error());
    return 2;
  }
  prepare_process();
  const Result<int> status = play(plan, mapping, choices);
  if (status) return *status;
  print_error("replay", status.error());
  if (status.error().code == ErrorCode::unavailable) {
    fmt::print(stderr,
               "Is a broker listening there? Start one with `millrace serve`, or say where with --to HOST:PORT.\n");
  }
  return 2;
}

}  // namespace millrace::load

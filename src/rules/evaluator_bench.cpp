// What one message costs: the rule of scenario A and its parts over a rotation of different 300-byte messages.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "rules/evaluator.h"
#include "rules/testing/hostile_cases.h"
#include "rules/topic_filter.h"
#include "sql/json_document.h"

namespace millrace::rules {
namespace {

/// A terminal's report: 17 members, about 300 bytes, no two alike.
std::vector<std::string> reports() {
  constexpr int kMessages = 512;
  const std::vector<std::string> types = {"gps", "kinematic", "adas", "log"};
  Rng rng(1);
  std::vector<std::string> out;
  for (int i = 0; i < kMessages; ++i) {
    out.push_back(
        fmt::format(R"({{"device_no":"T{:08}","type":"{}","seq":{},"lat":{}.{:06},"lon":{}.{:06},"speed":{}.{},)"
                    R"("heading":{},"fuel":{}.{},"rpm":{},"temp":{},"ignition":{},"door":{},"sat":{},"fw":"v2.{}.{}",)"
                    R"("vin":"KMHXX00XXXX{:06}","msg":"periodic report of the terminal, number {:06}"}})",
                    rng.below(20'000), types[rng.below(4)], rng.below(100'000), 33 + rng.below(5), rng.below(1'000'000),
                    124 + rng.below(6), rng.below(1'000'000), rng.below(130), rng.below(10), rng.below(360),
                    rng.below(100), rng.below(10), rng.below(6'000), rng.between(-20, 45), rng.chance(1, 2),
                    rng.chance(1, 10) ? "null" : "\"closed\"", rng.below(20), rng.below(10), rng.below(100),
                    rng.below(1'000'000), rng.below(1'000'000)));
  }
  return out;
}

DeviceMessage message_of(const std::string& payload, std::int64_t at) {
  DeviceMessage message;
  message.topic = "report";
  message.payload = as_bytes(payload);
  message.client_id = "terminal-1";
  message.received_at = WallTime{1'700'000'000'000 + at};
  return message;
}

RuleDefinition rule_of(std::string sql, std::string topic, std::string key) {
  RuleDefinition rule;
  rule.name = "bench";
  rule.sql = std::move(sql);
  ActionDefinition action;
  action.kafka.topic = std::move(topic);
  action.kafka.key = std::move(key);
  rule.actions.push_back(action);
  return rule;
}

/// The same with a note that fills them up to `bytes`.
std::vector<std::string> reports_of(std::size_t bytes) {
  std::vector<std::string> out = reports();
  for (std::string& report : out) {
    const std::size_t without = report.size() + std::string_view(",\"note\":\"\"").size();
    report.pop_back();
    report += fmt::format(",\"note\":\"{}\"}}", std::string(bytes - without, 'n'));
  }
  return out;
}

void run(benchmark::State& state, const RuleDefinition& rule, const std::vector<std::string>& payloads = reports()) {
  const auto rules = RuleSet::compile({rule});
  if (!rules) {
    state.SkipWithError(rules.error().message().c_str());
    return;
  }
  Evaluator evaluator(1);
  std::size_t i = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string& payload = payloads[i % payloads.size()];
    // A thousand messages in a millisecond: the second changes, but seldom.
    const auto outcome = evaluator.evaluate(**rules, message_of(payload, static_cast<std::int64_t>(i / 1000)));
    benchmark::DoNotOptimize(outcome.outputs.data());
    bytes += payload.size();
    ++i;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void BM_ScenarioA(benchmark::State& state) {
  run(state, rule_of(R"(SELECT *, parse_time("yyyy-MM-dd'T'HH:mm:ssz", timestamp()) as timestamp FROM 'report')",
                     "message-${type}", "${device_no}"));
}
BENCHMARK(BM_ScenarioA);

constexpr std::size_t kUsual = 500;

void BM_FilterAndProjection(benchmark::State& state) {
  run(state,
      rule_of("SELECT device_no, speed, lat FROM 'report' WHERE speed >= 0 AND type <> 'x' AND rpm < 6000",
              "speed-${type}", ""),
      reports_of(kUsual));
}
BENCHMARK(BM_FilterAndProjection);

/// One message at a time, each with its own time: what the slowest of a hundred takes, the clock's own cost included.
void BM_OneRuleLatency(benchmark::State& state) {
  const auto rules = RuleSet::compile(
      {rule_of("SELECT device_no, speed, lat FROM 'report' WHERE speed >= 0 AND type <> 'x' AND rpm < 6000",
               "speed-${type}", "")});
  const std::vector<std::string> payloads = reports_of(kUsual);
  Evaluator evaluator(1);
  const SystemClock clock;
  std::vector<std::int64_t> times;
  std::size_t i = 0;
  for (auto _ : state) {
    const DeviceMessage message = message_of(payloads[i++ % payloads.size()], 0);
    const MonoTime before = clock.mono();
    benchmark::DoNotOptimize(evaluator.evaluate(**rules, message).outputs.data());
    times.push_back((clock.mono() - before).count());
  }
  std::sort(times.begin(), times.end());
  state.counters["p50_ns"] = static_cast<double>(times[times.size() / 2]);
  state.counters["p99_ns"] = static_cast<double>(times[times.size() * 99 / 100]);
}
BENCHMARK(BM_OneRuleLatency);

void BM_PassThroughWithoutJson(benchmark::State& state) {
  run(state, rule_of("SELECT * FROM 'report'", "all", ""));
}
BENCHMARK(BM_PassThroughWithoutJson);

void BM_JsonIndex(benchmark::State& state) {
  const std::vector<std::string> payloads = reports();
  sql::JsonDocument document;
  std::size_t i = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string& payload = payloads[i++ % payloads.size()];
    benchmark::DoNotOptimize(document.parse(payload));
    bytes += payload.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_JsonIndex);

void BM_FormatTime(benchmark::State& state) {
  run(state, rule_of(R"(SELECT parse_time("yyyy-MM-dd'T'HH:mm:ss.SSSz", timestamp()) as t FROM 'report')", "all", ""));
}
BENCHMARK(BM_FormatTime);

/// Rules of a fleet on one filter, each about one device: `rules` devices, one message in 64 is about a device that has
/// none. The memory counter is what the set holds per rule.
std::vector<RuleDefinition> fleet_rules(std::int64_t count, bool bounded = true) {
  std::vector<RuleDefinition> out;
  for (std::int64_t i = 0; i < count; ++i) {
    RuleDefinition rule = rule_of(fmt::format("SELECT device_no, speed, lat FROM 'report' WHERE device_no = 'T{:08}'{}",
                                              i, bounded ? fmt::format(" AND speed >= {}", i % 20) : ""),
                                  "alerts", "${device_no}");
    rule.name = fmt::format("alert_{}", i);
    out.push_back(std::move(rule));
  }
  return out;
}

/// For others' engines to be measured on the same messages (bench/_rules_peer.py): into the folder MILLRACE_RULES_DATA.
void write_down(std::int64_t rules, const std::vector<std::string>& payloads) {
  const char* const folder = std::getenv("MILLRACE_RULES_DATA");
  if (folder == nullptr) return;
  std::ofstream out(fmt::format("{}/messages-{}.jsonl", folder, rules));
  for (const std::string& payload : payloads) out << payload << '\n';
}

std::size_t heap_bytes() {
  return mallinfo2().uordblks;
}

void many_rules(benchmark::State& state, bool bounded) {
  const std::int64_t count = state.range(0);
  const std::size_t before = heap_bytes();
  const auto rules = RuleSet::compile(fleet_rules(count, bounded));
  const std::size_t bytes = heap_bytes() - before;
  if (!rules) {
    state.SkipWithError(rules.error().message().c_str());
    return;
  }
  std::vector<std::string> payloads;
  Rng rng(2);
  constexpr int kMessages = 4096;
  for (int i = 0; i < kMessages; ++i) {
    const std::uint64_t device = rng.below(static_cast<std::uint64_t>(count + count / 64 + 1));
    payloads.push_back(fmt::format(R"({{"device_no":"T{:08}","type":"gps","seq":{},"lat":35.{:06},"lon":127.{:06},)"
                                   R"("speed":{},"heading":{},"fuel":{},"rpm":{},"temp":{},"msg":"periodic report"}})",
                                   device, i, rng.below(1'000'000), rng.below(1'000'000), rng.below(130),
                                   rng.below(360), rng.below(100), rng.below(6'000), rng.below(45)));
  }
  write_down(count, payloads);
  Evaluator evaluator(1);
  std::size_t matched = 0;
  for (const std::string& payload : payloads) {
    matched += evaluator.evaluate(**rules, message_of(payload, 0)).outputs.size();
  }
  state.counters["matched_of_4096"] = static_cast<double>(matched);
  std::size_t i = 0;
  std::size_t outputs = 0;
  for (auto _ : state) {
    const auto outcome = evaluator.evaluate(**rules, message_of(payloads[i % payloads.size()], 0));
    outputs += outcome.outputs.size();
    ++i;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  state.counters["bytes_per_rule"] = static_cast<double>(bytes) / static_cast<double>(count);
  state.counters["outputs_per_message"] = static_cast<double>(outputs) / static_cast<double>(i);
}
void BM_ManyRules(benchmark::State& state) {
  many_rules(state, true);
}
BENCHMARK(BM_ManyRules)->Arg(1'000)->Arg(10'000)->Arg(100'000);

/// Without the bound on the speed: what engines without ranges are compared with.
void BM_ManyEqualities(benchmark::State& state) {
  many_rules(state, false);
}
BENCHMARK(BM_ManyEqualities)->Arg(1'000)->Arg(10'000)->Arg(100'000);

/// One of many rules changes: what the next set takes to make.
void BM_ReplaceOneRule(benchmark::State& state) {
  const std::vector<RuleDefinition> definitions = fleet_rules(state.range(0));
  auto rules = RuleSet::compile(definitions);
  const SystemClock clock;
  Evaluator evaluator(1);
  const std::string payload = R"({"device_no":"T00000001","speed":50,"lat":35.1})";
  std::vector<std::int64_t> times;
  std::vector<std::int64_t> held;
  std::size_t i = 0;
  for (auto _ : state) {
    std::vector<RuleSet::Change> change(1);
    change[0].rule = definitions[(i * 7919) % definitions.size()];
    change[0].rule->sql += fmt::format(" AND lat > {}", i++);
    change[0].name = change[0].rule->name;
    const MonoTime before = clock.mono();
    rules = RuleSet::apply(**rules, std::move(change));
    times.push_back((clock.mono() - before).count());
    // The first message under the new set: what a loop is held by the change.
    const MonoTime first = clock.mono();
    benchmark::DoNotOptimize(evaluator.evaluate(**rules, message_of(payload, 0)).outputs.data());
    held.push_back((clock.mono() - first).count());
  }
  const auto quantile = [](std::vector<std::int64_t>& all, std::size_t permille) {
    std::sort(all.begin(), all.end());
    return static_cast<double>(all[(all.size() - 1) * permille / 1000]);
  };
  state.counters["p50_ns"] = quantile(times, 500);
  state.counters["p99_ns"] = quantile(times, 990);
  state.counters["worst_ns"] = quantile(times, 1000);
  state.counters["held_worst_ns"] = quantile(held, 1000);
}
BENCHMARK(BM_ReplaceOneRule)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

/// A filter per device, a topic per message.
void BM_TopicFilters(benchmark::State& state) {
  constexpr std::uint64_t kTopics = 1'000'000;
  TopicFilterIndex index;
  Rng rng(3);
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(state.range(0)); ++i) {
    index.add(i % 10 == 0 ? fmt::format("fleet/+/{}/state", i) : fmt::format("fleet/eu/{}/#", i), i);
  }
  std::vector<std::string> topics;
  for (std::uint64_t i = 0; i < kTopics; ++i) topics.push_back(fmt::format("fleet/eu/{}/state", i));
  std::vector<std::uint32_t> found;
  std::size_t matches = 0;
  for (auto _ : state) {
    found.clear();
    index.match(topics[rng.below(kTopics)], found);
    matches += found.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["filters_per_topic"] = static_cast<double>(matches) / static_cast<double>(state.iterations());
}
BENCHMARK(BM_TopicFilters)->Arg(100'000);

/// What one message may cost at worst: rules and messages made to hurt, 128 KiB each.
void BM_Hostile(benchmark::State& state) {
  static const std::vector<testing::HostileCase> cases = [] {
    std::vector<testing::HostileCase> all = testing::hostile_messages();
    for (auto& rule : testing::hostile_rules()) all.push_back(std::move(rule));
    return all;
  }();
  const auto number = static_cast<std::size_t>(state.range(0));
  if (number >= cases.size()) return state.SkipWithError("there are fewer cases");
  const testing::HostileCase& one = cases[number];
  const auto rules = RuleSet::compile({rule_of(one.sql, "out", "")});
  if (!rules) return state.SkipWithError(rules.error().message().c_str());
  log::set_level(log::Level::off);
  Evaluator evaluator(1);
  DeviceMessage message = message_of(one.payload, 0);
  message.topic = "t";
  for (auto _ : state) benchmark::DoNotOptimize(evaluator.evaluate(**rules, message).outputs.data());
  state.SetLabel(one.name);
}
BENCHMARK(BM_Hostile)->DenseRange(0, 37)->Unit(benchmark::kMillisecond);

/// A payload that is no JSON fails every rule of its filter.
void BM_BrokenPayload(benchmark::State& state) {
  std::vector<RuleDefinition> definitions = fleet_rules(state.range(0));
  for (RuleDefinition& rule : definitions) {
    rule.error_action.emplace();
    rule.error_action->kafka.topic = "errors";
  }
  const auto rules = RuleSet::compile(std::move(definitions));
  if (!rules) return state.SkipWithError(rules.error().message().c_str());
  log::set_level(log::Level::off);
  Evaluator evaluator(1);
  const std::string payload = "{\"device_no\":\"T00000001\",";
  std::size_t outputs = 0;
  for (auto _ : state) outputs = evaluator.evaluate(**rules, message_of(payload, 0)).outputs.size();
  state.counters["outputs"] = static_cast<double>(outputs);
}
BENCHMARK(BM_BrokenPayload)->Arg(100'000)->Unit(benchmark::kMillisecond);

void BM_PassThroughValidated(benchmark::State& state) {
  const auto rules = RuleSet::compile({rule_of("SELECT * FROM 'report' WHERE NOT isNull(device_no)", "all", "")});
  const std::vector<std::string> payloads = reports_of(1024);
  Evaluator evaluator(1);
  std::size_t i = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string& payload = payloads[i++ % payloads.size()];
    benchmark::DoNotOptimize(evaluator.evaluate(**rules, message_of(payload, 0)).outputs.data());
    bytes += payload.size();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_PassThroughValidated);

}  // namespace
}  // namespace millrace::rules

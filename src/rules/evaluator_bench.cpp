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

void run(benchmark::State& state, const RuleDefinition& rule) {
  const auto rules = RuleSet::compile({rule});
  if (!rules) {
    state.SkipWithError(rules.error().message().c_str());
    return;
  }
  const std::vector<std::string> payloads = reports();
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

void BM_FilterAndProjection(benchmark::State& state) {
  run(state, rule_of("SELECT device_no, speed, lat FROM 'report' WHERE speed >= 0 AND type <> 'x' AND rpm < 6000",
                     "speed-${type}", ""));
}
BENCHMARK(BM_FilterAndProjection);

/// One message at a time, each with its own time: what the slowest of a hundred takes, the clock's own cost included.
void BM_OneRuleLatency(benchmark::State& state) {
  const auto rules = RuleSet::compile(
      {rule_of("SELECT device_no, speed, lat FROM 'report' WHERE speed >= 0 AND type <> 'x' AND rpm < 6000",
               "speed-${type}", "")});
  const std::vector<std::string> payloads = reports();
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
std::vector<RuleDefinition> fleet_rules(std::int64_t count) {
  std::vector<RuleDefinition> out;
  for (std::int64_t i = 0; i < count; ++i) {
    RuleDefinition rule = rule_of(
        fmt::format("SELECT device_no, speed, lat FROM 'report' WHERE device_no = 'T{:08}' AND speed >= {}", i, i % 20),
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

void BM_ManyRules(benchmark::State& state) {
  const std::int64_t count = state.range(0);
  const std::size_t before = heap_bytes();
  const auto rules = RuleSet::compile(fleet_rules(count));
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
BENCHMARK(BM_ManyRules)->Arg(1'000)->Arg(10'000)->Arg(100'000);

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

/// What one message may cost at worst: expressions that are slow on texts made for them, 128 KiB each.
void BM_HostileExpression(benchmark::State& state) {
  static constexpr const char* kExpressions[] = {
      "regexp_matches(a, '(a?){300}b')",         "regexp_replace(a, '(a*)*b|(a)', '$1$2')",
      "regexp_replace(a, 'a.*b|a', 'x')",        "regexp_matches(a, '(.*a){20}b')",
      "regexp_substr(a, '((a{0,30}){0,30})b')",  "regexp_matches(a, '[^b]*[^c]*[^d]*[^e]*=')",
      "regexp_matches(a, '(a|aa|aaa|aaaa)+$b')", "regexp_matches(a, a)",
  };
  const std::string payload = "{\"a\":\"" + std::string(128 << 10, 'a') + "\"}";
  const auto rules = RuleSet::compile({rule_of(
      fmt::format("SELECT {} AS x FROM 'report'", kExpressions[static_cast<std::size_t>(state.range(0))]), "out", "")});
  if (!rules) return state.SkipWithError(rules.error().message().c_str());
  log::set_level(log::Level::off);
  Evaluator evaluator(1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(evaluator.evaluate(**rules, message_of(payload, 0)).outputs.data());
  }
  state.SetLabel(kExpressions[state.range(0)]);
}
BENCHMARK(BM_HostileExpression)->DenseRange(0, 7)->Unit(benchmark::kMillisecond);

void BM_PassThroughValidated(benchmark::State& state) {
  const auto rules = RuleSet::compile({rule_of("SELECT * FROM 'report' WHERE NOT isNull(device_no)", "all", "")});
  std::vector<std::string> payloads;
  for (const std::string& report : reports()) {
    payloads.push_back(report.substr(0, report.size() - 1) +
                       fmt::format(",\"note\":\"{}\"}}", std::string(1010 - report.size(), 'n')));
  }
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

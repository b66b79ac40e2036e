// What one message costs: the rule of scenario A and its parts over a rotation of different 300-byte messages.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "rules/evaluator.h"
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

}  // namespace
}  // namespace millrace::rules

// A statement, a template and a payload, parted by zero bytes: whatever compiles is evaluated. An object built by
// SELECT with names must be JSON; nothing may read outside the message. Trying the rule gives one line of JSON and
// matches when the evaluator says so.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "rules/evaluator.h"
#include "rules/rule_trial.h"
#include "sql/json_document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  log::set_level(log::Level::off);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t first = input.find('\0');
  if (first == std::string_view::npos) return 0;
  const std::size_t second = input.find('\0', first + 1);
  if (second == std::string_view::npos) return 0;

  rules::RuleDefinition rule;
  rule.name = "fuzz";
  rule.sql = std::string(input.substr(0, first));
  rules::ActionDefinition action;
  action.kafka.topic = "out";
  action.kafka.key = std::string(input.substr(first + 1, second - first - 1));
  rule.actions.push_back(action);
  action.kafka.topic = "errors";
  action.kafka.key.clear();
  rule.error_action = action;
  const auto rules = rules::RuleSet::compile({rule});
  if (!rules) return 0;

  // A copy of its own size, so that a sanitizer sees every byte read behind it.
  const std::string_view payload = input.substr(second + 1);
  const std::vector<char> bytes(payload.begin(), payload.end());
  DeviceMessage message;
  message.topic = "a/b";
  message.payload = ByteView(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  message.client_id = "fuzzer";
  message.received_at = WallTime{1'700'000'000'000};
  static rules::Evaluator evaluator(1);
  const auto outcome = evaluator.evaluate(**rules, message);
  sql::JsonDocument document;
  document.set_max_depth(sql::JsonDocument::kMaxDepth);
  for (const rules::RuleOutput& output : outcome.outputs) {
    const bool copied = output.value.size() == bytes.size() &&
                        std::equal(bytes.begin(), bytes.end(), output.value.begin(),
                                   [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
    // SELECT * hands the payload on as it came; an Undefined VALUE is empty. All else is JSON.
    if (!copied && !output.value.empty() && !document.parse(as_text(output.value))) std::abort();
  }

  rules::TrialMessage trial;
  trial.sql = rule.sql;
  trial.topic = "a/b";
  trial.payload = std::string(payload);
  trial.client_id = "fuzzer";
  trial.timestamp = 1'700'000'000'000;
  const rules::RuleTrial tried = rules::try_rule(trial);
  const std::string line = rules::to_json(tried, true);
  if (!document.parse(line) || line.find('\n') != std::string::npos) std::abort();
  const bool fine = !tried.error && !tried.steps.empty();
  // What rand() and newuuid() say differs; rules that ask them may match once and not again.
  const bool random = rule.sql.find_first_of("rRuU") != std::string::npos;
  if (fine && !random && tried.matched != (outcome.matched != 0)) std::abort();
  return 0;
}

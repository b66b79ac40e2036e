#include "rules/dry_run.h"

#include <algorithm>

#include "rules/delivery.h"
#include "sql/json_document.h"
#include "sql/value.h"

namespace millrace::rules {

namespace {

constexpr std::size_t kShownBytes = 2048;
constexpr std::string_view kErrorTopic = "__dry_run_errors";

/// The rule as it is run here: switched on, and its failures come back instead of going to the log.
RuleDefinition prepared(RuleDefinition rule, std::string_view name) {
  rule.name = name;
  rule.disabled = false;
  rule.error_action.emplace();
  rule.error_action->kafka.topic = kErrorTopic;
  rule.error_action->kafka.internal = true;
  return rule;
}

bool is_error(const RuleOutput& output) {
  return output.action == kErrorAction;
}

/// A delivery holds a trace id, which is another one every time: its requests are what counts.
bool same_delivery(const RuleOutput& a, const RuleOutput& b) {
  const auto one = decode_delivery(a.value);
  const auto two = decode_delivery(b.value);
  return one && two && std::ranges::equal(one->requests, two->requests, [](const auto& x, const auto& y) {
           return x.kind == y.kind && x.method == y.method && x.target == y.target && x.headers == y.headers &&
                  as_text(x.body) == as_text(y.body);
         });
}

bool same(const RuleOutput& a, const RuleOutput& b) {
  if (a.kind != b.kind || a.topic != b.topic || a.action != b.action || a.partition != b.partition) return false;
  if (a.key.has_value() != b.key.has_value() || (a.key && as_text(*a.key) != as_text(*b.key))) return false;
  if (is_error(a)) return true;
  if (a.kind == RuleOutput::Kind::delivery) return same_delivery(a, b);
  return as_text(a.value) == as_text(b.value);
}

std::string quoted(std::string_view text) {
  sql::Arena arena(text.size() + 64);
  sql::TextWriter out(arena);
  sql::write_json_string(out, text.substr(0, kShownBytes));
  return std::string(out.view());
}

/// JSON as it is, anything else as a string.
std::string shown(std::string_view text) {
  sql::JsonDocument document;
  if (text.size() <= kShownBytes && document.parse(text)) {
    std::string line(text);
    std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return line;
  }
  return quoted(text);
}

/// The reason in AWS's error message.
std::string reason_of(std::string_view error) {
  sql::JsonDocument document;
  sql::Arena arena;
  if (!document.parse(error)) return "unknown";
  sql::ArrayItems failures(sql::Value::of(document, sql::JsonDocument::kRoot).member("failures"));
  const auto first = failures.next();
  const sql::Value text = first ? first->member("errorMessage") : sql::Value();
  return text.is_string() ? std::string(text.characters(arena)) : "unknown";
}

std::string outputs_json(std::span<const RuleOutput> outputs) {
  std::string out = "[";
  for (const RuleOutput& output : outputs) {
    if (out.size() > 1) out += ',';
    if (is_error(output)) {
      out += "{\"error\":" + quoted(reason_of(as_text(output.value))) + "}";
      continue;
    }
    if (output.kind == RuleOutput::Kind::delivery) {
      const auto delivery = decode_delivery(output.value);
      for (const DeliveryRequest& request : delivery ? delivery->requests : std::vector<DeliveryRequest>()) {
        if (out.back() == '}') out += ',';
        out += "{\"to\":" + quoted(request.target) + ",\"value\":" + shown(as_text(request.body)) + "}";
      }
      continue;
    }
    out += "{\"topic\":" + quoted(output.topic);
    if (output.key) out += ",\"key\":" + quoted(as_text(*output.key));
    out += ",\"value\":" + shown(as_text(output.value)) + "}";
  }
  return out + "]";
}

std::string counts_json(const DryRunReport::Counts& counts) {
  return "{\"matched\":" + std::to_string(counts.matched) + ",\"notPassed\":" + std::to_string(counts.not_passed) +
         ",\"failed\":" + std::to_string(counts.failed) + ",\"outputs\":" + std::to_string(counts.outputs) +
         ",\"actionsFailed\":" + std::to_string(counts.actions_failed) + "}";
}

void add_counts(DryRunReport::Counts& to, const DryRunReport::Counts& from) {
  to.matched += from.matched;
  to.not_passed += from.not_passed;
  to.failed += from.failed;
  to.outputs += from.outputs;
  to.actions_failed += from.actions_failed;
}

}  // namespace

Result<std::unique_ptr<DryRun>> DryRun::make(const Plan& plan) {
  std::unique_ptr<DryRun> made(new DryRun());
  constexpr std::string_view kName = "dry_run";
  MR_TRY_ASSIGN(made->first_.rules, RuleSet::compile({prepared(plan.first, kName)}));
  made->first_.evaluator.set_max_json_depth(plan.max_json_depth);
  if (plan.second) {
    made->second_ = std::make_unique<Version>();
    MR_TRY_ASSIGN(made->second_->rules, RuleSet::compile({prepared(*plan.second, kName)}));
    made->second_->evaluator.set_max_json_depth(plan.max_json_depth);
  }
  // As Basic Ingest: the rule alone, whatever its FROM.
  made->topic_ = "$aws/rules/" + std::string(kName) + "/" + plan.topic;
  made->most_samples_ = plan.samples;
  return made;
}

void DryRun::Version::evaluate(const DeviceMessage& message) {
  outcome = evaluator.evaluate(*rules, message);
  for (const RuleOutput& output : outcome.outputs) outputs += is_error(output) ? 0 : 1;
}

DryRunReport::Counts DryRun::Version::counts() const {
  const RuleCounters& from = *rules->find("dry_run")->counters;
  return {from.matched.load(), from.not_passed.load(), from.failed.load(), outputs, from.actions_failed.load()};
}

void DryRun::judge(const DryMessage& message) {
  DeviceMessage device;
  device.topic = topic_;
  device.payload = as_bytes(message.payload);
  device.client_id = message.client_id;
  device.received_at = WallTime{message.timestamp_ms};
  ++report_.messages;
  first_.evaluate(device);
  const auto outputs = first_.outcome.outputs;
  if (!outputs.empty()) {
    if (is_error(outputs.back())) [[unlikely]] {
      const std::string reason = reason_of(as_text(outputs.back().value));
      if (report_.reasons.size() < kMostReasons || report_.reasons.contains(reason)) ++report_.reasons[reason];
      sample("failed", failed_samples_, message);
    } else if (matched_samples_ < most_samples_) {
      sample("matched", matched_samples_, message);
    }
  }
  if (!second_) return;
  second_->evaluate(device);
  const auto others = second_->outcome.outputs;
  const bool equal = std::ranges::equal(outputs, others, same);
  if (equal) {
    ++report_.same;
    return;
  }
  ++(outputs.empty() ? report_.only_second : others.empty() ? report_.only_first : report_.changed);
  sample("changed", changed_samples_, message);
}

void DryRun::sample(std::string_view kind, std::size_t& kept, const DryMessage& message) {
  if (kept >= most_samples_) return;
  ++kept;
  const bool both = kind == "changed";
  report_.samples.push_back({std::string(kind), message.partition, message.offset, shown(message.payload),
                             outputs_json(first_.outcome.outputs),
                             both ? outputs_json(second_->outcome.outputs) : std::string()});
}

DryRunReport DryRun::report() const {
  DryRunReport out = report_;
  out.first = first_.counts();
  if (second_) out.second = second_->counts();
  return out;
}

void DryRunReport::add(const DryRunReport& other, std::size_t most) {
  messages += other.messages;
  add_counts(first, other.first);
  if (other.second) {
    if (!second) second.emplace();
    add_counts(*second, *other.second);
  }
  same += other.same;
  changed += other.changed;
  only_first += other.only_first;
  only_second += other.only_second;
  for (const auto& [reason, count] : other.reasons) reasons[reason] += count;
  samples.insert(samples.end(), other.samples.begin(), other.samples.end());
  std::ranges::sort(samples, {}, [](const Sample& sample) {
    return std::tuple(std::string_view(sample.kind), sample.partition, sample.offset);
  });
  std::map<std::string_view, std::size_t> kept;
  std::vector<Sample> few;
  for (const Sample& sample : samples) {
    if (kept[sample.kind]++ < most) few.push_back(sample);
  }
  samples = std::move(few);
}

std::string DryRunReport::to_json() const {
  std::string out = "{\"messages\":" + std::to_string(messages) + ",\"first\":" + counts_json(first);
  if (second) {
    out += ",\"second\":" + counts_json(*second) + ",\"diff\":{\"same\":" + std::to_string(same) +
           ",\"changed\":" + std::to_string(changed) + ",\"onlyFirst\":" + std::to_string(only_first) +
           ",\"onlySecond\":" + std::to_string(only_second) + "}";
  }
  out += ",\"reasons\":{";
  for (const auto& [reason, count] : reasons) {
    if (out.back() != '{') out += ',';
    out += quoted(reason) + ":" + std::to_string(count);
  }
  out += "},\"samples\":[";
  for (const Sample& sample : samples) {
    if (out.back() != '[') out += ',';
    out += "{\"kind\":" + quoted(sample.kind) + ",\"partition\":" + std::to_string(sample.partition) +
           ",\"offset\":" + std::to_string(sample.offset) + ",\"payload\":" + sample.payload +
           ",\"first\":" + sample.first;
    if (!sample.second.empty()) out += ",\"second\":" + sample.second;
    out += "}";
  }
  return out + "]}";
}

}  // namespace millrace::rules

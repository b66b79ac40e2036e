#include "rules/evaluator.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "model/topic_partition.h"
#include "rules/compiled_rule.h"
#include "rules/error_message.h"
#include "rules/topic_cache.h"

namespace millrace::rules {

namespace {

constexpr std::string_view kBasicIngest = "$aws/rules/";
/// A rule without a working errorAction writes at most one log line in this time, per loop.
constexpr WallTime kLogInterval{10'000};

constexpr std::string_view kExhausted = "the rule takes more work than one message may cost";
/// Failures that one error message lists; FOREACH could make very many.
constexpr std::size_t kMostFailures = 100;

void count(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) {
  counter.fetch_add(n, std::memory_order_relaxed);
}

std::string_view action_name(ActionDefinition::Kind kind) {
  return kind == ActionDefinition::Kind::kafka ? "KafkaAction" : "RepublishAction";
}

std::string_view join(sql::Arena& arena, std::initializer_list<std::string_view> parts) {
  sql::TextWriter out(arena, 128);
  for (const std::string_view part : parts) out.append(part);
  return out.finish();
}

/// Resolves the templates of one action. What does not resolve, and names nothing may be sent to, become failures.
class ActionResolver {
 public:
  ActionResolver(sql::Evaluation& evaluation, const sql::Program& program, const CompiledAction& action)
      : evaluation_(evaluation), program_(program), action_(action) {}

  /// False: `failure` says why.
  bool resolve(RuleOutput& out, Failure& failure) {
    failure.action = action_name(action_.kind);
    failure.resource = action_.topic.source();
    failure_ = &failure;
    return action_.kind == ActionDefinition::Kind::kafka ? kafka(out) : republish(out);
  }

 private:
  bool fail(std::string_view message) {
    failure_->message = message;
    return false;
  }
  bool text(const TemplateText& source, std::string_view what, std::string_view& out) {
    const auto resolved = source.resolve(program_, evaluation_);
    if (resolved) {
      out = *resolved;
      return true;
    }
    return fail(join(evaluation_.arena(),
                     {what, ": ", source.unresolved(program_, evaluation_), " is undefined for this message"}));
  }

  bool kafka(RuleOutput& out) {
    out.kind = RuleOutput::Kind::kafka;
    if (!text(action_.topic, "topic", out.topic)) return false;
    if (!action_.topic.is_plain()) {
      failure_->resource = out.topic;
      if (!is_valid_topic_name(out.topic)) return fail("topic: not a valid Kafka topic name");
      if (out.topic.starts_with("__")) return fail("topic: topics starting with __ are internal");
    }
    if (action_.key) {
      std::string_view key;
      if (!text(*action_.key, "key", key)) return false;
      out.key = as_bytes(key);
    }
    if (action_.partition) {
      std::string_view partition;
      if (!text(*action_.partition, "partition", partition)) return false;
      std::int32_t number = 0;
      const auto read = std::from_chars(partition.data(), partition.data() + partition.size(), number);
      if (read.ec != std::errc() || read.ptr != partition.data() + partition.size() || number < 0) {
        return fail(
            join(evaluation_.arena(), {"partition: '", partition.substr(0, 64), "' is not a partition number"}));
      }
      out.partition = number;
    }
    if (action_.headers.empty()) return true;
    auto* headers = evaluation_.arena().array<RecordHeader>(action_.headers.size());
    for (std::size_t i = 0; i < action_.headers.size(); ++i) {
      std::string_view key;
      std::string_view value;
      if (!text(action_.headers[i].key, "header key", key)) return false;
      if (!text(action_.headers[i].value, "header value", value)) return false;
      headers[i] = RecordHeader{key, as_bytes(value)};
    }
    out.headers = {headers, action_.headers.size()};
    return true;
  }

  bool republish(RuleOutput& out) {
    out.kind = RuleOutput::Kind::republish;
    out.qos = static_cast<std::uint8_t>(action_.qos);
    out.retain = action_.retain;
    if (!text(action_.topic, "topic", out.topic)) return false;
    if (action_.topic.is_plain()) return true;
    failure_->resource = out.topic;
    if (!is_publishable_topic(out.topic)) return fail("topic: not a topic to publish to");
    // Only the rule's author may reach $-topics, never a value from a payload.
    if (out.topic.front() == '$' && !action_.reserved_topic)
      return fail("topic: a topic that starts with $ is written with $$");
    return true;
  }

  sql::Evaluation& evaluation_;
  const sql::Program& program_;
  const CompiledAction& action_;
  Failure* failure_ = nullptr;
};

}  // namespace

struct Evaluator::Impl {
  explicit Impl(std::uint64_t seed) : evaluation(seed), error_evaluation(seed ^ 0x9E3779B97F4A7C15ULL) {}

  std::span<const std::uint32_t> candidates_of(const RuleSet::Impl& set, std::span<const std::uint32_t> groups);
  void run_rule(const Rule& rule, std::uint32_t index);
  bool run_statement(const Rule& rule, std::string_view& problem);
  bool run_expansion(const Rule& rule, std::string_view& problem);
  void run_actions(const Rule& rule, std::string_view value);
  void report(const Rule& rule, std::uint32_t index, std::span<const Failure> failed);
  std::optional<RuleOutput> make_error_output(sql::Evaluation& with, const Rule& rule, std::span<const Failure> failed);
  void log_failure(const Rule& rule, std::uint32_t index, const Failure& failure, WallTime now);
  [[nodiscard]] bool is_current(const DeviceMessage& message) const {
    return current.topic.data() == message.topic.data() && current.payload.data() == message.payload.data() &&
           current.received_at == message.received_at && current.receipt.connection == message.receipt.connection &&
           current.receipt.token == message.receipt.token;
  }

  sql::Evaluation evaluation;
  sql::Evaluation error_evaluation;  // of error_output(), so that the outputs of evaluate() stay valid beside it
  TopicCache topics;
  std::vector<RuleOutput> outputs;
  std::vector<Failure> failures;
  std::vector<std::uint32_t> candidates;
  DeviceMessage current;              // of the last evaluate(); compared, never read through
  std::vector<const Rule*> reported;  // rules that already have their error message for `current`
  std::uint64_t logged_version = 0;
  std::vector<WallTime> logged;  // per rule: when it last wrote a line
  std::uint32_t matched = 0;
};

Evaluator::Evaluator(std::uint64_t traceid_source) : impl_(std::make_unique<Impl>(traceid_source)) {}
Evaluator::~Evaluator() = default;

void Evaluator::set_max_json_depth(std::uint32_t depth) {
  impl_->evaluation.set_max_json_depth(depth);
  impl_->error_evaluation.set_max_json_depth(depth);
}

Evaluator::Outcome Evaluator::evaluate(const RuleSet& rules, const DeviceMessage& message) {
  Impl& impl = *impl_;
  impl.outputs.clear();
  impl.reported.clear();
  impl.matched = 0;
  impl.current = message;
  if (impl.logged_version != rules.version()) [[unlikely]] {
    impl.logged_version = rules.version();
    impl.logged.assign(rules.rules().size(), WallTime{-1});
  }
  const RuleSet::Impl& set = rules.impl();
  if (message.topic.starts_with(kBasicIngest)) [[unlikely]] {
    // $aws/rules/<rule>/<topic>: that rule alone, whatever its FROM says; topic() begins behind the rule's name.
    const std::string_view rest = message.topic.substr(kBasicIngest.size());
    const std::size_t slash = rest.find('/');
    const auto found = set.by_name.find(rest.substr(0, slash));
    if (found == set.by_name.end()) return {};
    impl.evaluation.begin(message, slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1));
    impl.run_rule(*set.rules[found->second], found->second);
  } else {
    const auto groups = impl.topics.find(rules, message.topic);
    if (groups.empty()) return {};
    impl.evaluation.begin(message, message.topic);
    for (const std::uint32_t index : impl.candidates_of(set, groups)) impl.run_rule(*set.rules[index], index);
  }
  return {impl.outputs, impl.matched};
}

/// The rules of these groups that may have something to do, ascending, each once.
std::span<const std::uint32_t> Evaluator::Impl::candidates_of(const RuleSet::Impl& set,
                                                              std::span<const std::uint32_t> groups) {
  if (groups.size() == 1 && !set.groups[groups[0]].index) return set.groups[groups[0]].rules;
  candidates.clear();
  for (const std::uint32_t number : groups) {
    const RuleSet::Impl::Group& group = set.groups[number];
    // A payload that is no JSON fails every rule that looks into it, and each of them says so.
    if (group.index && evaluation.payload_is_json()) {
      group.index->search(evaluation, candidates);
    } else {
      candidates.insert(candidates.end(), group.rules.begin(), group.rules.end());
    }
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return candidates;
}

void Evaluator::Impl::run_rule(const Rule& rule, std::uint32_t index) {
  const CompiledRule& compiled = *rule.compiled;
  const auto refuse = [&](std::string_view why) {
    ++matched;
    count(rule.counters->failed);
    const Failure failure{"SqlStatement", rule.definition.name, why};
    report(rule, index, {&failure, 1});
  };
  if (compiled.statement.needs_json() && !evaluation.payload_is_json()) [[unlikely]] {
    return refuse(join(evaluation.arena(), {"the payload is not JSON: ", evaluation.document().fault_text()}));
  }
  compiled.statement.begin(compiled.program, evaluation);
  if (!compiled.statement.passes(compiled.program, evaluation)) {
    if (evaluation.exhausted()) [[unlikely]]
      return refuse(kExhausted);
    count(rule.counters->not_passed);
    return;
  }
  failures.clear();
  const std::size_t before = outputs.size();
  std::string_view problem;
  const bool fine = compiled.statement.expands() ? run_expansion(rule, problem) : run_statement(rule, problem);
  if (!fine || evaluation.exhausted()) [[unlikely]] {
    outputs.resize(before);
    return refuse(fine ? kExhausted : problem);
  }
  ++matched;
  count(rule.counters->matched);
  if (failures.empty()) [[likely]]
    return;
  count(rule.counters->actions_failed, failures.size());
  report(rule, index, failures);
}

bool Evaluator::Impl::run_statement(const Rule& rule, std::string_view& problem) {
  const auto value = rule.compiled->statement.select(rule.compiled->program, evaluation);
  if (!value) {
    problem = "the payload is not a JSON object, members cannot be added to it";
    return false;
  }
  run_actions(rule, *value);
  return true;
}

/// One output per element; what is no array is one element, and Undefined is none.
bool Evaluator::Impl::run_expansion(const Rule& rule, std::string_view& problem) {
  const CompiledRule& compiled = *rule.compiled;
  const sql::Value array = compiled.statement.expand(compiled.program, evaluation);
  if (array.is_undefined()) return true;
  const auto run_one = [&](const sql::Value& element) {
    return !compiled.statement.includes(compiled.program, evaluation, element) || run_statement(rule, problem);
  };
  if (array.type() != sql::Value::Type::array) return run_one(array);
  sql::ArrayItems items(array);
  while (const auto element = items.next()) {
    if (!run_one(*element)) return false;
    if (evaluation.exhausted()) return true;
  }
  return true;
}

/// Adds what the actions of `rule` make of one output text, and to `failures` what they could not.
void Evaluator::Impl::run_actions(const Rule& rule, std::string_view value) {
  const CompiledRule& compiled = *rule.compiled;
  for (std::size_t i = 0; i < compiled.actions.size(); ++i) {
    RuleOutput output;
    Failure failure;
    if (!ActionResolver(evaluation, compiled.program, compiled.actions[i]).resolve(output, failure)) [[unlikely]] {
      if (failures.size() < kMostFailures) failures.push_back(failure);
      continue;
    }
    output.rule = &rule;
    output.action = i;
    output.value = as_bytes(value);
    outputs.push_back(output);
  }
}

/// Hands failures to the rule's errorAction; the last resort is the log.
void Evaluator::Impl::report(const Rule& rule, std::uint32_t index, std::span<const Failure> failed) {
  const auto output = make_error_output(evaluation, rule, failed);
  if (output) {
    reported.push_back(&rule);
    outputs.push_back(*output);
  } else {
    log_failure(rule, index, failed[0], evaluation.message().received_at);
  }
}

std::optional<RuleOutput> Evaluator::Impl::make_error_output(sql::Evaluation& with, const Rule& rule,
                                                             std::span<const Failure> failed) {
  const auto& action = rule.compiled->error_action;
  if (!action) return std::nullopt;
  RuleOutput output;
  Failure failure;
  if (!ActionResolver(with, rule.compiled->program, *action).resolve(output, failure)) {
    count(rule.counters->actions_failed);
    return std::nullopt;
  }
  output.rule = &rule;
  output.action = kErrorAction;
  output.value = as_bytes(write_error_message(with, rule.definition.name, failed));
  count(rule.counters->error_actions);
  return output;
}

void Evaluator::Impl::log_failure(const Rule& rule, std::uint32_t index, const Failure& failure, WallTime now) {
  WallTime& last = logged[index];
  if (last.count() >= 0 && now >= last && now - last < kLogInterval) return;
  last = now;
  log::warn("rule_failed", {{"rule", rule.definition.name},
                            {"action", failure.action},
                            {"resource", failure.resource},
                            {"reason", failure.message},
                            {"error_action", rule.compiled->error_action.has_value()}});
}

std::optional<RuleOutput> Evaluator::error_output(const RuleOutput& failed, const DeviceMessage& message,
                                                  std::string_view reason) {
  const FailedOutput one{&failed, reason};
  return error_output({&one, 1}, message);
}

std::optional<RuleOutput> Evaluator::error_output(std::span<const FailedOutput> failed, const DeviceMessage& message) {
  if (failed.empty()) return std::nullopt;
  Impl& impl = *impl_;
  const Rule& rule = *failed[0].output->rule;
  count(rule.counters->actions_failed, failed.size());
  std::vector<Failure> list;
  for (const FailedOutput& one : failed) {
    // An errorAction that fails has nowhere left to go.
    if (one.output->action == kErrorAction) continue;
    const auto& action = rule.compiled->actions[one.output->action];
    list.push_back(Failure{action_name(action.kind), one.output->topic, one.reason});
  }
  const bool current = impl.is_current(message);
  if (list.empty() ||
      (current && std::find(impl.reported.begin(), impl.reported.end(), &rule) != impl.reported.end())) {
    return std::nullopt;
  }
  impl.error_evaluation.begin(message, message.topic);
  rule.compiled->statement.begin(rule.compiled->program, impl.error_evaluation);
  const auto output = impl.make_error_output(impl.error_evaluation, rule, list);
  if (output && current) impl.reported.push_back(&rule);
  return output;
}

bool Evaluator::has_error_message(const Rule& rule) const {
  return std::find(impl_->reported.begin(), impl_->reported.end(), &rule) != impl_->reported.end();
}

}  // namespace millrace::rules

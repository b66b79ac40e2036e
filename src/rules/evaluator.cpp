#include "rules/evaluator.h"

#include <algorithm>

#include "base/log.h"
#include "rules/action_resolver.h"
#include "rules/error_message.h"
#include "rules/rule_set_impl.h"
#include "rules/topic_cache.h"

namespace millrace::rules {

namespace {

constexpr std::string_view kBasicIngest = "$aws/rules/";
/// A rule without a working errorAction writes at most one log line in this time, per loop.
constexpr WallTime kLogInterval{10'000};

constexpr std::string_view kExhausted = "the rule takes more work than one message may cost";
/// Failures that one error message lists; FOREACH could make very many.
constexpr std::size_t kMostFailures = 100;
/// Error messages that one message may become (decision 0036): a payload that is broken fails every rule that looks
/// into it, and each of their error messages holds that payload.
constexpr std::size_t kMostErrorMessages = 1000;
constexpr std::size_t kMostErrorBytes = std::size_t{8} << 20U;

std::string_view join(sql::Arena& arena, std::initializer_list<std::string_view> parts) {
  sql::TextWriter out(arena, 128);
  for (const std::string_view part : parts) out.append(part);
  return out.finish();
}

}  // namespace

struct Evaluator::Impl {
  explicit Impl(std::uint64_t seed) : evaluation(seed), error_evaluation(seed ^ 0x9E3779B97F4A7C15ULL) {}

  std::span<const std::uint32_t> candidates_of(const RuleSet::Impl& set, std::span<const std::uint32_t> groups);
  void count(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) const {
    if (!trial) counter.fetch_add(n, std::memory_order_relaxed);
  }
  bool must_wait(const RuleSet::Impl& set, std::span<const std::uint32_t> slots);
  void run_rule(const Rule& rule, std::uint32_t index);
  void run_on_broken_payload(const RuleSet::Impl& set, std::span<const std::uint32_t> slots);
  void judge(const Rule& rule, std::uint32_t index);
  bool run_statement(const Rule& rule, std::string_view& problem);
  bool run_expansion(const Rule& rule, std::string_view& problem);
  void run_actions(const Rule& rule, std::string_view value);
  void defer(const Rule& rule);
  DeliveryError error_target(const Rule& rule);
  std::string_view encoded(const Delivery& delivery);
  FailedMessage failed_message(sql::Evaluation& with, const Rule& rule);
  void report(const Rule& rule, std::uint32_t index, std::span<const Failure> failed);
  std::optional<RuleOutput> make_error_output(sql::Evaluation& with, const Rule& rule, std::span<const Failure> failed);
  void log_failure(const Rule& rule, std::uint32_t index, const Failure& failure, WallTime now);
  void log_left_out(const DeviceMessage& message);
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
  std::vector<ResolvedRequest> requests;  // of the rule that is run
  Buffer delivery;
  std::vector<std::uint32_t> candidates;
  DeviceMessage current;              // of the last evaluate(); compared, never read through
  std::vector<const Rule*> reported;  // rules that already have their error message for `current`
  std::size_t error_bytes = 0;        // of these messages
  std::size_t left_out = 0;           // rules that have none, because there are too many
  WallTime left_out_logged{-1};
  std::uint64_t logged_version = 0;
  std::vector<WallTime> logged;  // per rule: when it last wrote a line
  std::uint32_t matched = 0;
  bool trial = false;
  const Clock* clock = nullptr;
  std::uint32_t looks = 0;
};

Evaluator::Evaluator(std::uint64_t traceid_source) : impl_(std::make_unique<Impl>(traceid_source)) {}
Evaluator::~Evaluator() = default;

void Evaluator::set_max_json_depth(std::uint32_t depth) {
  impl_->evaluation.set_max_json_depth(depth);
  impl_->error_evaluation.set_max_json_depth(depth);
}

void Evaluator::set_clock(const Clock& clock) {
  impl_->clock = &clock;
}
void Evaluator::set_outside(sql::Outside* outside) {
  impl_->evaluation.set_outside(outside);
}
const Rng& Evaluator::rng() const {
  return impl_->evaluation.rng();
}
void Evaluator::set_rng(const Rng& rng) {
  impl_->evaluation.set_rng(rng);
}

Evaluator::Outcome Evaluator::evaluate(const RuleSet& rules, const DeviceMessage& message, Purpose purpose) {
  Impl& impl = *impl_;
  impl.trial = purpose == Purpose::trial;
  impl.outputs.clear();
  impl.reported.clear();
  impl.error_bytes = impl.left_out = 0;
  impl.matched = 0;
  impl.current = message;
  if (impl.logged_version != rules.version()) [[unlikely]] {
    impl.logged_version = rules.version();
    impl.logged.resize(rules.impl().rules.size(), WallTime{-1});
  }
  const RuleSet::Impl& set = rules.impl();
  if (message.topic.starts_with(kBasicIngest)) [[unlikely]] {
    // $aws/rules/<rule>/<topic>: that rule alone, whatever its FROM says; topic() begins behind the rule's name.
    const std::string_view rest = message.topic.substr(kBasicIngest.size());
    const std::size_t slash = rest.find('/');
    const auto found = set.slot_of(rest.substr(0, slash));
    if (!found || set.rules[*found]->disabled) return {};
    impl.evaluation.begin(message, slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1));
    const std::uint32_t slot = *found;
    if (set.asking != 0 && impl.must_wait(set, {&slot, 1})) return {{}, 0, true};
    impl.run_rule(*set.rules[*found], *found);
  } else {
    const auto groups = impl.topics.find(rules, message.topic);
    if (groups.empty()) return {};
    impl.evaluation.begin(message, message.topic);
    const auto slots = impl.candidates_of(set, groups);
    if (set.asking != 0 && impl.must_wait(set, slots)) return {{}, 0, true};
    if (slots.size() > kMostErrorMessages && !impl.evaluation.payload_is_json()) [[unlikely]] {
      impl.run_on_broken_payload(set, slots);
    } else {
      for (const std::uint32_t slot : slots) {
        if (const Rule* const rule = set.rules[slot].get()) impl.run_rule(*rule, slot);
      }
    }
    if (impl.left_out != 0) [[unlikely]]
      impl.log_left_out(message);
  }
  return {impl.outputs, impl.matched};
}

/// The rules of these groups that may have something to do, ascending, each once.
std::span<const std::uint32_t> Evaluator::Impl::candidates_of(const RuleSet::Impl& set,
                                                              std::span<const std::uint32_t> groups) {
  if (groups.size() == 1) {
    const auto* const layer = set.groups[groups[0]]->rules.alone();
    if (layer != nullptr && !layer->index) return layer->members;
  }
  candidates.clear();
  for (const std::uint32_t number : groups) {
    set.groups[number]->rules.for_each([&](const auto& layer) {
      // A payload that is no JSON fails every rule that looks into it, and each of them says so.
      if (layer.index && evaluation.payload_is_json()) {
        layer.index->search(evaluation, candidates);
      } else {
        candidates.insert(candidates.end(), layer.members.begin(), layer.members.end());
      }
    });
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return candidates;
}

/// Runs the rules that ask, for nothing but their questions: all of them are asked at once, and what a rule does or
/// counts happens in one piece when the answers are there.
bool Evaluator::Impl::must_wait(const RuleSet::Impl& set, std::span<const std::uint32_t> slots) {
  const Rng before = evaluation.rng();
  bool waits = false;
  for (const std::uint32_t slot : slots) {
    const Rule* const rule = set.rules[slot].get();
    if (rule == nullptr || !rule->compiled->program.asks()) continue;
    const CompiledRule& compiled = *rule->compiled;
    if (compiled.statement.needs_json() && !evaluation.payload_is_json()) continue;
    compiled.statement.begin(compiled.program, evaluation);
    if (compiled.statement.passes(compiled.program, evaluation)) {
      std::string_view problem;
      compiled.statement.expands() ? run_expansion(*rule, problem) : run_statement(*rule, problem);
    }
    waits = waits || evaluation.waits();
    outputs.clear();
    failures.clear();
    requests.clear();
  }
  evaluation.set_rng(before);
  return waits;
}

void Evaluator::Impl::run_rule(const Rule& rule, std::uint32_t index) {
  constexpr std::uint32_t kEvery = 64;
  if (++looks % kEvery != 0 || clock == nullptr) [[likely]]
    return judge(rule, index);
  const MonoTime from = clock->mono();
  judge(rule, index);
  count(rule.counters->nanoseconds, static_cast<std::uint64_t>((clock->mono() - from).count()) * kEvery);
}

/// It fails every rule that looks into it. So many as may have an error message are judged, the others only counted.
void Evaluator::Impl::run_on_broken_payload(const RuleSet::Impl& set, std::span<const std::uint32_t> slots) {
  std::size_t judged = 0;
  std::size_t skipped = 0;
  for (const std::uint32_t slot : slots) {
    const Rule* const rule = set.rules[slot].get();
    if (rule == nullptr) continue;
    if (set.needs_json[slot] != 0 && judged++ >= kMostErrorMessages) {
      ++skipped;
    } else {
      run_rule(*rule, slot);
    }
  }
  matched += static_cast<std::uint32_t>(skipped);
  left_out += skipped;
  if (!trial) set.unjudged->fetch_add(skipped, std::memory_order_relaxed);
}

void Evaluator::Impl::judge(const Rule& rule, std::uint32_t index) {
  const CompiledRule& compiled = *rule.compiled;
  RuleCounters& counters = *rule.counters;
  const auto refuse = [&](std::string_view why, std::atomic<std::uint64_t>* reason = nullptr) {
    ++matched;
    count(counters.failed);
    if (reason != nullptr) count(*reason);
    const Failure failure{"SqlStatement", rule.name, why};
    report(rule, index, {&failure, 1});
  };
  if (compiled.statement.needs_json() && !evaluation.payload_is_json()) [[unlikely]] {
    return refuse(join(evaluation.arena(), {"the payload is not JSON: ", evaluation.document().fault_text()}));
  }
  compiled.statement.begin(compiled.program, evaluation);
  if (!compiled.statement.passes(compiled.program, evaluation)) {
    if (evaluation.exhausted()) [[unlikely]]
      return refuse(kExhausted, &counters.failed_fuel);
    if (!evaluation.problem().empty()) [[unlikely]]
      return refuse(evaluation.problem(), &counters.failed_question);
    count(counters.not_passed);
    return;
  }
  failures.clear();
  requests.clear();
  const std::size_t before = outputs.size();
  std::string_view problem;
  const bool fine = compiled.statement.expands() ? run_expansion(rule, problem) : run_statement(rule, problem);
  const bool asked_in_vain = !evaluation.problem().empty();
  if (!fine || asked_in_vain || evaluation.exhausted()) [[unlikely]] {
    outputs.resize(before);
    if (asked_in_vain) return refuse(evaluation.problem(), &counters.failed_question);
    return fine ? refuse(kExhausted, &counters.failed_fuel) : refuse(problem);
  }
  ++matched;
  count(rule.counters->matched);
  if (outputs.size() == before && requests.empty() && failures.empty()) count(rule.counters->empty);
  if (!failures.empty()) [[unlikely]] {
    count(rule.counters->actions_failed, failures.size());
    report(rule, index, failures);
  }
  if (!requests.empty()) defer(rule);
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
    Failure failure;
    ActionResolver resolver(evaluation, compiled.program, compiled.actions[i]);
    if (compiled.actions[i].request != nullptr) {
      ResolvedRequest request;
      request.action = i;
      if (resolver.resolve(value, request, failure)) {
        requests.push_back(std::move(request));
        continue;
      }
    } else {
      RuleOutput output;
      if (resolver.resolve(output, failure)) [[likely]] {
        output.rule = &rule;
        output.action = i;
        output.value = as_bytes(value);
        outputs.push_back(output);
        continue;
      }
    }
    if (failures.size() < kMostFailures) failures.push_back(failure);
  }
}

FailedMessage Evaluator::Impl::failed_message(sql::Evaluation& with, const Rule& rule) {
  const DeviceMessage& message = with.message();
  return {rule.name, message.topic, with.trace_id(), message.client_id, message.payload};
}

std::string_view Evaluator::Impl::encoded(const Delivery& made) {
  delivery.clear();
  encode(made, delivery);
  return as_text(delivery.view());
}

/// All deferred actions of the rule as one record, so that what fails of them later is told in one error message.
void Evaluator::Impl::defer(const Rule& rule) {
  const FailedMessage message = failed_message(evaluation, rule);
  Delivery made;
  made.reported = !failures.empty();
  made.rule = message.rule;
  made.topic = message.topic;
  made.client_id = message.client_id;
  made.trace_id = message.trace_id;
  made.received_at_ms = evaluation.message().received_at.count();
  made.payload = message.payload;
  made.error = error_target(rule);
  for (ResolvedRequest& request : requests) made.requests.push_back(std::move(request.request));
  RuleOutput& output = outputs.emplace_back();
  output.kind = RuleOutput::Kind::delivery;
  output.rule = &rule;
  output.action = requests.front().action;
  output.topic = kRuleDeliveryTopic;
  output.key = as_bytes(requests.front().key);
  output.partition = partition_of_destination(requests.front().destination);
  output.value = as_bytes(evaluation.arena().copy(encoded(made)));
}

DeliveryError Evaluator::Impl::error_target(const Rule& rule) {
  DeliveryError out;
  const auto& action = rule.compiled->error_action;
  if (!action) return out;
  Failure ignored;
  ActionResolver resolver(evaluation, rule.compiled->program, *action);
  if (action->request != nullptr) {
    ResolvedRequest request;
    if (!resolver.resolve({}, request, ignored)) return out;
    out.kind = DeliveryError::Kind::request;
    out.request_destination = request.destination;
    out.request = std::move(request.request);
    return out;
  }
  RuleOutput resolved;
  if (!resolver.resolve(resolved, ignored)) return out;
  out.kind = resolved.kind == RuleOutput::Kind::kafka ? DeliveryError::Kind::record : DeliveryError::Kind::publish;
  out.topic = resolved.topic;
  out.key = resolved.key;
  out.partition = resolved.partition;
  out.headers.assign(resolved.headers.begin(), resolved.headers.end());
  out.qos = resolved.qos;
  out.retain = resolved.retain;
  return out;
}

/// Hands failures to the rule's errorAction; the last resort is the log.
void Evaluator::Impl::report(const Rule& rule, std::uint32_t index, std::span<const Failure> failed) {
  if (reported.size() >= kMostErrorMessages || error_bytes >= kMostErrorBytes) [[unlikely]] {
    ++left_out;
    return;
  }
  evaluation.refuel();
  const auto output = make_error_output(evaluation, rule, failed);
  if (output) {
    reported.push_back(&rule);
    outputs.push_back(*output);
    error_bytes += output->value.size();
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
  ActionResolver resolver(with, rule.compiled->program, *action);
  const FailedMessage message = failed_message(with, rule);
  const std::string_view text = write_error_message(with.arena(), message, failed);
  if (action->request != nullptr) {
    ResolvedRequest request;
    if (!resolver.resolve(text, request, failure)) {
      count(rule.counters->actions_failed);
      return std::nullopt;
    }
    Delivery made;
    made.is_error = true;
    made.rule = message.rule;
    made.topic = message.topic;
    made.client_id = message.client_id;
    made.trace_id = message.trace_id;
    made.received_at_ms = with.message().received_at.count();
    // What reaches __rule_errors when this fails too.
    made.payload = as_bytes(text);
    made.requests.push_back(std::move(request.request));
    output.kind = RuleOutput::Kind::delivery;
    output.topic = kRuleDeliveryTopic;
    output.key = as_bytes(request.key);
    output.partition = partition_of_destination(request.destination);
    output.value = as_bytes(with.arena().copy(encoded(made)));
  } else if (!resolver.resolve(output, failure)) {
    count(rule.counters->actions_failed);
    return std::nullopt;
  } else {
    output.value = as_bytes(text);
  }
  output.rule = &rule;
  output.action = kErrorAction;
  count(rule.counters->error_actions);
  return output;
}

void Evaluator::Impl::log_failure(const Rule& rule, std::uint32_t index, const Failure& failure, WallTime now) {
  if (trial) return;
  WallTime& last = logged[index];
  if (last.count() >= 0 && now >= last && now - last < kLogInterval) return;
  last = now;
  log::warn("rule_failed", {{"rule", rule.name},
                            {"action", failure.action},
                            {"resource", failure.resource},
                            {"reason", failure.message},
                            {"error_action", rule.compiled->error_action != nullptr}});
}

void Evaluator::Impl::log_left_out(const DeviceMessage& message) {
  const WallTime now = message.received_at;
  if (trial || (left_out_logged.count() >= 0 && now >= left_out_logged && now - left_out_logged < kLogInterval)) return;
  left_out_logged = now;
  log::warn(
      "rule_errors_left_out",
      {{"topic", message.topic}, {"client", message.client_id}, {"told", reported.size()}, {"left_out", left_out}});
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
  impl.trial = false;
  impl.count(rule.counters->actions_failed, failed.size());
  std::vector<Failure> list;
  for (const FailedOutput& one : failed) {
    // An errorAction that fails has nowhere left to go.
    if (one.output->action == kErrorAction) continue;
    const auto& action = rule.compiled->actions[one.output->action];
    const bool deferred = one.output->kind == RuleOutput::Kind::delivery;
    list.push_back(
        Failure{failed_action_name(action.kind), deferred ? action.topic.source() : one.output->topic, one.reason});
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

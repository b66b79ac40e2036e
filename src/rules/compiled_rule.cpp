#include "rules/compiled_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "model/topic_partition.h"

namespace millrace::rules {

namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxActions = 10;

bool is_rule_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// Names the rule and the key in front of what is wrong with it.
std::unexpected<Error> at_key(const RuleDefinition& rule, std::string_view key, std::string_view what) {
  const std::string line = rule.line > 0 ? fmt::format(" (line {})", rule.line) : std::string();
  return fail(ErrorCode::invalid_argument, "rule", fmt::format("{}{}: {}: {}", rule.name, line, key, what));
}

class ActionCompiler {
 public:
  ActionCompiler(const RuleDefinition& rule, sql::Program& program) : rule_(rule), program_(program) {}

  Result<CompiledAction> compile(const ActionDefinition& action, const std::string& where) {
    return action.kind == ActionDefinition::Kind::kafka ? kafka(action.kafka, where + ".kafka")
                                                        : republish(action.republish, where + ".republish");
  }

 private:
  Result<TemplateText> text(const std::string& source, const std::string& where) {
    auto out = TemplateText::compile(source, program_);
    if (!out) return at_key(rule_, where, out.error().detail);
    return out;
  }

  Result<CompiledAction> kafka(const KafkaAction& action, const std::string& where) {
    MR_TRY_ASSIGN(TemplateText topic, text(action.topic, where + ".topic"));
    if (topic.is_plain()) {
      if (const auto valid = check_topic_name(topic.source()); !valid) {
        return at_key(rule_, where + ".topic",
                      valid.error().detail.empty() ? "not a topic name" : valid.error().detail);
      }
      if (!action.internal && topic.source().starts_with("__"))
        return at_key(rule_, where + ".topic", "topics starting with __ are internal");
    }
    CompiledAction out(std::move(topic));
    if (!action.key.empty()) {
      MR_TRY_ASSIGN(out.key, text(action.key, where + ".key"));
    }
    if (!action.partition.empty()) {
      MR_TRY_ASSIGN(out.partition, text(action.partition, where + ".partition"));
    }
    for (std::size_t i = 0; i < action.headers.size(); ++i) {
      const std::string header = fmt::format("{}.headers[{}]", where, i);
      MR_TRY_ASSIGN(TemplateText key, text(action.headers[i].key, header + ".key"));
      MR_TRY_ASSIGN(TemplateText value, text(action.headers[i].value, header + ".value"));
      out.headers.push_back({std::move(key), std::move(value)});
    }
    return out;
  }

  Result<CompiledAction> republish(const RepublishAction& action, const std::string& where) {
    // $$aws/... in a rule publishes to $aws/...: one $ alone would be the start of a template.
    const bool reserved = action.topic.starts_with("$$");
    MR_TRY_ASSIGN(TemplateText topic, text(reserved ? action.topic.substr(1) : action.topic, where + ".topic"));
    if (topic.is_plain()) {
      if (!is_publishable_topic(topic.source())) return at_key(rule_, where + ".topic", "not a topic to publish to");
      if (topic.source().front() == '$' && !reserved) {
        return at_key(rule_, where + ".topic", "a topic that starts with $ is written with $$");
      }
    }
    if (action.qos < 0 || action.qos > 1) return at_key(rule_, where + ".qos", "qos is 0 or 1");
    CompiledAction out(std::move(topic));
    out.kind = ActionDefinition::Kind::republish;
    out.reserved_topic = reserved;
    out.qos = action.qos;
    out.retain = action.retain;
    return out;
  }

  const RuleDefinition& rule_;
  sql::Program& program_;
};

}  // namespace

Result<CompiledRule> CompiledRule::compile(const RuleDefinition& definition, sql::Paths& paths) {
  if (!is_rule_name(definition.name)) {
    return at_key(definition, "name", "a rule name is 1 to 128 letters, digits and underscores");
  }
  sql::Options options;
  if (definition.sql_version == "2015-10-08") {
    options.version = sql::Version::v2015_10_08;
  } else if (definition.sql_version != "2016-03-23") {
    return at_key(definition, "awsIotSqlVersion",
                  fmt::format("'{}' is not known; 2016-03-23 and 2015-10-08 are", definition.sql_version));
  }
  if (definition.strict) options.dialect = sql::Dialect::strict;
  sql::Program program(options, paths);
  auto statement = sql::Statement::compile(definition.sql, program);
  if (!statement) return at_key(definition, "sql", statement.error().detail);
  for (const std::string& filter : statement->filters()) {
    if (const auto valid = check_topic_filter(filter); !valid) {
      return at_key(definition, "sql", fmt::format("FROM '{}': {}", filter, valid.error().detail));
    }
  }
  if (definition.actions.empty()) return at_key(definition, "actions", "a rule has at least one action");
  if (definition.actions.size() > kMaxActions) return at_key(definition, "actions", "a rule has at most 10 actions");
  CompiledRule out(std::move(program), std::move(*statement));
  ActionCompiler compiler(definition, out.program);
  for (std::size_t i = 0; i < definition.actions.size(); ++i) {
    MR_TRY_ASSIGN(CompiledAction action, compiler.compile(definition.actions[i], fmt::format("actions[{}]", i)));
    out.actions.push_back(std::move(action));
  }
  if (definition.error_action) {
    MR_TRY_ASSIGN(out.error_action, compiler.compile(*definition.error_action, "errorAction"));
  }
  out.program.seal();
  return out;
}

RuleSet::RuleSet() : impl_(std::make_unique<Impl>()) {}
RuleSet::~RuleSet() = default;
const std::vector<std::unique_ptr<Rule>>& RuleSet::rules() const {
  return impl_->rules;
}
std::uint64_t RuleSet::version() const {
  return impl_->version;
}

void RuleSet::Impl::add_to_groups(std::uint32_t rule) {
  for (const std::string& filter : rules[rule]->compiled->statement.filters()) {
    const auto [at, added] = group_of_filter.try_emplace(filter, static_cast<std::uint32_t>(groups.size()));
    if (added) {
      filters.add(filter, at->second);
      groups.emplace_back();
    }
    auto& members = groups[at->second].rules;
    if (members.empty() || members.back() != rule) members.push_back(rule);
  }
}

void RuleSet::Impl::index_groups() {
  group_of_filter.clear();
  for (Group& group : groups) {
    group.rules.shrink_to_fit();
    if (group.rules.size() < kIndexFrom) continue;
    std::vector<PredicateIndex::Entry> entries;
    bool telling = false;
    for (const std::uint32_t rule : group.rules) {
      const CompiledRule& compiled = *rules[rule]->compiled;
      PredicateIndex::Entry& entry = entries.emplace_back();
      entry.rule = rule;
      if (const auto where = compiled.statement.where()) {
        entry.conditions = sql::NecessaryConditions::of(compiled.program, *where);
      }
      telling = telling || !entry.conditions.empty();
    }
    if (telling) group.index.emplace(entries);
  }
}

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(std::vector<RuleDefinition> definitions,
                                                        const RuleSet* previous) {
  static std::atomic<std::uint64_t> next_version{1};
  std::shared_ptr<RuleSet> out(new RuleSet());
  Impl& impl = *out->impl_;
  impl.version = next_version.fetch_add(1, std::memory_order_relaxed);
  // Rules that did not change are taken over as they are. Their words stay in the Paths they share; when those have
  // grown past what the rules can need, everything is compiled anew into new ones.
  std::unordered_map<std::string_view, const Rule*> known;
  bool reuse = false;
  if (previous != nullptr) {
    constexpr std::size_t kWordsPerRule = 64;
    reuse = previous->impl().paths->size() < kWordsPerRule * (definitions.size() + 1000);
    if (reuse) impl.paths = previous->impl().paths;
    for (const auto& rule : previous->rules()) known.emplace(rule->definition.name, rule.get());
  }
  std::unordered_set<std::string_view> names;
  for (RuleDefinition& definition : definitions) {
    auto rule = std::make_unique<Rule>();
    rule->definition = std::move(definition);
    const RuleDefinition& kept = rule->definition;
    const auto found = known.find(kept.name);
    const Rule* const before = found == known.end() ? nullptr : found->second;
    if (reuse && before != nullptr && before->definition == kept) {
      rule->compiled = before->compiled;
    } else {
      auto compiled = CompiledRule::compile(kept, *impl.paths);
      if (!compiled) return std::unexpected<Error>(std::move(compiled).error());
      rule->compiled = std::make_shared<const CompiledRule>(std::move(*compiled));
    }
    if (!names.insert(kept.name).second) return at_key(kept, "name", "there are two rules of this name");
    rule->counters = before != nullptr ? before->counters : std::make_shared<RuleCounters>();
    const auto index = static_cast<std::uint32_t>(impl.rules.size());
    impl.rules.push_back(std::move(rule));
    if (kept.disabled) continue;
    impl.add_to_groups(index);
    impl.by_name.emplace(kept.name, index);
  }
  impl.index_groups();
  return std::shared_ptr<const RuleSet>(std::move(out));
}

}  // namespace millrace::rules

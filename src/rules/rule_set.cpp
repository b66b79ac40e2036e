#include "rules/rule_set.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "rules/action_compiler.h"
#include "rules/rule_set_impl.h"

namespace millrace::rules {

namespace {

/// Words of rules that are gone stay in the Paths their successors share, until there are more than rules can need.
constexpr std::size_t kWordsPerRule = 64;
constexpr std::size_t kWordsAtLeast = 64'000;

std::uint64_t next_version() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

/// JSON has no line end: behind one stands the topic of an errorAction that is millrace's own, which JSON leaves out.
std::string pack(const RuleDefinition& rule) {
  std::string out = to_json(rule, true);
  if (rule.error_action && rule.error_action->kafka.internal) out += "\n" + rule.error_action->kafka.topic;
  out.shrink_to_fit();
  return out;
}

Result<std::shared_ptr<const Rule>> make_rule(const RuleDefinition& definition, sql::Paths& paths,
                                              std::shared_ptr<RuleCounters> counters) {
  auto compiled = CompiledRule::compile(definition, paths);
  if (!compiled) return std::unexpected<Error>(std::move(compiled).error());
  auto rule = std::make_shared<Rule>();
  rule->name = definition.name;
  rule->source = pack(definition);
  rule->disabled = definition.disabled;
  rule->compiled = std::make_shared<const CompiledRule>(std::move(*compiled));
  rule->counters = counters ? std::move(counters) : std::make_shared<RuleCounters>();
  return rule;
}

}  // namespace

RuleDefinition Rule::definition() const {
  const std::size_t end = source.find('\n');
  RuleDefinition out;
  if (const auto node = config::parse_yaml(std::string_view(source).substr(0, end), "rule")) {
    if (auto parsed = parse_rule(name, *node)) out = std::move(*parsed);
  }
  out.line = 0;
  if (end == std::string::npos) return out;
  out.error_action.emplace();
  out.error_action->kafka.topic = source.substr(end + 1);
  out.error_action->kafka.internal = true;
  return out;
}

std::vector<sql::Reference> Rule::references() const {
  return compiled->program.references();
}

RuleSet::RuleSet() : impl_(std::make_unique<Impl>()) {}
RuleSet::~RuleSet() = default;

std::vector<const Rule*> RuleSet::rules() const {
  std::vector<const Rule*> out;
  out.reserve(impl_->count);
  for (std::size_t i = 0; i < impl_->rules.size(); ++i) {
    if (impl_->rules[i]) out.push_back(impl_->rules[i].get());
  }
  return out;
}
std::size_t RuleSet::size() const {
  return impl_->count;
}
bool RuleSet::asks() const {
  return impl_->asking != 0;
}
bool RuleSet::republishes() const {
  return impl_->republishing != 0;
}
std::uint64_t RuleSet::version() const {
  return impl_->version;
}
const Rule* RuleSet::find(std::string_view name) const {
  const auto slot = impl_->slot_of(name);
  return slot && !impl_->rules[*slot]->disabled ? impl_->rules[*slot].get() : nullptr;
}

std::shared_ptr<const RuleCounters> RuleSet::counters(std::string_view name) const {
  const auto slot = impl_->slot_of(name);
  return slot ? impl_->rules[*slot]->counters : nullptr;
}
RuleTally RuleSet::totals() const {
  RuleTally out = impl_->gone;
  for (const Rule* const rule : rules()) out.add(*rule->counters);
  const auto failed = std::ranges::find(kRuleCounters, &RuleCounters::failed, &RuleCounterRow::counter);
  out.values[static_cast<std::size_t>(failed - kRuleCounters.begin())] += impl_->unjudged->load();
  return out;
}

std::optional<std::uint32_t> RuleSet::Impl::slot_of(std::string_view name) const {
  return names.find(name, [&](std::uint32_t slot) { return rules[slot] && rules[slot]->name == name; });
}

void RuleSet::Impl::tally(const Rule& rule, bool more) {
  const CompiledRule& compiled = *rule.compiled;
  const auto is_republish = [](const CompiledAction& action) {
    return action.kind == ActionDefinition::Kind::republish;
  };
  const bool heard = std::ranges::any_of(compiled.actions, is_republish) ||
                     (compiled.error_action && is_republish(*compiled.error_action));
  const auto add = [more](std::size_t& number, bool counts) {
    if (counts) number = more ? number + 1 : number - 1;
  };
  add(asking, compiled.program.asks());
  add(republishing, heard);
}

std::uint32_t RuleSet::Impl::place(std::shared_ptr<const Rule> rule) {
  const auto slot = static_cast<std::uint32_t>(rules.size());
  names.add(rule->name, slot);
  tally(*rule, true);
  needs_json.push_back(rule->compiled->statement.needs_json() ? 1 : 0);
  rules.push_back(std::move(rule));
  ++count;
  return slot;
}

std::uint32_t RuleSet::Impl::group_of(const std::string& filter, bool& made) {
  const auto found = filter_names.find(filter, [&](std::uint32_t group) { return groups[group]->filter == filter; });
  made = !found;
  if (found) return *found;
  const auto group = static_cast<std::uint32_t>(groups.size());
  auto fresh = std::make_shared<RuleGroup>();
  fresh->filter = filter;
  groups.push_back(std::move(fresh));
  filter_names.add(filter, group);
  return group;
}

RuleGroup::Index RuleSet::Impl::index_of(std::span<const std::uint32_t> slots) const {
  if (slots.size() < kIndexFrom) return std::nullopt;
  std::vector<PredicateIndex::Entry> entries;
  entries.reserve(slots.size());
  bool telling = false;
  for (const std::uint32_t slot : slots) {
    const CompiledRule& compiled = *rules[slot]->compiled;
    PredicateIndex::Entry& entry = entries.emplace_back();
    entry.rule = slot;
    if (const auto where = compiled.statement.where()) {
      entry.conditions = sql::NecessaryConditions::of(compiled.program, *where);
    }
    telling = telling || !entry.conditions.empty();
  }
  return telling ? RuleGroup::Index(std::in_place, entries) : std::nullopt;
}

TopicFilterIndex RuleSet::Impl::filters_of(std::span<const std::uint32_t> numbers) const {
  TopicFilterIndex out;
  for (const std::uint32_t group : numbers) out.add(groups[group]->filter, group);
  return out;
}

void RuleSet::Impl::add(std::shared_ptr<const Rule> rule) {
  const Rule& kept = *rule;
  const std::uint32_t slot = place(std::move(rule));
  if (kept.disabled) return;
  for (const std::string& filter : kept.compiled->statement.filters()) {
    bool made = false;
    const std::uint32_t group = group_of(filter, made);
    if (made) gathered.emplace_back();
    if (gathered[group].empty() || gathered[group].back() != slot) gathered[group].push_back(slot);
  }
}

void RuleSet::Impl::index_all() {
  std::vector<std::uint32_t> numbers(gathered.size());
  for (std::uint32_t group = 0; group < gathered.size(); ++group) {
    auto indexed = std::make_shared<RuleGroup>();
    indexed->filter = groups[group]->filter;
    indexed->rules.assign(std::move(gathered[group]), [this](auto slots) { return index_of(slots); });
    groups.set(group, std::move(indexed));
    numbers[group] = group;
  }
  gathered = {};
  filters.assign(std::move(numbers), [this](auto all) { return filters_of(all); });
}

void RuleSet::Impl::join(std::uint32_t group, std::uint32_t slot) {
  auto changed = std::make_shared<RuleGroup>(*groups[group]);
  changed->rules.add(
      slot, [this](auto slots) { return index_of(slots); },
      [this](std::uint32_t member) { return rules[member] != nullptr; });
  groups.set(group, std::move(changed));
}

void RuleSet::Impl::insert(std::shared_ptr<const Rule> rule) {
  const Rule& kept = *rule;
  const std::uint32_t slot = place(std::move(rule));
  if (kept.disabled) return;
  for (const std::string& filter : kept.compiled->statement.filters()) {
    bool made = false;
    const std::uint32_t group = group_of(filter, made);
    if (made) {
      filters.add(group, [this](auto all) { return filters_of(all); }, [](std::uint32_t) { return true; });
    }
    join(group, slot);
  }
}

void RuleSet::Impl::replace(std::uint32_t slot, std::shared_ptr<const Rule> rule) {
  tally(*rules[slot], false);
  tally(*rule, true);
  needs_json.set(slot, rule->compiled->statement.needs_json() ? 1 : 0);
  rules.set(slot, std::move(rule));
  if (rules[slot]->disabled) return;
  // Under its new conditions it stands in the top layer; those of the old ones find it too often, which harms nothing.
  for (const std::string& filter : rules[slot]->compiled->statement.filters()) {
    bool made = false;
    join(group_of(filter, made), slot);
  }
}

void RuleSet::Impl::erase(std::uint32_t slot) {
  names.remove(rules[slot]->name, slot);
  tally(*rules[slot], false);
  rules.set(slot, nullptr);
  --count;
}

bool RuleSet::Impl::same_filters(const Rule& a, const Rule& b) const {
  return a.disabled == b.disabled && a.compiled->statement.filters() == b.compiled->statement.filters();
}

bool RuleSet::Impl::worn() const {
  constexpr std::size_t kSlotsAtLeast = 1024;
  return paths->size() > kWordsPerRule * count + kWordsAtLeast || rules.size() > 2 * count + kSlotsAtLeast;
}

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(std::vector<RuleDefinition> definitions,
                                                        const RuleSet* previous) {
  std::shared_ptr<RuleSet> out(new RuleSet());
  Impl& impl = *out->impl_;
  impl.version = next_version();
  const Impl* const before = previous == nullptr ? nullptr : &previous->impl();
  // Rules that did not change are taken over as they are, with the Paths they share.
  const bool reuse = before != nullptr && before->paths->size() <= kWordsPerRule * definitions.size() + kWordsAtLeast;
  if (reuse) impl.paths = before->paths;
  std::unordered_set<std::string_view> names;
  for (const RuleDefinition& definition : definitions) {
    if (!names.insert(definition.name).second) {
      return at_key(definition, "name", "there are two rules of this name");
    }
    const auto slot = before == nullptr ? std::nullopt : before->slot_of(definition.name);
    const Rule* const known = slot ? before->rules[*slot].get() : nullptr;
    if (reuse && known != nullptr && known->source == pack(definition)) {
      impl.add(before->rules[*slot]);
      continue;
    }
    MR_TRY_ASSIGN(auto rule, make_rule(definition, *impl.paths, known == nullptr ? nullptr : known->counters));
    impl.add(std::move(rule));
  }
  impl.index_all();
  if (previous != nullptr) {
    impl.gone = before->gone;
    impl.unjudged = before->unjudged;
    for (const Rule* const rule : previous->rules()) {
      if (!names.contains(rule->name)) impl.gone.add(*rule->counters);
    }
  }
  return std::shared_ptr<const RuleSet>(std::move(out));
}

Result<std::shared_ptr<const RuleSet>> RuleSet::apply(const RuleSet& before, std::vector<Change> changes) {
  const Impl& old = before.impl();
  if (old.worn()) {
    std::unordered_map<std::string_view, const Change*> changed;
    for (const Change& change : changes) changed[change.name] = &change;
    std::vector<RuleDefinition> all;
    for (const Rule* const rule : before.rules()) {
      if (!changed.contains(rule->name)) all.push_back(rule->definition());
    }
    for (const auto& [name, change] : changed) {
      if (change->rule) all.push_back(*change->rule);
    }
    return compile(std::move(all), &before);
  }
  std::shared_ptr<RuleSet> out(new RuleSet());
  Impl& impl = *out->impl_;
  impl = old;
  impl.version = next_version();
  for (Change& change : changes) {
    const auto slot = impl.slot_of(change.name);
    const std::shared_ptr<const Rule> known = slot ? impl.rules[*slot] : nullptr;
    if (!change.rule) {
      if (slot) {
        impl.gone.add(*known->counters);
        impl.erase(*slot);
      }
      continue;
    }
    if (known && known->source == pack(*change.rule)) continue;
    MR_TRY_ASSIGN(auto rule, make_rule(*change.rule, *impl.paths, known ? known->counters : nullptr));
    if (known && impl.same_filters(*known, *rule)) {
      impl.replace(*slot, std::move(rule));
    } else {
      if (slot) impl.erase(*slot);
      impl.insert(std::move(rule));
    }
  }
  return std::shared_ptr<const RuleSet>(std::move(out));
}

}  // namespace millrace::rules

#include "pipeline/rule_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "config/node.h"
#include "config/quantity.h"

namespace millrace::pipeline {

namespace {

std::string written(const RuleStore::Stored& stored) {
  return fmt::format("{{\"version\":{},\"createdAt\":{},{}", stored.version, stored.created_at,
                     rules::to_json(stored.rule).substr(1));
}

Result<RuleStore::Stored> read(std::string_view name, std::string_view text) {
  MR_TRY_ASSIGN(config::Node node, config::parse_yaml(text, kRuleTopic));
  RuleStore::Stored out;
  const auto number = [&](std::string_view key) {
    const config::Node* const found = node.find(key);
    return found == nullptr ? 0 : config::parse_integer(found->text).value_or(0);
  };
  out.version = static_cast<std::uint32_t>(std::clamp<std::int64_t>(number("version"), 1, 1'000'000'000));
  out.created_at = number("createdAt");
  std::erase_if(node.entries, [](const auto& entry) { return entry.first == "version" || entry.first == "createdAt"; });
  MR_TRY_ASSIGN(out.rule, rules::parse_rule(name, node));
  out.rule.line = 0;
  return out;
}

}  // namespace

RuleStore::RuleStore(const Clock& clock, Executor& loop, RuleSetSlot& slot,
                     std::vector<rules::RuleDefinition> configured, Finish finish)
    : clock_(clock), loop_(loop), slot_(slot), finish_(std::move(finish)) {
  for (rules::RuleDefinition& rule : configured) {
    std::string name = rule.name;
    configured_.emplace(std::move(name), Stored{.rule = std::move(rule), .version = 0});
  }
}

void RuleStore::open(topics::TopicLog& log, const Clock& clock, Executor& loop, RuleSetSlot& slot,
                     std::vector<rules::RuleDefinition> configured, Finish finish, Opened opened) {
  std::shared_ptr<RuleStore> store(new RuleStore(clock, loop, slot, std::move(configured), std::move(finish)));
  topics::TableTopic::open(
      log, clock, loop, {.name = std::string(kRuleTopic)},
      [store](ByteView key, std::optional<ByteView> value) { store->visit(as_text(key), value); },
      [store, opened = std::move(opened)](Result<std::shared_ptr<topics::TableTopic>> table) mutable {
        if (!table) {
          opened(std::unexpected<Error>(std::move(table).error()));
          return;
        }
        store->table_ = std::move(*table);
        store->put_all_in_force();
        opened(store);
      });
}

void RuleStore::visit(std::string_view key, std::optional<ByteView> value) {
  const std::size_t at = key.find('@');
  const std::string name(key.substr(0, at));
  std::optional<Stored> stored;
  if (value) {
    auto result = read(name, as_text(*value));
    if (result) stored = std::move(*result);
    if (!result) log::warn("stored_rule_unreadable", {{"rule", key}, {"reason", result.error().message()}});
  }
  if (at == std::string_view::npos) {
    rules_.erase(name);
    if (stored) rules_.emplace(name, std::move(*stored));
    return;
  }
  const auto version = static_cast<std::uint32_t>(config::parse_integer(key.substr(at + 1)).value_or(0));
  earlier_[name].erase(version);
  if (stored) earlier_[name].emplace(version, std::move(*stored));
}

Result<RuleStore::Rules::iterator> RuleStore::changeable(std::string_view name) {
  if (configured_.contains(name)) {
    return fail(ErrorCode::invalid_argument, "rule",
                std::string(name) + " stands in the configuration: change it there and start again");
  }
  const auto found = rules_.find(name);
  if (found == rules_.end()) return fail(ErrorCode::not_found, "rule", std::string(name));
  return found;
}

Result<void> RuleStore::check(const rules::RuleDefinition& rule) const {
  rules::RuleDefinition finished = rule;
  MR_TRY(finish_(finished));
  MR_TRY_ASSIGN(const auto alone, rules::RuleSet::compile({std::move(finished)}));
  return check_ ? check_(*alone->rules().front()) : Result<void>{};
}

void RuleStore::create(rules::RuleDefinition rule, Done done) {
  if (const auto there = changeable(rule.name); !there && there.error().code != ErrorCode::not_found) {
    done(std::unexpected<Error>(there.error()));
  } else if (there) {
    done(fail(ErrorCode::already_exists, "rule", rule.name));
  } else if (rules_.size() >= kMostRules) {
    done(fail(ErrorCode::too_large, "rule", "there are 1,000,000 rules"));
  } else {
    const auto earlier = earlier_.find(rule.name);
    const bool had = earlier != earlier_.end() && !earlier->second.empty();
    put(std::move(rule), had ? earlier->second.rbegin()->first + 1 : 1, std::move(done));
  }
}

void RuleStore::replace(rules::RuleDefinition rule, Done done) {
  const auto found = changeable(rule.name);
  if (!found) return done(std::unexpected<Error>(found.error()));
  put(std::move(rule), (*found)->second.version + 1, std::move(done));
}

void RuleStore::set_disabled(const std::string& name, bool disabled, Done done) {
  const auto found = changeable(name);
  if (!found) return done(std::unexpected<Error>(found.error()));
  rules::RuleDefinition rule = (*found)->second.rule;
  rule.disabled = disabled;
  put(std::move(rule), (*found)->second.version + 1, std::move(done));
}

/// The map changes at once, so that the next request sees it; the set in force changes when the record is on disk.
void RuleStore::put(rules::RuleDefinition rule, std::uint32_t version, Done done) {
  if (const auto fine = check(rule); !fine) {
    done(std::unexpected<Error>(fine.error()));
    return;
  }
  const std::string name = rule.name;
  std::optional<Stored> before;
  if (const auto found = rules_.find(name); found != rules_.end()) {
    before = found->second;
    auto& history = earlier_[name];
    history.insert_or_assign(before->version, *before);
    table_->put(as_bytes(fmt::format("{}@{}", name, before->version)), as_bytes(written(*before)));
    while (history.size() > kKeptVersions) {
      table_->put(as_bytes(fmt::format("{}@{}", name, history.begin()->first)), std::nullopt);
      history.erase(history.begin());
    }
  }
  const Stored now{std::move(rule), version, clock_.wall().count()};
  rules_.insert_or_assign(name, now);
  auto settle = [self = shared_from_this(), name, version, before,
                 done = std::move(done)](Result<void> result) mutable {
    if (!result) {
      const auto found = self->rules_.find(name);
      const bool still_mine = found != self->rules_.end() && found->second.version == version;
      if (still_mine && before) found->second = *before;
      if (still_mine && !before) self->rules_.erase(found);
    }
    self->settle(name, std::move(done), std::move(result));
  };
  table_->put(as_bytes(name), as_bytes(written(now)), std::move(settle));
}

void RuleStore::remove(const std::string& name, Done done) {
  const auto found = changeable(name);
  if (!found) return done(std::unexpected<Error>(found.error()));
  rules_.erase(*found);
  for (const auto& [version, stored] : earlier_[name]) {
    table_->put(as_bytes(fmt::format("{}@{}", name, version)), std::nullopt);
  }
  earlier_.erase(name);
  table_->put(as_bytes(name), std::nullopt,
              [self = shared_from_this(), name, done = std::move(done)](Result<void> result) mutable {
                self->settle(name, std::move(done), std::move(result));
              });
}

void RuleStore::settle(const std::string& name, Done done, Result<void> result) {
  changed_.insert(name);
  settled_.emplace_back(std::move(done), std::move(result));
  if (settled_.size() > 1) return;
  loop_.post([self = shared_from_this()] {
    self->put_in_force(std::exchange(self->changed_, {}));
    for (auto& [answer, outcome] : std::exchange(self->settled_, {})) answer(std::move(outcome));
  });
}

const RuleStore::Stored* RuleStore::find(std::string_view name) const {
  for (const Rules* const rules : {&configured_, &rules_}) {
    if (const auto found = rules->find(name); found != rules->end()) return &found->second;
  }
  return nullptr;
}

std::optional<rules::RuleTally> RuleStore::tally(std::string_view name) const {
  const auto counters = slot_.current()->counters(name);
  if (!counters) return std::nullopt;
  rules::RuleTally out;
  out.add(*counters);
  return out;
}

std::vector<const RuleStore::Stored*> RuleStore::all() const {
  std::vector<const Stored*> out;
  for (const auto& [name, stored] : configured_) out.push_back(&stored);
  for (const auto& [name, stored] : rules_) {
    if (!configured_.contains(name)) out.push_back(&stored);
  }
  std::ranges::sort(out, {}, [](const Stored* stored) -> const std::string& { return stored->rule.name; });
  return out;
}

std::vector<RuleStore::Stored> RuleStore::versions(std::string_view name) const {
  std::vector<Stored> out;
  const auto found = earlier_.find(name);
  if (found == earlier_.end()) return out;
  for (const auto& [version, stored] : found->second) out.push_back(stored);
  return out;
}

void RuleStore::put_in_force(const std::set<std::string>& changed) {
  std::vector<rules::RuleSet::Change> changes;
  for (const std::string& name : changed) {
    rules::RuleSet::Change& change = changes.emplace_back(name);
    const auto found = rules_.find(name);
    if (found == rules_.end()) continue;
    change.rule = found->second.rule;
    if (!finish_(*change.rule)) change.rule.reset();
  }
  auto applied = rules::RuleSet::apply(*slot_.current(), std::move(changes));
  // Each was checked before it was stored; should one be refused all the same, the others run.
  if (!applied) return put_all_in_force();
  slot_.replace(std::move(*applied));
}

void RuleStore::put_all_in_force() {
  std::vector<rules::RuleDefinition> all;
  for (const auto& [name, stored] : configured_) all.push_back(stored.rule);
  for (const auto& [name, stored] : rules_) {
    if (configured_.contains(name)) {
      log::warn("stored_rule_hidden", {{"rule", name}, {"reason", "the configuration has one of this name"}});
      continue;
    }
    all.push_back(stored.rule);
    if (const auto fine = finish_(all.back()); !fine) {
      log::warn("stored_rule_refused", {{"rule", name}, {"reason", fine.error().message()}});
      all.pop_back();
    }
  }
  const auto before = slot_.current();
  auto compiled = rules::RuleSet::compile(all, before.get());
  if (!compiled) {
    // Only after an upgrade: what was accepted once is refused now. The others run.
    std::erase_if(all, [](const rules::RuleDefinition& rule) {
      const auto alone = rules::RuleSet::compile({rule});
      if (!alone) log::warn("stored_rule_refused", {{"rule", rule.name}, {"reason", alone.error().message()}});
      return !alone;
    });
    compiled = rules::RuleSet::compile(std::move(all), before.get());
  }
  if (compiled) slot_.replace(std::move(*compiled));
}

}  // namespace millrace::pipeline

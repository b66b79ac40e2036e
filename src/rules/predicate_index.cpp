#include "rules/predicate_index.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

namespace millrace::rules {

namespace {

using sql::Operator;

/// Every member that rules stand under is looked at for every message; rules that name further ones are always tried.
constexpr std::size_t kMostMembers = 256;

}  // namespace

PredicateIndex::PredicateIndex(std::span<const Entry> entries) {
  sql::Evaluation evaluation(0);  // for conversions only
  std::unordered_map<std::uint32_t, std::unordered_set<std::uint64_t>> keys;
  std::uint32_t slots = 0;
  for (const Entry& entry : entries) {
    for (const Condition& condition : entry.conditions) {
      slots = std::max(slots, condition.slot.index + 1);
      if (condition.op != Operator::equal) continue;
      if (const auto key = equality_key(evaluation, condition.constant)) keys[condition.slot.index].insert(*key);
    }
  }
  std::vector<std::uint32_t> distinct(slots);
  for (const auto& [slot, set] : keys) distinct[slot] = static_cast<std::uint32_t>(set.size());
  for (const Entry& entry : entries) add(entry, distinct, evaluation);
  for (Equalities& equalities : equalities_) finish(equalities);
  const auto by_bound = [](const Bounded& a, const Bounded& b) { return a.bound < b.bound; };
  for (Bounds& bounds : bounds_) {
    std::sort(bounds.upper.begin(), bounds.upper.end(), by_bound);
    std::sort(bounds.lower.begin(), bounds.lower.end(), by_bound);
  }
}

PredicateIndex::Equalities& PredicateIndex::equalities_of(const sql::Paths::Slot& slot) {
  const auto found = std::find_if(equalities_.begin(), equalities_.end(),
                                  [&](const Equalities& known) { return known.slot.index == slot.index; });
  if (found != equalities_.end()) return *found;
  equalities_.push_back({slot, {}, {}, 0});
  return equalities_.back();
}

PredicateIndex::Bounds& PredicateIndex::bounds_of(const sql::Paths::Slot& slot) {
  const auto found =
      std::find_if(bounds_.begin(), bounds_.end(), [&](const Bounds& known) { return known.slot.index == slot.index; });
  if (found != bounds_.end()) return *found;
  bounds_.push_back({slot, {}, {}});
  return bounds_.back();
}

/// Under its equality whose member is compared with the most constants, else under its first comparison.
void PredicateIndex::add(const Entry& entry, std::span<const std::uint32_t> distinct, sql::Evaluation& evaluation) {
  const Condition* best = nullptr;
  std::uint64_t best_key = 0;
  for (const Condition& condition : entry.conditions) {
    if (condition.op != Operator::equal) continue;
    const auto key = equality_key(evaluation, condition.constant);
    if (!key || (best != nullptr && distinct[best->slot.index] >= distinct[condition.slot.index])) continue;
    best = &condition;
    best_key = *key;
  }
  if (best != nullptr && equalities_.size() < kMostMembers) {
    equalities_of(best->slot).rules.push_back({best_key, entry.rule});
    return;
  }
  for (const Condition& condition : entry.conditions) {
    if (condition.op == Operator::equal) continue;
    const auto bound = order_key(evaluation, condition.constant);
    if (!bound || bounds_.size() >= kMostMembers) continue;
    Bounds& bounds = bounds_of(condition.slot);
    const bool upper = condition.op == Operator::less || condition.op == Operator::less_equal;
    (upper ? bounds.upper : bounds.lower).push_back({*bound, entry.rule});
    return;
  }
  always_.push_back(entry.rule);
}

void PredicateIndex::finish(Equalities& equalities) {
  auto& rules = equalities.rules;
  std::sort(rules.begin(), rules.end(), [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
  const auto bits = static_cast<unsigned>(std::bit_width(rules.size()));
  equalities.shift = 64 - bits;
  equalities.buckets.assign((std::size_t{1} << bits) + 1, 0);
  for (const Keyed& keyed : rules) ++equalities.buckets[(keyed.key >> equalities.shift) + 1];
  for (std::size_t i = 1; i < equalities.buckets.size(); ++i) equalities.buckets[i] += equalities.buckets[i - 1];
}

void PredicateIndex::search(sql::Evaluation& evaluation, std::vector<std::uint32_t>& out) const {
  out.insert(out.end(), always_.begin(), always_.end());
  for (const Equalities& equalities : equalities_) {
    const auto key = equality_key(evaluation, evaluation.slot(equalities.slot.index, *equalities.slot.path));
    if (!key) continue;
    const std::size_t bucket = *key >> equalities.shift;
    for (std::uint32_t i = equalities.buckets[bucket]; i < equalities.buckets[bucket + 1]; ++i) {
      if (equalities.rules[i].key == *key) out.push_back(equalities.rules[i].rule);
    }
  }
  for (const Bounds& bounds : bounds_) {
    const auto value = order_key(evaluation, evaluation.slot(bounds.slot.index, *bounds.slot.path));
    if (!value) continue;
    // Keys are rounded: a bound with the value's own key may be on either side of it.
    const auto first = std::lower_bound(bounds.upper.begin(), bounds.upper.end(), *value,
                                        [](const Bounded& bounded, double v) { return bounded.bound < v; });
    for (auto at = first; at != bounds.upper.end(); ++at) out.push_back(at->rule);
    for (const Bounded& bounded : bounds.lower) {
      if (bounded.bound > *value) break;
      out.push_back(bounded.rule);
    }
  }
}

}  // namespace millrace::rules

// What RuleSet holds behind its pointer. Rules stand in places ("slots") that never move: an index built for an earlier
// set stays true for a later one, as long as it may find too many. A rule whose filters stay keeps its slot when it is
// replaced; any other change leaves the slot empty and takes a new one. Private to rules.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "rules/chunked_vector.h"
#include "rules/compiled_rule.h"
#include "rules/layered.h"
#include "rules/name_table.h"
#include "rules/predicate_index.h"
#include "rules/rule_set.h"
#include "rules/topic_filter.h"

namespace millrace::rules {

/// The enabled rules of one topic filter.
struct RuleGroup {
  using Index = std::optional<PredicateIndex>;  // when there are many, and their WHERE tells something
  std::string filter;
  Layered<Index> rules;
};

struct RuleSet::Impl {
  static constexpr std::size_t kIndexFrom = 8;

  /// Puts a rule in: its slot, name and groups. While a whole set is made, groups are gathered and indexed at the end.
  void add(std::shared_ptr<const Rule> rule);
  void index_all();
  /// The same for one rule of a finished set.
  void insert(std::shared_ptr<const Rule> rule);
  void replace(std::uint32_t slot, std::shared_ptr<const Rule> rule);
  void erase(std::uint32_t slot);
  [[nodiscard]] std::optional<std::uint32_t> slot_of(std::string_view name) const;
  /// Filters are the same, so that groups need not change but for the index.
  [[nodiscard]] bool same_filters(const Rule& a, const Rule& b) const;
  /// Too much of what is kept belongs to rules that are gone.
  [[nodiscard]] bool worn() const;

  std::shared_ptr<sql::Paths> paths = std::make_shared<sql::Paths>();  // of all rules; shared with earlier sets
  ChunkedVector<std::shared_ptr<const Rule>> rules;                    // by slot; null: empty
  std::size_t count = 0;                                               // of rules
  std::size_t asking = 0;                                              // of rules that may wait for an answer
  std::size_t republishing = 0;                                        // of rules that make messages for all rules
  std::uint64_t version = 0;
  RuleTally gone;  // of rules that are no more
  /// By slot: the rule looks into the payload. A payload that is no JSON fails those, and that is told without touching
  /// a hundred thousand rules.
  ChunkedVector<std::uint8_t> needs_json;
  /// Failures of such a payload that were not counted rule by rule; of this set and those before it.
  std::shared_ptr<std::atomic<std::uint64_t>> unjudged = std::make_shared<std::atomic<std::uint64_t>>(0);
  NameTable names;                    // of rules: slots
  Layered<TopicFilterIndex> filters;  // of groups: their numbers
  NameTable filter_names;             // of groups: their numbers
  ChunkedVector<std::shared_ptr<const RuleGroup>> groups;

  /// While a whole set is made.
  std::vector<std::vector<std::uint32_t>> gathered;  // by group: slots

 private:
  void tally(const Rule& rule, bool more);
  std::uint32_t place(std::shared_ptr<const Rule> rule);
  std::uint32_t group_of(const std::string& filter, bool& made);
  void join(std::uint32_t group, std::uint32_t slot);
  [[nodiscard]] RuleGroup::Index index_of(std::span<const std::uint32_t> slots) const;
  [[nodiscard]] TopicFilterIndex filters_of(std::span<const std::uint32_t> numbers) const;
};

}  // namespace millrace::rules

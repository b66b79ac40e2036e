// PredicateIndex: of the rules behind one topic filter, those that a message may satisfy. Every rule stands under one
// condition that must hold for it (see sql/necessary_conditions.h): the most telling equality with a constant it has,
// else a comparison; a rule without either is always a candidate. What is found is tried as any rule is, so the index
// may find too many and never too few. Immutable once built; any thread may search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sql/evaluation.h"
#include "sql/necessary_conditions.h"

namespace millrace::rules {

class PredicateIndex {
 public:
  struct Entry {
    std::uint32_t rule = 0;
    std::vector<sql::NecessaryConditions::Condition> conditions;
  };
  explicit PredicateIndex(std::span<const Entry> entries);

  /// Appends the candidates for the evaluation's message, in no order, each once.
  void search(sql::Evaluation& evaluation, std::vector<std::uint32_t>& out) const;

 private:
  using Condition = sql::NecessaryConditions::Condition;
  struct Keyed {
    std::uint64_t key = 0;
    std::uint32_t rule = 0;
  };
  /// Rules under `slot = constant`, by the constant's key.
  struct Equalities {
    sql::Paths::Slot slot;
    std::vector<Keyed> rules;            // ascending
    std::vector<std::uint32_t> buckets;  // by the key's upper bits: where in rules they start
    unsigned shift = 0;
  };
  struct Bounded {
    double bound = 0;
    std::uint32_t rule = 0;
  };
  /// Rules under `slot < constant` (or <=), and `slot > constant` (or >=), ascending.
  struct Bounds {
    sql::Paths::Slot slot;
    std::vector<Bounded> upper;
    std::vector<Bounded> lower;
  };
  Equalities& equalities_of(const sql::Paths::Slot& slot);
  Bounds& bounds_of(const sql::Paths::Slot& slot);
  void add(const Entry& entry, std::span<const std::uint32_t> distinct, sql::Evaluation& evaluation);
  static void finish(Equalities& equalities);

  std::vector<Equalities> equalities_;
  std::vector<Bounds> bounds_;
  std::vector<std::uint32_t> always_;
};

}  // namespace millrace::rules

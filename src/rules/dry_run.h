// DryRun: what a rule would have made of messages that were stored, and in which of them a second version of it
// differs. Nothing is handed on. Thread: one owner per DryRun; several look at parts of a log and their reports are
// added up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"

namespace millrace::rules {

/// A stored record, taken for the message it was made of.
struct DryMessage {
  std::string_view payload{};    // its value
  std::string_view client_id{};  // its key
  std::int64_t timestamp_ms = 0;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

struct DryRunCounts {
  std::uint64_t matched = 0;
  std::uint64_t not_passed = 0;      // WHERE was not true
  std::uint64_t failed = 0;          // payload or statement could not be evaluated
  std::uint64_t outputs = 0;         // what actions would have handed on
  std::uint64_t actions_failed = 0;  // templates that did not resolve
};

struct DryRunReport {
  using Counts = DryRunCounts;
  /// A message worth showing: what it is of ("matched", "failed", "changed"), where it is, and what came of it (JSON).
  struct Sample {
    std::string kind;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::string payload;
    std::string first;
    std::string second;
  };
  std::uint64_t messages = 0;
  Counts first;
  std::optional<Counts> second;
  std::uint64_t same = 0;  // of messages, when there are two versions
  std::uint64_t changed = 0;
  std::uint64_t only_first = 0;
  std::uint64_t only_second = 0;
  std::map<std::string, std::uint64_t> reasons;  // why the first version failed
  std::vector<Sample> samples;

  /// Keeps at most `most` samples of a kind, those with the smallest places.
  void add(const DryRunReport& other, std::size_t most);
  /// {"messages", "first": {...}, "second"?: {...}, "diff"?: {...}, "reasons": {...}, "samples": [...]}
  [[nodiscard]] std::string to_json() const;
};

class DryRun {
 public:
  struct Plan {
    RuleDefinition first;
    std::optional<RuleDefinition> second;
    std::string topic;        // of every message: what topic() answers
    std::size_t samples = 5;  // of a kind
    std::uint32_t max_json_depth = 64;
  };
  /// Error: invalid_argument naming the rule and the place in it.
  static Result<std::unique_ptr<DryRun>> make(const Plan& plan);

  void judge(const DryMessage& message);
  /// Of everything judged.
  [[nodiscard]] DryRunReport report() const;

 private:
  static constexpr std::size_t kMostReasons = 20;

  struct Version {
    std::shared_ptr<const RuleSet> rules;
    Evaluator evaluator{1};
    Evaluator::Outcome outcome;
    std::uint64_t outputs = 0;
    void evaluate(const DeviceMessage& message);
    [[nodiscard]] DryRunReport::Counts counts() const;
  };
  DryRun() = default;
  void sample(std::string_view kind, std::size_t& kept, const DryMessage& message);

  std::string topic_;
  std::size_t most_samples_ = 0;
  Version first_;
  std::unique_ptr<Version> second_;
  DryRunReport report_;
  std::size_t matched_samples_ = 0;
  std::size_t failed_samples_ = 0;
  std::size_t changed_samples_ = 0;
};

}  // namespace millrace::rules

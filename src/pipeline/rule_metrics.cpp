#include "pipeline/rule_metrics.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"

namespace millrace::pipeline {
namespace {

using rules::kRuleCounters;
using rules::RuleCounters;
using rules::RuleTally;

std::uint64_t looks_at(const RuleCounters& counters) {
  const auto read = [](const std::atomic<std::uint64_t>& value) { return value.load(std::memory_order_relaxed); };
  return read(counters.matched) + read(counters.not_passed) + read(counters.failed);
}

/// Which rules one exposition shows. With a hundred thousand rules finding the busiest and adding all up takes
/// milliseconds, and there is a row per counter: that is done once a second. With few it is done at every row, so
/// that what is shown is what is true.
class Shown {
 public:
  struct View {
    std::vector<std::pair<std::string, std::shared_ptr<const RuleCounters>>> rules;
    RuleTally totals;
    std::size_t count = 0;
    MonoTime made{0};
    bool complete = true;
  };
  Shown(const RuleSetSlot& slot, const Clock& clock, std::size_t most) : slot_(slot), clock_(clock), most_(most) {}

  std::shared_ptr<const View> view() const {
    return view_.with([this](std::shared_ptr<const View>& view) {
      const auto set = slot_.current();
      if (!view || set->size() <= most_ || view->complete || clock_.mono() - view->made >= kFresh) view = make(*set);
      return view;
    });
  }

 private:
  static constexpr std::chrono::seconds kFresh{1};

  std::shared_ptr<const View> make(const rules::RuleSet& set) const {
    const auto made = std::make_shared<View>();
    View& out = *made;
    out.made = clock_.mono();
    out.totals = set.totals();
    out.count = set.size();
    std::vector<const rules::Rule*> all = set.rules();
    out.complete = all.size() <= most_;
    if (!out.complete) all = busiest_of(all);
    for (const rules::Rule* const rule : all) out.rules.emplace_back(rule->name, rule->counters);
    return made;
  }

  /// In the order they stood in. Of those that did as much the first: the choice is the same at every look.
  [[nodiscard]] std::vector<const rules::Rule*> busiest_of(const std::vector<const rules::Rule*>& all) const {
    std::vector<std::pair<std::uint64_t, std::size_t>> places(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) places[i] = {~looks_at(*all[i]->counters), i};
    std::ranges::nth_element(places, places.begin() + static_cast<std::ptrdiff_t>(most_));
    places.resize(most_);
    std::ranges::sort(places, {}, &std::pair<std::uint64_t, std::size_t>::second);
    std::vector<const rules::Rule*> out;
    out.reserve(places.size());
    for (const auto& [looks, place] : places) out.push_back(all[place]);
    return out;
  }

  const RuleSetSlot& slot_;
  const Clock& clock_;
  const std::size_t most_;
  mutable Guarded<std::shared_ptr<const View>> view_;
};

}  // namespace

void register_rule_metrics(metrics::Registry& registry, const RuleSetSlot& rules, const Clock& clock,
                           std::size_t most) {
  const auto shown = std::make_shared<const Shown>(rules, clock, most);
  for (std::size_t i = 0; i < kRuleCounters.size(); ++i) {
    const auto& row = kRuleCounters[i];
    const std::string name(row.name);
    registry.collect_counter("millrace_rule_" + name + "_total", row.help, [shown, counter = row.counter] {
      std::vector<metrics::Registry::Sample> samples;
      const auto view = shown->view();
      for (const auto& [rule, counters] : view->rules) {
        const std::uint64_t value = ((*counters).*counter).load(std::memory_order_relaxed);
        samples.emplace_back(metrics::Labels{{"rule", rule}}, static_cast<double>(value));
      }
      return samples;
    });
    registry.collect_counter("millrace_rules_" + name + "_total",
                             std::string(row.help) + "; all rules, also those gone", [shown, i] {
                               const auto value = static_cast<double>(shown->view()->totals.values[i]);
                               return std::vector<metrics::Registry::Sample>{{metrics::Labels{}, value}};
                             });
  }
  registry.collect_gauge("millrace_rules", "Rules in force, disabled ones too", [&rules] {
    const auto count = static_cast<double>(rules.current()->size());
    return std::vector<metrics::Registry::Sample>{{metrics::Labels{}, count}};
  });
}

}  // namespace millrace::pipeline

// RuleService: the rules that are data, on a loop and thread of their own, so that making a large set anew holds up no
// message and no probe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "app/rule_dry_run.h"
#include "app/settings.h"
#include "base/clock.h"
#include "metrics/registry.h"
#include "net/loop.h"
#include "pipeline/rule_store.h"
#include "references/reference_store.h"

namespace millrace::app {

class RuleService {
 public:
  RuleService() = default;
  ~RuleService() { stop(); }
  RuleService(const RuleService&) = delete;
  RuleService& operator=(const RuleService&) = delete;

  /// Reads the stored rules and puts them in force before it returns. Everything named must outlive this object.
  /// Errors: those of RuleStore::open.
  /// invalid_argument: a rule of the configuration names a table, function or descriptor that is not there.
  Result<void> start(topics::TopicLog& log, const Clock& clock, metrics::Registry& metrics, pipeline::RuleSetSlot& slot,
                     const Settings& settings);
  /// Thread: any. False when the rules are not read yet, or any more.
  bool ask(std::move_only_function<void(pipeline::RuleStore&)> question);
  /// The same for what rules name.
  bool ask_references(std::move_only_function<void(references::ReferenceStore&)> question);
  /// Where both are asked. Requires that ask() worked.
  [[nodiscard]] Executor& loop() { return loop_; }
  /// Who answers what rules ask; null before start().
  [[nodiscard]] pipeline::OutsideDesk* desk() { return desk_.get(); }
  /// Runs `request` over the log this was started with; requires that ask() worked.
  void dry_run(RuleDryRuns::Request request, RuleDryRuns::Done done) {
    request.plan.max_json_depth = max_json_depth_;
    dry_runs_.run(*log_, std::move(request), std::move(done));
  }
  /// While no loop judges messages any more.
  void stop();

 private:
  Result<void> start_references(topics::TopicLog& log, const Clock& clock, metrics::Registry& metrics,
                                pipeline::RuleSetSlot& slot, const Settings& settings);

  net::Loop loop_;
  std::thread thread_;
  std::unique_ptr<references::ReferenceDesk> desk_;
  std::shared_ptr<references::ReferenceStore> references_;  // set before open_
  std::shared_ptr<pipeline::RuleStore> store_;              // set before open_
  topics::TopicLog* log_ = nullptr;
  std::uint32_t max_json_depth_ = 64;
  RuleDryRuns dry_runs_;
  std::atomic<bool> open_{false};
};

}  // namespace millrace::app

#include "app/rule_service.h"

#include <future>

#include "app/rule_settings.h"
#include "base/thread_name.h"

namespace millrace::app {

namespace {

Result<void> check_references(const rules::Rule& rule, const references::ReferenceDesk& desk) {
  for (const sql::Reference& reference : rule.references()) {
    const auto problem = desk.problem_with(reference);
    if (problem) return fail(ErrorCode::invalid_argument, "rule", rule.name + ": " + *problem);
  }
  return {};
}

/// A rule that names it; empty: none does.
std::string user_of(const pipeline::RuleSetSlot& slot, references::Kind kind, std::string_view name) {
  const auto current = slot.current();
  for (const rules::Rule* const rule : current->rules()) {
    for (const sql::Reference& reference : rule->references()) {
      if (reference.kind == kind && reference.name == name) return rule->name;
    }
  }
  return {};
}

}  // namespace

Result<void> RuleService::start_references(topics::TopicLog& log, const Clock& clock, metrics::Registry& metrics,
                                           pipeline::RuleSetSlot& slot, const Settings& settings) {
  MR_TRY_ASSIGN(auto configured, configured_references(settings));
  desk_ = std::make_unique<references::ReferenceDesk>(log, clock, metrics);
  std::promise<Result<std::shared_ptr<references::ReferenceStore>>> answer;
  loop_.post([&] {
    references::ReferenceStore::open(
        log, clock, loop_, *desk_, std::move(configured),
        [&slot](references::Kind kind, std::string_view name) { return user_of(slot, kind, name); },
        [&answer](auto opened) { answer.set_value(std::move(opened)); });
  });
  MR_TRY_ASSIGN(references_, answer.get_future().get());
  const auto current = slot.current();
  for (const rules::Rule* const rule : current->rules()) MR_TRY(check_references(*rule, *desk_));
  return {};
}

Result<void> RuleService::start(topics::TopicLog& log, const Clock& clock, metrics::Registry& metrics,
                                pipeline::RuleSetSlot& slot, const Settings& settings) {
  log_ = &log;
  max_json_depth_ = static_cast<std::uint32_t>(settings.rules_max_json_depth);
  MR_TRY_ASSIGN(auto configured, configured_rules(settings.rules, RuleTerms::of(settings)));
  thread_ = std::thread([this] {
    name_this_thread("rules");
    loop_.run();
  });
  MR_TRY(start_references(log, clock, metrics, slot, settings));
  std::promise<Result<std::shared_ptr<pipeline::RuleStore>>> answer;
  loop_.post([&] {
    pipeline::RuleStore::open(
        log, clock, loop_, slot, std::move(configured),
        [terms = RuleTerms::of(settings)](rules::RuleDefinition& rule) { return finish_rule(rule, terms); },
        [&answer](auto opened) { answer.set_value(std::move(opened)); });
  });
  MR_TRY_ASSIGN(store_, answer.get_future().get());
  std::promise<void> held;
  loop_.post([this, &held] {
    store_->hold_to([desk = desk_.get()](const rules::Rule& rule) { return check_references(rule, *desk); });
    held.set_value();
  });
  held.get_future().get();
  open_.store(true, std::memory_order_release);
  return {};
}

bool RuleService::ask(std::move_only_function<void(pipeline::RuleStore&)> question) {
  if (!open_.load(std::memory_order_acquire)) return false;
  loop_.post([this, question = std::move(question)]() mutable { question(*store_); });
  return true;
}

bool RuleService::ask_references(std::move_only_function<void(references::ReferenceStore&)> question) {
  if (!open_.load(std::memory_order_acquire)) return false;
  loop_.post([this, question = std::move(question)]() mutable { question(*references_); });
  return true;
}

void RuleService::stop() {
  open_.store(false, std::memory_order_release);
  dry_runs_.stop();
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
  if (desk_) desk_->stop();
}

}  // namespace millrace::app

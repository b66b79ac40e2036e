#include "app/rule_service.h"

#include <future>

#include "app/rule_settings.h"
#include "base/thread_name.h"

namespace millrace::app {

Result<void> RuleService::start(topics::TopicLog& log, const Clock& clock, pipeline::RuleSetSlot& slot,
                                const Settings& settings) {
  log_ = &log;
  max_json_depth_ = static_cast<std::uint32_t>(settings.rules_max_json_depth);
  MR_TRY_ASSIGN(auto configured, configured_rules(settings.rules, RuleTerms::of(settings)));
  thread_ = std::thread([this] {
    name_this_thread("rules");
    loop_.run();
  });
  std::promise<Result<std::shared_ptr<pipeline::RuleStore>>> answer;
  loop_.post([&] {
    pipeline::RuleStore::open(
        log, clock, loop_, slot, std::move(configured),
        [terms = RuleTerms::of(settings)](rules::RuleDefinition& rule) { return finish_rule(rule, terms); },
        [&answer](auto opened) { answer.set_value(std::move(opened)); });
  });
  MR_TRY_ASSIGN(store_, answer.get_future().get());
  open_.store(true, std::memory_order_release);
  return {};
}

bool RuleService::ask(std::move_only_function<void(pipeline::RuleStore&)> question) {
  if (!open_.load(std::memory_order_acquire)) return false;
  loop_.post([this, question = std::move(question)]() mutable { question(*store_); });
  return true;
}

void RuleService::stop() {
  open_.store(false, std::memory_order_release);
  dry_runs_.stop();
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace millrace::app

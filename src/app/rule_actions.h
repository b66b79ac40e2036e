// RuleActions: what carries out the rules' deferred actions, connected to the parts it needs: log, bookmarks, the
// folder of the file action, and the first loop, where an errorAction's republish is heard and judged.
#pragma once

#include <memory>

#include "actions/delivery_service.h"
#include "app/loop_thread.h"
#include "app/settings.h"
#include "io/file_system.h"
#include "pipeline/rule_set_slot.h"

namespace millrace::app {

class RuleActions {
 public:
  /// All outlive it. Errors: those of opening the folder.
  static Result<std::unique_ptr<RuleActions>> start(const Settings& settings, topics::TopicLog& log,
                                                    topics::OffsetStore& offsets, const Clock& clock,
                                                    const pipeline::RuleSetSlot& rules, LoopThread& loop,
                                                    metrics::Registry& metrics);
  /// While offsets can be committed and the loop runs.
  void stop() { service_->stop(); }

 private:
  RuleActions() = default;

  std::unique_ptr<io::FileSystem> files_;
  connect::Surroundings surroundings_;
  std::unique_ptr<actions::DeliveryService> service_;
};

}  // namespace millrace::app

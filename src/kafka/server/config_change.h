// ConfigChange: what AlterConfigs and IncrementalAlterConfigs have alike: a list of resources, one edit each, one
// answer when all are done. Thread: the loop's; edits run where topics::TopicLog runs them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/server/endpoint.h"
#include "kafka/server/refusal.h"

namespace millrace::kafka {

/// IncrementalAlterConfigs, ConfigOperation (KIP-339).
enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct ConfigEdit {
  std::string key;
  ConfigOperation operation = ConfigOperation::set;
  std::optional<std::string> value;
};

struct ResourceChange {
  std::int8_t type = 0;
  std::string name;
  bool replace_all = false;  // AlterConfigs: what is not named is removed
  std::vector<ConfigEdit> edits;
  Refusal refusal;  // the outcome; one that is there already is not tried
};

/// What settings become through `edits`. invalid_argument: detail is Kafka's text.
[[nodiscard]] Result<std::map<std::string, std::string>> edited(std::map<std::string, std::string> settings,
                                                                const std::vector<ConfigEdit>& edits);

/// Makes every change (or, with `validate_only`, only says whether it could be) and calls `done` on the loop with the
/// outcomes.
void change_configs(Endpoint& endpoint, std::vector<ResourceChange> changes, bool validate_only,
                    std::move_only_function<void(std::vector<ResourceChange>)> done);

}  // namespace millrace::kafka

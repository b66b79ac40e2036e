// AlterConfigs (KIP-133): what is not named goes back to its default. The older of the two ways.
#include "kafka/protocol/messages/alter_configs.h"

#include "kafka/server/config_change.h"
#include "kafka/server/config_resource.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_alter_configs(Endpoint& endpoint, Request request) {
  const auto message = request.decode<AlterConfigsRequest>();
  if (!message) return request.malformed(message.error());
  std::vector<ResourceChange> changes;
  changes.reserve(message->resources.size());
  for (const auto& resource : message->resources) {
    auto& change = changes.emplace_back();
    change.type = resource.resource_type;
    change.name = resource.resource_name;
    change.refusal = check_permission(request, AclOperation::alter_configs, change.type, change.name);
    change.replace_all = true;
    for (const auto& config : resource.configs) {
      change.edits.push_back({std::string(config.name), ConfigOperation::set, std::nullopt});
      if (config.value) change.edits.back().value = std::string(*config.value);
    }
  }
  change_configs(endpoint, std::move(changes), message->validate_only,
                 [request = std::move(request)](const std::vector<ResourceChange>& outcomes) mutable {
                   AlterConfigsResponse response;
                   for (const ResourceChange& outcome : outcomes) {
                     response.responses.push_back(
                         {code(outcome.refusal.error), outcome.refusal.text(), outcome.type, outcome.name});
                   }
                   request.respond(response);
                 });
}

}  // namespace millrace::kafka

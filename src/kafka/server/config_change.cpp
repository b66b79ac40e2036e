#include "kafka/server/config_change.h"

#include <algorithm>
#include <memory>
#include <set>

#include "kafka/server/config_resource.h"
#include "topics/topic_config.h"

namespace millrace::kafka {
namespace {

using Settings = std::map<std::string, std::string>;

std::vector<std::string> items_of(std::string_view list) {
  std::vector<std::string> items;
  while (!list.empty()) {
    const auto comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return items;
}

std::string joined(const std::vector<std::string>& items) {
  std::string list;
  for (const std::string& item : items) list += (list.empty() ? "" : ",") + item;
  return list;
}

// The list a key holds, changed by the items of `value`.
std::string changed_list(const Settings& settings, const topics::ConfigKey& key, std::string_view value, bool append) {
  const auto own = settings.find(std::string(key.name));
  std::vector<std::string> items = items_of(own != settings.end() ? own->second : key.value_in({}));
  for (const std::string& item : items_of(value)) {
    const auto at = std::ranges::find(items, item);
    if (append && at == items.end()) items.push_back(item);
    if (!append && at != items.end()) items.erase(at);
  }
  return joined(items);
}

Refusal to_refusal(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found:
      return {KafkaError::unknown_topic_or_partition, "The topic '" + error.detail + "' does not exist."};
    case ErrorCode::invalid_argument:
      return {KafkaError::invalid_config, error.detail};
    default:
      return {to_kafka(error.code), error.message()};
  }
}

// What can be said without looking at the topic.
Refusal check_edits(const ResourceChange& change) {
  std::set<std::string_view> seen;
  for (const ConfigEdit& edit : change.edits) {
    if (edit.operation > ConfigOperation::subtract || edit.operation < ConfigOperation::set) {
      return {KafkaError::invalid_request,
              "Unknown config operation " + std::to_string(static_cast<int>(edit.operation))};
    }
    if (!seen.insert(edit.key).second) {
      return {KafkaError::invalid_request, "Error due to duplicate config keys : " + edit.key};
    }
    if (!edit.value && edit.operation != ConfigOperation::remove) {
      return {KafkaError::invalid_request, "Null value not supported for : " + edit.key};
    }
  }
  return {};
}

Refusal check_resource(const ResourceChange& change, const ServerSettings& settings) {
  switch (static_cast<ResourceType>(change.type)) {
    case ResourceType::topic:
      if (is_valid_topic_name(change.name)) return check_edits(change);
      return {KafkaError::invalid_topic, "Topic name is invalid"};
    case ResourceType::broker: {
      if (!change.name.empty()) {
        if (auto refusal = check_broker(change.name, settings.node_id)) return refusal;
      }
      std::string keys;
      for (const ConfigEdit& edit : change.edits) keys += (keys.empty() ? "" : ", ") + edit.key;
      return {KafkaError::invalid_config,
              "Cannot update these configs dynamically: Set(" + keys + "); the configuration file has them"};
    }
    default:
      return unsupported_resource(change.type);
  }
}

Result<Settings> applied(const ResourceChange& change, const Settings& current) {
  return edited(change.replace_all ? Settings{} : current, change.edits);
}

struct Pending {
  std::vector<ResourceChange> changes;
  std::size_t open = 1;  // one more than there are, so that answers that come at once do not finish it early
  std::move_only_function<void(std::vector<ResourceChange>)> done;

  void one_done() {
    if (--open == 0) done(std::move(changes));
  }
};

}  // namespace

Result<Settings> edited(Settings settings, const std::vector<ConfigEdit>& edits) {
  for (const ConfigEdit& edit : edits) {
    if (edit.operation == ConfigOperation::set) {
      settings[edit.key] = edit.value.value_or("");
      continue;
    }
    if (edit.operation == ConfigOperation::remove) {
      settings.erase(edit.key);
      continue;
    }
    const topics::ConfigKey* key = topics::find_config_key(edit.key);
    const bool append = edit.operation == ConfigOperation::append;
    if (key == nullptr || key->type != topics::ConfigType::list) {
      return fail(ErrorCode::invalid_argument, "",
                  "Can't " + std::string(append ? "APPEND" : "SUBTRACT") + " to key " + edit.key +
                      " because its type is not LIST.");
    }
    settings[edit.key] = changed_list(settings, *key, edit.value.value_or(""), append);
  }
  return settings;
}

void change_configs(Endpoint& endpoint, std::vector<ResourceChange> changes, bool validate_only,
                    std::move_only_function<void(std::vector<ResourceChange>)> done) {
  auto pending = std::make_shared<Pending>(Pending{.changes = std::move(changes), .open = 1, .done = std::move(done)});
  std::map<std::pair<std::int8_t, std::string_view>, int> times;
  for (const ResourceChange& change : pending->changes) ++times[{change.type, change.name}];
  const auto table = endpoint.table();
  for (std::size_t i = 0; i < pending->changes.size(); ++i) {
    ResourceChange& change = pending->changes[i];
    if (change.refusal) continue;
    if (times[{change.type, change.name}] > 1) {
      change.refusal = {KafkaError::invalid_request, "Each resource must appear at most once."};
      continue;
    }
    change.refusal = check_resource(change, endpoint.settings());
    if (change.refusal) continue;
    if (validate_only) {
      const topics::Topic* topic = table->find(change.name);
      if (topic == nullptr) {
        change.refusal = to_refusal(Error{ErrorCode::not_found, "", change.name});
        continue;
      }
      auto settings = applied(change, topic->config);
      const auto effective = settings ? topics::effective_config(endpoint.log().topic_defaults(), *settings)
                                      : std::unexpected(settings.error());
      if (!effective) change.refusal = to_refusal(effective.error());
      continue;
    }
    ++pending->open;
    endpoint.log().edit_config(
        change.name, [pending, i](const Settings& current) { return applied(pending->changes[i], current); },
        endpoint.executor(),
        [pending, i](const Result<std::shared_ptr<const topics::Topic>>& changed) {
          if (!changed) pending->changes[i].refusal = to_refusal(changed.error());
          pending->one_done();
        });
  }
  pending->one_done();
}

}  // namespace millrace::kafka

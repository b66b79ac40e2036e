#include "app/broker_config.h"

#include <algorithm>

namespace millrace::app {
namespace {

using kafka::BrokerConfigEntry;
using kafka::ConfigType;

ConfigType type_of(const config::Setting& row) {
  if (row.secret) return ConfigType::password;
  switch (row.kind) {
    case config::Kind::boolean:
      return ConfigType::boolean;
    case config::Kind::integer:
    case config::Kind::bytes:
    case config::Kind::duration:
      return row.range.max > std::numeric_limits<std::int32_t>::max() ? ConfigType::int64 : ConfigType::int32;
    default:
      return ConfigType::string;
  }
}

// Kafka's names for what has another one here, or is so by nature. A value of "" is taken from `key`.
struct Alias {
  std::string_view name;
  std::string_view key;
  std::string_view value;
  ConfigType type;
  std::string_view documentation;
};
constexpr Alias kAliases[] = {
    {"broker.id", "node.id", "", ConfigType::int32, "The same as node.id."},
    {"compression.type", "", "producer", ConfigType::string, "Batches stay as their producer compressed them."},
    {"default.replication.factor", "", "1", ConfigType::int32, "There is one node."},
    {"delete.topic.enable", "", "true", ConfigType::boolean, "Topics can be deleted."},
    {"log.dir", "data.dir", "", ConfigType::string, "The same as data.dir."},
    {"log.dirs", "data.dir", "", ConfigType::string, "The same as data.dir."},
    {"log.flush.interval.messages", "flush.messages", "", ConfigType::int64, "The same as flush.messages."},
    {"min.insync.replicas", "", "1", ConfigType::int32, "There is one node."},
    {"offsets.topic.replication.factor", "", "1", ConfigType::int16, "There is one node."},
    {"unclean.leader.election.enable", "", "false", ConfigType::boolean, "There is one node."},
};

}  // namespace

kafka::BrokerConfig broker_config(const Settings& settings) {
  const Settings defaults;
  kafka::BrokerConfig all;
  for (const config::Setting& row : settings_schema().rows()) {
    BrokerConfigEntry& entry = all.emplace_back();
    entry.name = row.key;
    entry.type = type_of(row);
    entry.documentation = row.sentence;
    entry.sensitive = row.secret;
    if (row.secret) continue;
    entry.value = config::plain_value(row, &settings);
    entry.default_value = config::plain_value(row, &defaults);
  }
  for (const Alias& alias : kAliases) {
    const auto same = [&](const BrokerConfigEntry& entry) { return entry.name == alias.name; };
    if (std::ranges::any_of(all, same)) continue;  // the schema has it by now
    BrokerConfigEntry entry{.name = std::string(alias.name),
                            .value = std::string(alias.value),
                            .default_value = std::string(alias.value),
                            .type = alias.type,
                            .documentation = std::string(alias.documentation)};
    for (const BrokerConfigEntry& other : all) {
      if (other.name != alias.key) continue;
      entry.value = other.value;
      entry.default_value = other.default_value;
    }
    all.push_back(std::move(entry));
  }
  std::ranges::sort(all, {}, &BrokerConfigEntry::name);
  return all;
}

}  // namespace millrace::app

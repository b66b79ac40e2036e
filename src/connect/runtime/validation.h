// Validation: whether a configuration is one a connector can be made from, key by key in Kafka's words. What PUT
// /connector-plugins/X/config/validate answers, and what every creation passes first.
#pragma once

#include <string>
#include <vector>

#include "connect/runtime/connector_class.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

/// The converters of sinks that name none; those of sources are StringConverters, so that a line stays as it is.
struct ConverterDefaults {
  std::string key = "org.apache.kafka.connect.storage.StringConverter";
  std::string value = "org.apache.kafka.connect.json.JsonConverter";
  bool value_schemas_enable = false;
};

struct Validation {
  ConnectorClass plugin;
  ConfigTable table;
  std::vector<ConfigValue> values;
  [[nodiscard]] std::vector<std::string> errors() const { return errors_of(values); }
};

/// `config` with references resolved.
Validation validate(const ConnectorClass& plugin, const ConnectorConfig& config);
/// Settings of a configuration that is valid, with the worker's converters where it names none.
Settings settings_of(const ConnectorClass& plugin, ConnectorConfig config, const ConverterDefaults& defaults);

/// The rows every connector of its kind has (ConnectorConfig, SinkConnectorConfig, SourceConnectorConfig) and its own.
ConfigTable rows_of(const ConnectorClass& plugin);

}  // namespace millrace::connect

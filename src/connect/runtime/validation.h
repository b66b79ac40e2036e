// Validation: whether a configuration is one a connector can be made from, key by key in Kafka's words. What PUT
// /connector-plugins/X/config/validate answers, and what every creation passes first.
#pragma once

#include <string>
#include <vector>

#include "connect/runtime/sink_class.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

/// The converters of connectors that name none.
struct ConverterDefaults {
  std::string key = "org.apache.kafka.connect.storage.StringConverter";
  std::string value = "org.apache.kafka.connect.json.JsonConverter";
  bool value_schemas_enable = false;
};

struct Validation {
  const SinkClass* sink_class = nullptr;
  ConfigTable table;
  std::vector<ConfigValue> values;
  [[nodiscard]] std::vector<std::string> errors() const { return errors_of(values); }
};

/// Requires a sink class. `config` with references resolved.
Validation validate(const SinkClass& sink_class, const ConnectorConfig& config);
/// Settings of a configuration that is valid, with the worker's converters where it names none.
Settings settings_of(const SinkClass& sink_class, ConnectorConfig config, const ConverterDefaults& defaults);

/// The rows every sink connector has (ConnectorConfig, SinkConnectorConfig).
ConfigRows connector_rows();

}  // namespace millrace::connect

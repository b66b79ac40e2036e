#include "connect/runtime/validation.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "connect/converters/converter.h"
#include "connect/transforms/transform.h"
#include "model/topic_partition.h"

namespace millrace::connect {
namespace {

using enum KeyType;
using enum Importance;

constexpr ConfigKey kRows[] = {
    {.name = "name",
     .required = true,
     .importance = high,
     .documentation = "Globally unique name to use for this connector.",
     .not_empty = true,
     .display_name = "Connector name"},
    {.name = "connector.class",
     .required = true,
     .importance = high,
     .documentation = "Name or alias of the class for this connector.",
     .not_empty = true,
     .display_name = "Connector class"},
    {.name = "tasks.max",
     .type = integer,
     .standard = "1",
     .importance = high,
     .documentation = "Maximum number of tasks to use for this connector. Partitions are dealt out to them.",
     .min = 1,
     .max = 1000,
     .display_name = "Tasks max"},
    {.name = "tasks.max.enforce",
     .type = boolean,
     .standard = "true",
     .importance = low,
     .documentation = "Accepted for compatibility: there are never more tasks than tasks.max."},
    {.name = "key.converter",
     .type = class_name,
     .importance = low,
     .documentation = "Converter of record keys; the worker's when missing.",
     .display_name = "Key converter class"},
    {.name = "value.converter",
     .type = class_name,
     .importance = low,
     .documentation = "Converter of record values; the worker's when missing.",
     .display_name = "Value converter class"},
    {.name = "header.converter",
     .type = class_name,
     .standard = "org.apache.kafka.connect.storage.SimpleHeaderConverter",
     .importance = low,
     .documentation = "Converter of record headers.",
     .display_name = "Header converter class"},
    {.name = "transforms",
     .type = list,
     .standard = "",
     .importance = low,
     .group = "Transforms",
     .documentation = "Aliases for the transformations to be applied to records."},
    {.name = "predicates",
     .type = list,
     .standard = "",
     .importance = low,
     .group = "Predicates",
     .documentation = "Aliases for the predicates used by transformations."},
    {.name = "config.action.reload",
     .standard = "restart",
     .importance = low,
     .documentation = "Accepted for compatibility.",
     .choices = "none, restart",
     .display_name = "Reload Action"},
    {.name = "errors.retry.timeout",
     .type = long_integer,
     .standard = "0",
     .group = "Error Handling",
     .documentation = "Accepted for compatibility: what a record fails with does not change by waiting, and an "
                      "unreachable destination is always tried again.",
     .min = -1,
     .display_name = "Retry Timeout for Errors"},
    {.name = "errors.retry.delay.max.ms",
     .type = long_integer,
     .standard = "60000",
     .group = "Error Handling",
     .documentation = "Accepted for compatibility.",
     .display_name = "Maximum Delay Between Retries for Errors"},
    {.name = "errors.tolerance",
     .standard = "none",
     .group = "Error Handling",
     .documentation = "'none' ends the task at the first record that cannot be delivered; 'all' gives such records up: "
                      "they go to the failure ledger and the dead letter topic.",
     .choices = "none, all",
     .display_name = "Error Tolerance"},
    {.name = "errors.log.enable",
     .type = boolean,
     .standard = "false",
     .group = "Error Handling",
     .documentation = "Whether every record that is given up is logged.",
     .display_name = "Log Errors"},
    {.name = "errors.log.include.messages",
     .type = boolean,
     .standard = "false",
     .group = "Error Handling",
     .documentation = "Accepted for compatibility: contents of records are never logged.",
     .display_name = "Log Error Details"},
};

constexpr ConfigKey kSinkRows[] = {
    {.name = "topics",
     .type = list,
     .standard = "",
     .importance = high,
     .documentation = "List of topics to consume, separated by commas"},
    {.name = "topics.regex",
     .standard = "",
     .importance = high,
     .documentation = "Regular expression giving topics to consume."},
    {.name = "errors.deadletterqueue.topic.name",
     .standard = "",
     .group = "Error Handling",
     .documentation = "The name of the topic for records that are given up.",
     .display_name = "Dead Letter Queue Topic Name"},
    {.name = "errors.deadletterqueue.topic.replication.factor",
     .type = integer,
     .standard = "3",
     .group = "Error Handling",
     .documentation = "Accepted for compatibility: there is one broker.",
     .display_name = "Dead Letter Queue Topic Replication Factor"},
    {.name = "errors.deadletterqueue.context.headers.enable",
     .type = boolean,
     .standard = "false",
     .group = "Error Handling",
     .documentation = "Whether dead letters get headers that tell where they failed and why.",
     .display_name = "Enable Error Context Headers"},
};

constexpr ConfigKey kSourceRows[] = {
    {.name = "exactly.once.support",
     .standard = "requested",
     .group = "Exactly Once Support",
     .documentation = "Accepted for compatibility: records and positions are always written in one atomic group.",
     .choices = "requested, required",
     .any_case = true},
    {.name = "transaction.boundary",
     .standard = "poll",
     .group = "Exactly Once Support",
     .documentation = "Accepted for compatibility: there is a group per poll.",
     .choices = "poll, interval, connector",
     .any_case = true},
};

void check_topics(const ConnectorConfig& config, std::vector<ConfigValue>& values) {
  const auto text = [&config](std::string_view key) {
    const auto found = config.find(key);
    return found == config.end() ? std::string() : found->second;
  };
  const auto topics = split_list(text("topics"));
  const std::string regex = text("topics.regex");
  // The words are SinkConnectorConfig.validate's.
  if (!topics.empty() && !regex.empty()) {
    const std::string both = "topics and topics.regex are mutually exclusive options, but both are set.";
    add_error(values, "topics", both);
    add_error(values, "topics.regex", both);
  } else if (topics.empty() && regex.empty()) {
    const std::string none = "Must configure one of topics or topics.regex";
    add_error(values, "topics", none);
    add_error(values, "topics.regex", none);
  }
  for (const std::string& topic : topics) {
    if (const auto valid = check_topic_name(topic); !valid) {
      add_error(values, "topics",
                fmt::format("Invalid value {} for configuration topics: {}", topic, valid.error().detail));
    }
  }
  if (!regex.empty() && !re2::RE2(regex, re2::RE2::Quiet).ok()) {
    add_error(values, "topics.regex",
              fmt::format("Invalid value {} for configuration topics.regex: Invalid regex", regex));
  }
  const std::string dead = text("errors.deadletterqueue.topic.name");
  if (!dead.empty() && std::ranges::count(topics, dead) != 0) {
    add_error(
        values, "errors.deadletterqueue.topic.name",
        fmt::format(
            "The DLQ topic '{}' may not be included in the list of topics (\"topics\"={}) consumed by the connector",
            dead, text("topics")));
  }
}

void add_converter_rows(const ConnectorConfig& config, ConfigTable& table, std::vector<ConfigValue>& problems) {
  for (const std::string_view key : {"key.converter", "value.converter", "header.converter"}) {
    const auto given = config.find(key);
    if (given == config.end()) continue;
    if (const ConverterClass* found = find_converter(given->second)) {
      table.add(std::string(key) + ".", found->rows, "Common");
    } else {
      const std::string_view known = missing_converter(given->second);
      const std::string why =
          known.empty() ? fmt::format("Class {} could not be found.", given->second) : std::string(known);
      problems.push_back({std::string(key),
                          given->second,
                          {fmt::format("Invalid value {} for configuration {}: {}", given->second, key, why)}});
    }
  }
}

}  // namespace

ConfigTable rows_of(const ConnectorClass& plugin) {
  ConfigTable table;
  table.add(kRows).add(plugin.sink() != nullptr ? ConfigRows(kSinkRows) : ConfigRows(kSourceRows)).add(plugin.rows());
  return table;
}

void add_error(std::vector<ConfigValue>& values, std::string_view key, std::string error) {
  const auto found = std::ranges::find(values, key, &ConfigValue::name);
  if (found != values.end()) {
    found->errors.push_back(std::move(error));
  } else {
    values.push_back({std::string(key), std::nullopt, {std::move(error)}});
  }
}

Validation validate(const ConnectorClass& plugin, const ConnectorConfig& config) {
  Validation result{.plugin = plugin, .table = rows_of(plugin), .values = {}};
  std::vector<ConfigValue> problems;
  add_converter_rows(config, result.table, problems);
  add_transform_rows(config, result.table, problems);
  result.values = check(result.table, config);
  for (ConfigValue& problem : problems) {
    for (std::string& error : problem.errors) add_error(result.values, problem.name, std::move(error));
  }
  if (plugin.sink() != nullptr) check_topics(config, result.values);
  if (!result.errors().empty()) return result;  // what follows needs values that can be read
  const Settings settings(result.table, config);
  plugin.check(settings, result.values);
  if (auto chain = TransformChain::make(settings); !chain) {
    add_error(result.values, "transforms", chain.error().message());
  }
  return result;
}

Settings settings_of(const ConnectorClass& plugin, ConnectorConfig config, const ConverterDefaults& defaults) {
  config.try_emplace("key.converter", defaults.key);
  if (plugin.source() != nullptr) {
    config.try_emplace("value.converter", defaults.key);
  } else if (config.try_emplace("value.converter", defaults.value).second) {
    config["value.converter.schemas.enable"] = defaults.value_schemas_enable ? "true" : "false";
  }
  ConfigTable table = rows_of(plugin);
  std::vector<ConfigValue> problems;
  add_converter_rows(config, table, problems);
  add_transform_rows(config, table, problems);
  return {std::move(table), std::move(config)};
}

}  // namespace millrace::connect

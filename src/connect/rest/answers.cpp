#include "connect/rest/answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/converters/converter.h"
#include "connect/transforms/transform.h"

namespace millrace::connect {

using net::http::Response;

Response error_answer(int status, std::string_view message) {
  return Response::json(
      status, JsonWriter().begin_object().member("error_code", status).member("message", message).end_object().take());
}

Response error_answer(const Error& error) {
  return error_answer(net::http::status_of(error.code), error.message());
}

Response empty_answer(int status) {
  return Response{status, "application/json", {}, ""};
}

void write_config(JsonWriter& json, const ConnectorConfig& config) {
  json.begin_object();
  for (const auto& [key, value] : config) json.member(key, value);
  json.end_object();
}

void write_info(JsonWriter& json, const Connector& connector) {
  json.begin_object().member("name", connector.name).key("config");
  write_config(json, connector.config);
  json.key("tasks").begin_array();
  for (std::size_t i = 0; i < connector.statuses.size(); ++i) {
    json.begin_object().member("connector", connector.name).member("task", i).end_object();
  }
  json.end_array().member("type", "sink").end_object();
}

void write_task_state(JsonWriter& json, const TaskStatus& status, std::size_t id, const std::string& worker_id) {
  json.begin_object().member("id", id).member("state", to_string(status.state)).member("worker_id", worker_id);
  if (!status.trace.empty()) json.member("trace", status.trace);
  json.end_object();
}

void write_status(JsonWriter& json, const Connector& connector, const std::string& worker_id) {
  json.begin_object().member("name", connector.name).key("connector").begin_object();
  json.member("state", to_string(connector.state)).member("worker_id", worker_id);
  if (!connector.trace.empty()) json.member("trace", connector.trace);
  json.end_object().key("tasks").begin_array();
  for (std::size_t i = 0; i < connector.statuses.size(); ++i)
    write_task_state(json, connector.statuses[i], i, worker_id);
  json.end_array().member("type", "sink").end_object();
}

void write_definition(JsonWriter& json, const ConfigKey& key, std::size_t order) {
  json.begin_object()
      .member("name", key.name)
      .member("type", to_string(key.type))
      .member("required", key.required)
      .key("default_value");
  if (key.standard && key.type != KeyType::password) {
    json.value(*key.standard);
  } else {
    json.null();
  }
  json.member("importance", to_string(key.importance))
      .member("documentation", key.documentation)
      .member("group", key.group)
      .member("width", "MEDIUM")
      .member("display_name", key.display_name.empty() ? key.name : key.display_name)
      .key("dependents")
      .begin_array()
      .end_array()
      .member("order", order)
      .end_object();
}

std::string validation_answer(const Validation& validation) {
  std::vector<std::string_view> groups;
  for (const ConfigKey& row : validation.table.rows()) {
    if (std::ranges::count(groups, row.group) == 0) groups.push_back(row.group);
  }
  JsonWriter json;
  json.begin_object()
      .member("name", validation.sink_class->class_name)
      .member("error_count", std::ranges::count_if(validation.values, [](const auto& v) { return !v.errors.empty(); }))
      .key("groups")
      .begin_array();
  for (const std::string_view group : groups) json.value(group);
  json.end_array().key("configs").begin_array();
  std::size_t order = 0;
  for (const ConfigValue& value : validation.values) {
    json.begin_object().key("definition");
    const ConfigKey* row = validation.table.find(value.name);
    if (row != nullptr) {
      write_definition(json, *row, ++order);
    } else {
      json.null();
    }
    json.key("value").begin_object().member("name", value.name).key("value");
    // What a reference of a config provider stands for stays here.
    if (row != nullptr && row->type == KeyType::password && value.value && !value.value->empty()) {
      json.value("[hidden]");
    } else {
      json.value(value.value);
    }
    json.key("recommended_values").begin_array();
    if (row != nullptr) {
      for (const std::string& choice : split_list(row->choices)) json.value(choice);
    }
    json.end_array().key("errors").begin_array();
    for (const std::string& error : value.errors) json.value(error);
    json.end_array().member("visible", true).end_object().end_object();
  }
  return json.end_array().end_object().take();
}

std::string invalid_config_text(const std::vector<std::string>& errors) {
  return fmt::format(
      "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above "
      "list "
      "of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`",
      errors.size(), fmt::join(errors, "\n"));
}

std::string plugins_answer(bool connectors_only, std::string_view version) {
  JsonWriter json;
  json.begin_array();
  const auto add = [&json](std::string_view name, std::string_view type, std::string_view plugin_version) {
    json.begin_object().member("class", name).member("type", type).member("version", plugin_version).end_object();
  };
  for (const SinkClass* row : sink_classes()) add(row->class_name, "sink", row->version);
  if (!connectors_only) {
    for (const ConverterClass& row : converter_classes()) add(row.class_name, row.type, version);
    for (const TransformClass& row : transform_classes()) add(row.class_name, "transformation", version);
    for (const PredicateClass& row : predicate_classes()) add(row.class_name, "predicate", version);
  }
  return json.end_array().take();
}

}  // namespace millrace::connect

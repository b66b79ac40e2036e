#include "connect/rest/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "codec/base64.h"
#include "connect/converters/converter.h"
#include "connect/transforms/transform.h"
#include "sql/json_scan.h"
#include "topics/batch_records.h"

namespace millrace::connect {

using net::http::Response;

namespace {

std::string_view type_of(const Connector& connector) {
  const auto plugin = connector.plugin();
  return plugin ? plugin->type() : "unknown";
}

bool is_utf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const bool ascii = static_cast<unsigned char>(text[i]) < 0x80;
    const std::size_t size = ascii ? 1 : sql::utf8_sequence(text.data() + i);  // stops at the text's NUL
    if (size == 0) return false;
    i += size;
  }
  return true;
}

}  // namespace

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
  json.end_array().member("type", type_of(connector)).end_object();
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
  json.end_array().member("type", type_of(connector)).end_object();
}

void write_failure(JsonWriter& json, const LedgerKey& key, const LedgerEntry& entry) {
  json.member("topic", key.partition.topic).member("partition", key.partition.partition.value());
  json.member("offset", key.offset.value()).member("stage", entry.stage).member("error_class", entry.error_class);
  json.member("message", entry.message).member("first_seen_ms", entry.first_ms);
  json.member("last_seen_ms", entry.last_ms).member("count", entry.count);
}

void write_record(JsonWriter& json, const std::optional<SharedBytes>& batch) {
  const auto bytes = [&json](const std::optional<ByteView>& value) {
    if (!value) {
      json.null();
    } else if (is_utf8(std::string(as_text(*value)))) {
      json.value(as_text(*value));
    } else {
      json.begin_object().member("base64", to_base64(*value)).end_object();
    }
  };
  bool written = false;
  topics::BatchRecords records;
  if (batch) {
    static_cast<void>(records.visit(batch->view(), Offset(0), [&](const ReadRecord& read) {
      if (std::exchange(written, true)) return;
      json.begin_object().member("timestamp_ms", read.record.timestamp_ms).key("key");
      bytes(read.record.key);
      json.key("value");
      bytes(read.record.value);
      json.key("headers").begin_array();
      for (const RecordHeader& header : read.record.headers) {
        json.begin_object().member("key", header.key).key("value");
        bytes(header.value);
        json.end_object();
      }
      json.end_array().end_object();
    }));
  }
  if (!written) json.null();
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
      .member("name", validation.plugin.name())
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
  for (const ConnectorClass& one : connector_classes()) add(one.name(), one.type(), one.version());
  if (!connectors_only) {
    for (const ConverterClass& row : converter_classes()) add(row.class_name, row.type, version);
    for (const TransformClass& row : transform_classes()) add(row.class_name, "transformation", version);
    for (const PredicateClass& row : predicate_classes()) add(row.class_name, "predicate", version);
  }
  return json.end_array().take();
}

}  // namespace millrace::connect

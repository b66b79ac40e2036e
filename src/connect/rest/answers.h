// Answers: JSON of connectors, tasks, statuses and plugins as Kafka Connect's entities have it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "connect/json_writer.h"
#include "connect/runtime/connector.h"
#include "connect/runtime/failure_ledger.h"
#include "connect/runtime/validation.h"
#include "net/http/message.h"

namespace millrace::connect {

/// {"error_code": 404, "message": "..."}
net::http::Response error_answer(int status, std::string_view message);
/// Our errors in the interface's terms.
net::http::Response error_answer(const Error& error);
net::http::Response empty_answer(int status);

/// ConnectorInfo: {name, config, tasks, type}
void write_info(JsonWriter& json, const Connector& connector);
/// ConnectorStateInfo: {name, connector, tasks, type}
void write_status(JsonWriter& json, const Connector& connector, const std::string& worker_id);
/// ConnectorStateInfo.TaskState
void write_task_state(JsonWriter& json, const TaskStatus& status, std::size_t id, const std::string& worker_id);
void write_config(JsonWriter& json, const ConnectorConfig& config);
/// ConfigInfos: {name, error_count, groups, configs}
std::string validation_answer(const Validation& validation);
/// The members of a ledger entry.
void write_failure(JsonWriter& json, const LedgerKey& key, const LedgerEntry& entry);
/// The first record of a batch: key, value and headers as text, or as {"base64": ...} where they are none; null: the
/// record is gone.
void write_record(JsonWriter& json, const std::optional<SharedBytes>& batch);
/// One ConfigKeyInfo, the "definition".
void write_definition(JsonWriter& json, const ConfigKey& key, std::size_t order);
/// The text of a 400 for a configuration with these errors.
std::string invalid_config_text(const std::vector<std::string>& errors);
/// PluginInfos of all plugins, or of connectors only.
std::string plugins_answer(bool connectors_only, std::string_view version);

}  // namespace millrace::connect

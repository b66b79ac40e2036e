#include "connect/sinks/postgres/postgres_settings.h"

#include "connect/runtime/sink_class.h"
#include "connect/settings/destination_url.h"

namespace millrace::connect::postgres {

std::optional<std::map<std::string, std::string>> parse_url(std::string_view url) {
  if (url.starts_with("jdbc:")) url.remove_prefix(5);
  if (!url.starts_with("postgresql://")) return std::nullopt;
  url.remove_prefix(13);
  std::map<std::string, std::string> parameters;
  const auto question = url.find('?');
  std::string_view options = question == std::string_view::npos ? std::string_view() : url.substr(question + 1);
  url = url.substr(0, question);
  const auto slash = url.find('/');
  const std::string_view authority = url.substr(0, slash);
  if (slash != std::string_view::npos) parameters["dbname"] = url.substr(slash + 1);
  const auto colon = authority.rfind(':');
  parameters["host"] = authority.substr(0, colon);
  parameters["port"] = colon == std::string_view::npos ? "5432" : authority.substr(colon + 1);
  for (const std::string_view name : {"sslmode", "sslrootcert", "user", "password"}) {
    const std::string key = std::string(name) + "=";
    const auto at = options.find(key);
    if (at == std::string_view::npos) continue;
    const std::string_view value = options.substr(at + key.size());
    parameters[std::string(name)] = value.substr(0, value.find('&'));
  }
  return parameters["host"].empty() || parameters["host"].starts_with('/') ? std::nullopt : std::optional(parameters);
}

void check_settings(const Settings& settings, std::vector<ConfigValue>& values) {
  const auto url = parse_url(settings.text("connection.url"));
  const auto fault = url ? url_fault("http://" + url->at("host")) : std::nullopt;
  if (!url || fault) {
    add_error(values, "connection.url",
              "Invalid value for configuration connection.url: " +
                  fault.value_or("expected jdbc:postgresql://host:port/database"));
  }
  const std::string pk = settings.choice("pk.mode");
  if (settings.choice("insert.mode") == "upsert" && pk == "none") {
    add_error(values, "pk.mode", "Primary key mode must be set when 'insert.mode' is 'upsert'");
  }
  if (settings.flag("delete.enabled") && pk != "record_key") {
    add_error(values, "delete.enabled", "Primary key mode must be 'record_key' when delete support is enabled");
  }
  if (pk == "record_value" && settings.list("pk.fields").empty()) {
    add_error(values, "pk.fields", "'pk.fields' must name the key's columns when 'pk.mode' is 'record_value'");
  }
}

}  // namespace millrace::connect::postgres

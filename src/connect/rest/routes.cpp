#include "connect/rest/routes.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "connect/rest/answers.h"
#include "connect/rest/failure_routes.h"
#include "connect/rest/logger_routes.h"
#include "connect/rest/requests.h"

namespace millrace::connect {
namespace {

using net::http::Request;
using net::http::Responder;
using net::http::Response;

constexpr const char* kAltered = "The offsets for this connector have been altered successfully";
constexpr const char* kReset = "The offsets for this connector have been reset successfully";

bool is_source(const Connector& connector) {
  const auto plugin = connector.plugin();
  return plugin && plugin->source() != nullptr;
}

class Rest {
 public:
  explicit Rest(RestSubject subject) : subject_(std::move(subject)) {}

  void root(const Request&, const Answer& answer) {
    answer->respond(Response::json(200, JsonWriter()
                                            .begin_object()
                                            .member("version", subject_.version)
                                            .member("commit", subject_.commit)
                                            .member("kafka_cluster_id", subject_.kafka_cluster_id)
                                            .end_object()
                                            .take()));
  }

  void health(const Request&, const Answer& answer) {
    const bool ready = worker().is_open();
    answer->respond(
        Response::json(ready ? 200 : 503,
                       JsonWriter()
                           .begin_object()
                           .member("status", ready ? "healthy" : "starting")
                           .member("message", ready ? "Worker has completed startup and is ready to handle requests."
                                                    : "Worker is still starting up.")
                           .end_object()
                           .take()));
  }

  void list(const Request& request, const Answer& answer) {
    bool status = false;
    bool info = false;
    for (const auto& [key, value] : request.query) {
      if (key == "expand" && value == "status") status = true;
      if (key == "expand" && value == "info") info = true;
    }
    const bool expanded = request.query_value("expand") != nullptr;
    JsonWriter json;
    expanded ? json.begin_object() : json.begin_array();
    for (const auto& [name, connector] : worker().connectors()) {
      if (!expanded) {
        json.value(name);
        continue;
      }
      json.key(name).begin_object();
      if (status) {
        json.key("status");
        write_status(json, connector, worker_id());
      }
      if (info) {
        json.key("info");
        write_info(json, connector);
      }
      json.end_object();
    }
    expanded ? json.end_object() : json.end_array();
    answer->respond(Response::json(200, json.take()));
  }

  void create(const Request& request, const Answer& answer) {
    auto read = read_create_request(request.body);
    if (!read) return answer->respond(error_answer(400, read.error().message()));
    if (read->config.empty())
      return answer->respond(error_answer(400, "Connector config {} contains no connector type"));
    if (auto refused = check_name(read->name, read->config)) return answer->respond(std::move(*refused));
    if (worker().find(read->name) != nullptr || creating_.contains(read->name)) {
      return answer->respond(error_answer(409, fmt::format("Connector {} already exists", read->name)));
    }
    put(read->name, std::move(read->config), read->initial_state, answer);
  }

  void info(const Connector& connector, const Request&, const Answer& answer) {
    JsonWriter json;
    write_info(json, connector);
    answer->respond(Response::json(200, json.take()));
  }
  void config(const Connector& connector, const Request&, const Answer& answer) {
    JsonWriter json;
    write_config(json, connector.config);
    answer->respond(Response::json(200, json.take()));
  }
  void status(const Connector& connector, const Request&, const Answer& answer) {
    JsonWriter json;
    write_status(json, connector, worker_id());
    answer->respond(Response::json(200, json.take()));
  }
  void tasks(const Connector& connector, const Request&, const Answer& answer) {
    JsonWriter json;
    json.begin_array();
    for (std::size_t i = 0; i < connector.statuses.size(); ++i) {
      json.begin_object().key("id").begin_object().member("connector", connector.name).member("task", i).end_object();
      json.key("config");
      ConnectorConfig task_config = connector.config;
      task_config["task.class"] = "millrace";
      write_config(json, task_config);
      json.end_object();
    }
    answer->respond(Response::json(200, json.end_array().take()));
  }
  void task_status(const Connector& connector, const Request& request, const Answer& answer) {
    const auto number = task_number(connector, request);
    if (!number) {
      return answer->respond(
          error_answer(404, fmt::format("No status found for task {}-{}", connector.name, request.parameter("task"))));
    }
    JsonWriter json;
    write_task_state(json, connector.statuses[*number], *number, worker_id());
    answer->respond(Response::json(200, json.take()));
  }

  void put_config(const Request& request, const Answer& answer) {
    auto read = read_config(request.body);
    if (!read) return answer->respond(error_answer(400, read.error().message()));
    const std::string name(request.parameter("name"));
    if (auto refused = check_name(name, *read)) return answer->respond(std::move(*refused));
    put(name, std::move(*read), std::nullopt, answer);
  }
  void patch_config(const Connector& connector, const Request& request, const Answer& answer) {
    auto patch = read_config_patch(request.body);
    if (!patch) return answer->respond(error_answer(400, patch.error().message()));
    ConnectorConfig merged = connector.config;
    for (const auto& [key, value] : *patch) {
      if (value) {
        merged[key] = *value;
      } else {
        merged.erase(key);
      }
    }
    if (auto refused = check_name(connector.name, merged)) return answer->respond(std::move(*refused));
    put(connector.name, std::move(merged), std::nullopt, answer);
  }

  void remove(const Connector& connector, const Request&, const Answer& answer) {
    worker().remove(connector.name, done(answer, 204));
  }
  void pause(const Connector& connector, const Request&, const Answer& answer) {
    worker().set_target(connector.name, TargetState::paused, done(answer, 202));
  }
  void resume(const Connector& connector, const Request&, const Answer& answer) {
    worker().set_target(connector.name, TargetState::started, done(answer, 202));
  }
  void stop(const Connector& connector, const Request&, const Answer& answer) {
    worker().set_target(connector.name, TargetState::stopped, done(answer, 204));
  }
  void restart(const Connector& connector, const Request& request, const Answer& answer) {
    const auto flag = [&request](std::string_view name) {
      const std::string* value = request.query_value(name);
      return value != nullptr && lower_case(*value) == "true";
    };
    const bool with_tasks = flag("includeTasks");
    const bool only_failed = flag("onlyFailed");
    worker().restart(connector.name, with_tasks, only_failed);
    if (!with_tasks && !only_failed) return answer->respond(empty_answer(204));
    JsonWriter json;
    write_status(json, connector, worker_id());
    answer->respond(Response::json(202, json.take()));
  }
  void restart_task(const Connector& connector, const Request& request, const Answer& answer) {
    const auto number = task_number(connector, request);
    if (!number) {
      return answer->respond(
          error_answer(404, fmt::format("Unknown task: {}-{}", connector.name, request.parameter("task"))));
    }
    worker().restart_task(connector.name, *number);
    answer->respond(empty_answer(204));
  }

  void topics(const Connector& connector, const Request&, const Answer& answer) {
    JsonWriter json;
    json.begin_object().key(connector.name).begin_object().key("topics").begin_array();
    for (const std::string& topic : connector.topics) json.value(topic);
    answer->respond(Response::json(200, json.end_array().end_object().end_object().take()));
  }
  void reset_topics(const Connector& connector, const Request&, const Answer& answer) {
    worker().reset_topics(connector.name);
    answer->respond(empty_answer(202));
  }

  void offsets(const Connector& connector, const Request&, const Answer& answer) {
    if (is_source(connector)) {
      JsonWriter json;
      json.begin_object().key("offsets").begin_array();
      for (const auto& [partition, offset] : worker().source_offsets(connector.name)) {
        json.begin_object().key("partition").raw(partition).key("offset").raw(offset).end_object();
      }
      return answer->respond(Response::json(200, json.end_array().end_object().take()));
    }
    worker().offsets(connector.name, [answer](auto fetched) {
      if (!fetched) return answer->respond(error_answer(fetched.error()));
      JsonWriter json;
      json.begin_object().key("offsets").begin_array();
      for (const auto& [partition, committed] : *fetched) {
        json.begin_object().key("partition").begin_object();
        json.member("kafka_topic", partition.topic).member("kafka_partition", partition.partition.value());
        json.end_object().key("offset").begin_object().member("kafka_offset", committed.offset.value());
        json.end_object().end_object();
      }
      answer->respond(Response::json(200, json.end_array().end_object().take()));
    });
  }
  void alter_source_offsets(const Connector& connector, const Request& request, const Answer& answer) {
    auto wanted = read_source_offsets(request.body);
    if (!wanted) return answer->respond(error_answer(400, wanted.error().message()));
    if (auto refused = check_stopped(connector)) return answer->respond(std::move(*refused));
    const SourceClass& source = *connector.plugin()->source();
    for (const auto& [partition, offset] : *wanted) {
      if (!offset || source.check_position == nullptr) continue;
      const std::string fault = source.check_position(settings_of(source, connector.config, {}), partition, *offset);
      if (!fault.empty()) return answer->respond(error_answer(400, fault));
    }
    worker().alter_source_offsets(connector.name, std::move(*wanted), message(answer, kAltered));
  }
  void alter_offsets(const Connector& connector, const Request& request, const Answer& answer) {
    if (is_source(connector)) return alter_source_offsets(connector, request, answer);
    auto wanted = read_offsets(request.body);
    if (!wanted) return answer->respond(error_answer(400, wanted.error().message()));
    if (auto refused = check_stopped(connector)) return answer->respond(std::move(*refused));
    worker().alter_offsets(connector.name, std::move(*wanted), false, message(answer, kAltered));
  }
  void reset_offsets(const Connector& connector, const Request&, const Answer& answer) {
    if (auto refused = check_stopped(connector)) return answer->respond(std::move(*refused));
    if (is_source(connector)) return worker().alter_source_offsets(connector.name, {}, message(answer, kReset));
    worker().alter_offsets(connector.name, {}, true, message(answer, kReset));
  }

  // Ours, not Kafka Connect's: the ledger of records that were given up.
  void failures(const Connector& connector, const Request& request, const Answer& answer) {
    answer_failures(worker(), connector, request, answer);
  }
  void failure(const Connector& connector, const Request& request, const Answer& answer) {
    answer_failure(worker(), connector, request, answer);
  }
  void replay_failures(const Connector& connector, const Request& request, const Answer& answer) {
    answer_replay(worker(), connector, request, answer);
  }

  void plugins(const Request& request, const Answer& answer) {
    const std::string* only = request.query_value("connectorsOnly");
    answer->respond(
        Response::json(200, plugins_answer(only == nullptr || lower_case(*only) != "false", subject_.version)));
  }
  void plugin_config(const Request& request, const Answer& answer) {
    const std::string name(request.parameter("plugin"));
    ConfigTable table;
    if (const auto plugin = find_connector_class(name)) {
      table = rows_of(*plugin);
    } else if (const ConverterClass* converter = find_converter(name)) {
      table.add(converter->rows);
    } else if (const TransformClass* transform = find_transform(name)) {
      table.add(transform->rows);
    } else if (const PredicateClass* predicate = find_predicate(name)) {
      table.add(predicate->rows);
    } else {
      return answer->respond(error_answer(404, fmt::format("Unknown plugin {}.", name)));
    }
    JsonWriter json;
    json.begin_array();
    std::size_t order = 0;
    for (const ConfigKey& row : table.rows()) write_definition(json, row, ++order);
    answer->respond(Response::json(200, json.end_array().take()));
  }
  void validate(const Request& request, const Answer& answer) {
    const std::string plugin(request.parameter("plugin"));
    auto read = read_config(request.body);
    if (!read) return answer->respond(error_answer(400, read.error().message()));
    const auto named = read->find("connector.class");
    if (named == read->end()) {
      return answer->respond(error_answer(400, "Connector config contains no connector type"));
    }
    const auto by_path = find_connector_class(plugin);
    const auto by_name = find_connector_class(named->second);
    if (!named->second.ends_with(plugin) && (!by_path || !by_name || by_path->name() != by_name->name())) {
      return answer->respond(error_answer(
          400, fmt::format("Included connector type {} does not match request type {}", named->second, plugin)));
    }
    const auto validation = worker().validate(named->second, *read);
    if (!validation) return answer->respond(unknown_class(named->second, validation.error()));
    answer->respond(Response::json(200, validation_answer(*validation)));
  }

  [[nodiscard]] Worker& worker() { return subject_.worker; }

 private:
  [[nodiscard]] const std::string& worker_id() { return worker().settings().worker_id; }

  static std::optional<std::size_t> task_number(const Connector& connector, const Request& request) {
    const std::string_view text = request.parameter("task");
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number >= connector.statuses.size())
      return std::nullopt;
    return number;
  }
  static Worker::Done done(const Answer& answer, int status) {
    return [answer, status](Result<void> result) {
      answer->respond(result ? empty_answer(status) : error_answer(result.error()));
    };
  }
  static Worker::Done message(const Answer& answer, std::string text) {
    return [answer, text = std::move(text)](Result<void> result) {
      answer->respond(result
                          ? Response::json(200, JsonWriter().begin_object().member("message", text).end_object().take())
                          : error_answer(result.error()));
    };
  }
  static std::optional<Response> check_stopped(const Connector& connector) {
    if (connector.target == TargetState::stopped && !connector.ending) return std::nullopt;
    return error_answer(400,
                        "Connectors must be in the STOPPED state before their offsets can be modified. This can be "
                        "done for the specified connector by issuing a 'PUT' request to the '/connectors/" +
                            connector.name + "/stop' endpoint");
  }
  static Response unknown_class(const std::string& name, const Error& error) {
    if (error.context != std::string_view("no such plugin")) return error_answer(400, error.message());
    std::string known;
    for (const ConnectorClass& one : connector_classes())
      known += (known.empty() ? "" : ", ") + std::string(one.name());
    return error_answer(400,
                        fmt::format("Failed to find any class that implements Connector and which name matches {}, "
                                    "available connectors are: {}",
                                    name, known));
  }

  /// Completes config["name"], or says why the name will not do.
  static std::optional<Response> check_name(const std::string& name, ConnectorConfig& config) {
    const auto [given, fresh] = config.try_emplace("name", name);
    if (!fresh && given->second != name) {
      return error_answer(400,
                          fmt::format("Connector name configuration ({}) doesn't match connector name in the URL ({})",
                                      given->second, name));
    }
    for (const char c : name) {
      if (static_cast<unsigned char>(c) < ' ')
        return error_answer(400, "Connector name may not contain control characters");
    }
    return std::nullopt;
  }

  void put(const std::string& name, ConnectorConfig config, std::optional<TargetState> initial, const Answer& answer) {
    const auto named = config.find("connector.class");
    if (named == config.end()) return answer->respond(error_answer(400, "Connector config contains no connector type"));
    const auto errors = worker().errors_of(config);
    if (!errors) return answer->respond(unknown_class(named->second, errors.error()));
    if (!errors->empty()) return answer->respond(error_answer(400, invalid_config_text(*errors)));
    const bool created = worker().find(name) == nullptr;
    if (created) creating_.insert(name);
    worker().put(name, std::move(config), initial, [this, name, created, answer](Result<void> result) {
      if (created) creating_.erase(name);
      const Connector* connector = worker().find(name);
      if (!result || connector == nullptr) {
        return answer->respond(result ? error_answer(500, "the connector is gone") : error_answer(result.error()));
      }
      JsonWriter json;
      write_info(json, *connector);
      Response response = Response::json(created ? 201 : 200, json.take());
      if (created) response.headers.emplace_back("Location", "/connectors/" + name);
      answer->respond(std::move(response));
    });
  }

  RestSubject subject_;
  std::set<std::string> creating_;  // asked for, not on disk yet
};

}  // namespace

void add_routes(net::http::Router& router, RestSubject subject) {
  add_logger_routes(router, subject.worker.clock());
  const auto rest = std::make_shared<Rest>(std::move(subject));
  using Plain = void (Rest::*)(const Request&, const Answer&);
  const auto plain = [&](std::string_view method, std::string_view pattern, Plain handle, bool needs_worker = true) {
    router.add(method, pattern, [rest, handle, needs_worker](Request request, Responder responder) {
      const auto answer = std::make_shared<Responder>(std::move(responder));
      if (needs_worker && !rest->worker().is_open())
        return answer->respond(error_answer(503, "Worker is still starting up."));
      ((*rest).*handle)(request, answer);
    });
  };
  using OfConnector = void (Rest::*)(const Connector&, const Request&, const Answer&);
  const auto of_connector = [&](std::string_view method, std::string_view suffix, std::string_view unknown,
                                OfConnector handle) {
    router.add(
        method, "/connectors/{name}" + std::string(suffix),
        [rest, handle, unknown](Request request, Responder responder) {
          const auto answer = std::make_shared<Responder>(std::move(responder));
          if (!rest->worker().is_open()) return answer->respond(error_answer(503, "Worker is still starting up."));
          const Connector* connector = rest->worker().find(request.parameter("name"));
          if (connector == nullptr) {
            return answer->respond(error_answer(404, fmt::format(fmt::runtime(unknown), request.parameter("name"))));
          }
          ((*rest).*handle)(*connector, request, answer);
        });
  };
  plain("GET", "/", &Rest::root, false);
  plain("GET", "/health", &Rest::health, false);
  plain("GET", "/connectors", &Rest::list);
  plain("POST", "/connectors", &Rest::create);
  plain("PUT", "/connectors/{name}/config", &Rest::put_config);
  plain("GET", "/connector-plugins", &Rest::plugins);
  plain("GET", "/connector-plugins/{plugin}/config", &Rest::plugin_config);
  plain("PUT", "/connector-plugins/{plugin}/config/validate", &Rest::validate);
  constexpr std::string_view kNotFound = "Connector {} not found";
  constexpr std::string_view kNoStatus = "No status found for connector {}";
  constexpr std::string_view kUnknown = "Unknown connector {}";
  constexpr std::string_view kUnknownColon = "Unknown connector: {}";
  of_connector("GET", "", kNotFound, &Rest::info);
  of_connector("DELETE", "", kNotFound, &Rest::remove);
  of_connector("GET", "/config", kNotFound, &Rest::config);
  of_connector("PATCH", "/config", kNotFound, &Rest::patch_config);
  of_connector("GET", "/status", kNoStatus, &Rest::status);
  of_connector("GET", "/tasks", kNotFound, &Rest::tasks);
  of_connector("GET", "/tasks/{task}/status", "No status found for task {}", &Rest::task_status);
  of_connector("POST", "/tasks/{task}/restart", kUnknownColon, &Rest::restart_task);
  of_connector("POST", "/restart", kUnknownColon, &Rest::restart);
  of_connector("PUT", "/pause", kUnknown, &Rest::pause);
  of_connector("PUT", "/resume", kUnknown, &Rest::resume);
  of_connector("PUT", "/stop", kUnknown, &Rest::stop);
  of_connector("GET", "/topics", kNotFound, &Rest::topics);
  of_connector("PUT", "/topics/reset", kNotFound, &Rest::reset_topics);
  of_connector("GET", "/offsets", kNotFound, &Rest::offsets);
  of_connector("PATCH", "/offsets", kNotFound, &Rest::alter_offsets);
  of_connector("DELETE", "/offsets", kNotFound, &Rest::reset_offsets);
  of_connector("GET", "/failures", kNotFound, &Rest::failures);
  of_connector("GET", "/failures/{topic}/{partition}/{offset}", kNotFound, &Rest::failure);
  of_connector("POST", "/failures/replay", kNotFound, &Rest::replay_failures);
}

}  // namespace millrace::connect

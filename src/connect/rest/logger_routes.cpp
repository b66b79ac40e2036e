#include "connect/rest/logger_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/log.h"
#include "connect/json_members.h"
#include "connect/rest/answers.h"

namespace millrace::connect {
namespace {

using net::http::Request;
using net::http::Response;

constexpr std::string_view kRoot = "root";

struct LevelName {
  std::string_view name;  // Log4j's
  log::Level level;
};
/// The first name of a level is the one that is shown.
constexpr LevelName kLevels[] = {
    {"DEBUG", log::Level::debug}, {"TRACE", log::Level::debug}, {"ALL", log::Level::debug},
    {"INFO", log::Level::info},   {"WARN", log::Level::warn},   {"ERROR", log::Level::error},
    {"FATAL", log::Level::error}, {"OFF", log::Level::off},
};

std::string_view level_now() {
  const auto* found = std::ranges::find_if(kLevels, [](const LevelName& one) { return log::enabled(one.level); });
  return found == std::end(kLevels) ? "OFF" : found->name;
}

class Loggers {
 public:
  explicit Loggers(const Clock& clock) : clock_(clock) {}

  [[nodiscard]] Response all() const {
    JsonWriter json;
    json.begin_object().key(kRoot);
    write(json);
    return Response::json(200, json.end_object().take());
  }
  [[nodiscard]] Response one(const Request& request) const {
    if (request.parameter("logger") != kRoot) return unknown(request);
    JsonWriter json;
    write(json);
    return Response::json(200, json.take());
  }
  Response set(const Request& request) {
    sql::JsonDocument document;
    document.parse(request.body);
    const std::string wanted = member_text(root_of(document), "level");
    if (wanted.empty()) return error_answer(400, "Desired 'level' parameter was not specified in request.");
    const std::string lower = lower_case(wanted);
    const auto* level =
        std::ranges::find_if(kLevels, [&](const LevelName& one) { return lower_case(one.name) == lower; });
    if (level == std::end(kLevels)) return error_answer(404, fmt::format("invalid log level '{}'.", wanted));
    if (request.parameter("logger") != kRoot) return unknown(request);
    log::set_level(level->level);
    modified_ = clock_.wall().count();
    const std::string* scope = request.query_value("scope");
    if (scope != nullptr && lower_case(*scope) == "cluster") return empty_answer(204);
    return Response::json(200, JsonWriter().begin_array().value(kRoot).end_array().take());
  }

 private:
  void write(JsonWriter& json) const {
    json.begin_object().member("level", level_now()).key("last_modified");
    modified_ ? json.value(*modified_) : json.null();
    json.end_object();
  }
  static Response unknown(const Request& request) {
    return error_answer(404, fmt::format("Logger {} not found.", request.parameter("logger")));
  }

  const Clock& clock_;
  std::optional<std::int64_t> modified_;
};

}  // namespace

void add_logger_routes(net::http::Router& router, const Clock& clock) {
  const auto loggers = std::make_shared<Loggers>(clock);
  router.add_simple("GET", "/admin/loggers", [loggers](const Request&) { return loggers->all(); });
  router.add_simple("GET", "/admin/loggers/{logger}",
                    [loggers](const Request& request) { return loggers->one(request); });
  router.add_simple("PUT", "/admin/loggers/{logger}",
                    [loggers](const Request& request) { return loggers->set(request); });
}

}  // namespace millrace::connect

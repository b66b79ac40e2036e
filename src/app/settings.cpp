#include "app/settings.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "app/security_schema.h"
#include "app/settings_values.h"

namespace millrace::app {
namespace {

/// Cores this process may use.
std::int32_t usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

void check_listener(const ListenerSetting& listener, std::string_view name, bool allowed, config::Problems& problems) {
  const auto address = listener.address();
  if (!address || allowed || address->is_loopback()) return;
  config::Node at;
  at.line = listener.line;
  problems.add(
      at, "'" + std::string(name) + ".host' is " + listener.host +
              ": everyone who reaches this address could read and write without logging in. Use 127.0.0.1, ask "
              "for a log-in (docs/security.md), or, where everyone may do that, set 'allow_anonymous_remote: true'");
}

/// What one key alone cannot tell.
void check_together(const Settings& s, config::Problems& problems) {
  const config::Node nowhere;
  const auto check = [&](const ListenerSetting& listener, std::string_view name) {
    check_listener(listener, name, s.allow_anonymous_remote || asks_who_connects(s, name), problems);
  };
  check(s.mqtt_listener, "mqtt");
  check(s.mqtt_tls_listener, "mqtt.tls");
  check(s.ws_listener, "ws");
  check(s.ws_tls_listener, "ws.tls");
  check(s.kafka_listener, "kafka");
  check(s.kafka_tls_listener, "kafka.tls");
  check(s.http_listener, "http");
  check(s.connect_listener, "connect");
  check_security(s, problems);
  if (s.log.journal_max_bytes < 2 * s.log.journal_file_bytes) {
    problems.add(nowhere, "'journal.max.bytes' must be at least twice 'journal.file.bytes'");
  }
  if (static_cast<std::uint64_t>(s.topic_defaults.max_message_bytes) > s.log.journal_file_bytes) {
    problems.add(nowhere, "'message.max.bytes' must not be more than 'journal.file.bytes'");
  }
}

void resolve(Settings& s) {
  constexpr std::int64_t kMinute = 60'000;
  const std::int64_t hours = s.log_retention_hours;
  std::int64_t retention = hours < 0 ? -1 : hours * 60 * kMinute;
  if (s.log_retention_minutes) retention = *s.log_retention_minutes < 0 ? -1 : *s.log_retention_minutes * kMinute;
  if (s.log_retention_ms) retention = *s.log_retention_ms;
  s.topic_defaults.retention_ms = retention;
  s.topic_defaults.compact = s.log_cleanup_policy != "delete";
  s.topic_defaults.delete_old = s.log_cleanup_policy != "compact";
  s.topic_defaults.log_append_time = s.log_timestamp_type == "LogAppendTime";
  if (s.loops == 0) s.loops = usable_cores();
}

Result<std::string> read_document(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || text.fail()) {
    return fail(ErrorCode::not_found, "cannot read the configuration", path + ": " + std::strerror(errno));
  }
  return std::move(text).str();
}

}  // namespace

std::optional<net::Address> ListenerSetting::address() const {
  if (!port) return std::nullopt;
  return net::Address{host, *port};
}

Result<Settings> parse_settings(std::string_view document, std::string_view source,
                                const std::vector<std::string>& overrides) {
  MR_TRY_ASSIGN(const config::Node root, config::parse_yaml(document, source));
  Settings settings;
  config::Problems problems;
  settings_schema().read(settings, root, problems);
  for (const std::string& override_text : overrides) settings_schema().set(settings, override_text, problems);
  if (problems.empty()) check_together(settings, problems);
  if (!problems.empty()) return std::unexpected(config::to_error(problems, source));
  resolve(settings);
  return settings;
}

Result<Settings> load_settings(const std::string& path, const std::vector<std::string>& overrides) {
  std::string document;
  if (!path.empty()) {
    MR_TRY_ASSIGN(document, read_document(path));
  }
  return parse_settings(document, path, overrides);
}

std::string print_settings(const Settings& settings) {
  return settings_schema().print(settings);
}

std::string settings_reference() {
  return "# Configuration\n\n"
         "`millrace serve --config FILE` reads one YAML file; `--set key=value` comes on top of it. A key may be "
         "written in one\n"
         "piece (`log.retention.hours: 48`) or as nested maps. An unknown key, a value that is not allowed or a key "
         "set twice\n"
         "keeps millrace from starting and is named with its line. `millrace config check FILE` tells without "
         "starting.\n"
         "Sizes take units (`64MiB`, `500kB`), durations too (`5s`, `48h`; without a unit milliseconds).\n\n"
         "This page is made from the rows in src/app/settings_schema.cpp (`millrace config reference`).\n\n" +
         settings_schema().reference();
}

}  // namespace millrace::app

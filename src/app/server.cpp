#include "app/server.h"
#include "app/open_files_limit.h"

#include <fmt/format.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "app/admin_server.h"
#include "app/broker_config.h"
#include "app/build_identity.h"
#include "app/connect_server.h"
#include "app/loop_thread.h"
#include "app/mqtt_republisher.h"
#include "app/rule_actions.h"
#include "app/rule_settings.h"
#include "app/security.h"
#include "app/topic_setup.h"
#include "base/log.h"
#include "base/rng.h"
#include "io/posix_file_system.h"
#include "kafka/groups/groups.h"
#include "kafka/server/loop_executor.h"
#include "kafka/server/sasl_session.h"
#include "kafka/server/server.h"
#include "metrics/process.h"
#include "metrics/registry.h"
#include "mqtt/server/server.h"
#include "pipeline/open_deliveries.h"
#include "pipeline/rule_metrics.h"
#include "topics/embedded/embedded_topic_log.h"
#include "topics/topic_metrics.h"

namespace millrace::app {

// In the order of construction; destroyed in reverse.
struct Server::Parts {
  Settings settings;
  SystemClock clock;
  MonoTime started{};
  std::chrono::nanoseconds start_took{};
  metrics::Registry metrics;
  std::unique_ptr<io::FileSystem> files;
  std::unique_ptr<topics::EmbeddedTopicLog> log;
  std::unique_ptr<Security> security;
  std::unique_ptr<pipeline::RuleSetSlot> rules;
  RuleService rule_service;
  MqttService mqtt_service;
  std::vector<std::unique_ptr<LoopThread>> loops;
  std::vector<std::unique_ptr<kafka::LoopExecutor>> group_loops;
  std::unique_ptr<kafka::Groups> groups;
  std::unique_ptr<kafka::Server> kafka;
  std::unique_ptr<mqtt::Server> mqtt;
  std::vector<std::unique_ptr<MqttRepublisher>> republishers;
  std::unique_ptr<RuleActions> actions;
  std::unique_ptr<ConnectServer> connect;
  std::unique_ptr<AdminServer> admin;  // its exposition looks at everything above

  Result<void> start_admin();
  Result<void> open_log(std::function<void(const Error&)> on_fatal);
  Result<void> start_loops();
  void start_groups();
  Result<void> start_kafka();
  Result<void> start_mqtt();
  Result<void> start_connect();
  [[nodiscard]] std::vector<net::Loop*> loop_pointers() const;
  [[nodiscard]] AdminServer::Listeners listeners() const;
};

namespace {

topics::EmbeddedSettings embedded_settings(const Settings& settings) {
  topics::EmbeddedSettings embedded;
  embedded.log = settings.log;
  embedded.log.open_files =
      segment_open_files(static_cast<std::size_t>(settings.segment_open_files), raise_open_files_limit());
  embedded.topic_defaults = settings.topic_defaults;
  embedded.default_partitions = settings.num_partitions;
  embedded.auto_create = settings.auto_create_topics;
  embedded.retention_check_interval = settings.log_retention_check_interval;
  embedded.disk_full_retry = settings.disk_full_retry;
  embedded.queue_bytes = settings.append_queue_bytes;
  return embedded;
}

std::vector<kafka::SaslMechanism> mechanisms(const std::vector<std::string>& names) {
  std::vector<kafka::SaslMechanism> all;
  for (const std::string& name : names) {
    if (const auto mechanism = kafka::mechanism_named(name)) all.push_back(*mechanism);  // checked with the settings
  }
  return all;
}

/// Those that are on, the plain one first.
std::vector<kafka::ListenerSettings> kafka_listeners(const Settings& settings, Security& security) {
  std::vector<kafka::ListenerSettings> all;
  if (const auto address = settings.kafka_listener.address()) {
    all.push_back({.address = *address,
                   .advertised_host = settings.kafka.advertised_host,
                   .advertised_port = static_cast<std::uint16_t>(settings.kafka.advertised_port),
                   .layers = security.kafka_layers(false),
                   .sasl = mechanisms(settings.security.kafka_sasl)});
  }
  if (const auto address = settings.kafka_tls_listener.address()) {
    all.push_back({.address = *address,
                   .advertised_host = settings.kafka.tls_advertised_host,
                   .advertised_port = static_cast<std::uint16_t>(settings.kafka.tls_advertised_port),
                   .layers = security.kafka_layers(true),
                   .sasl = mechanisms(settings.security.kafka_tls_sasl)});
  }
  return all;
}

/// Requires a listener.
kafka::ServerSettings kafka_settings(const Settings& settings, Security& security) {
  kafka::ServerSettings kafka;
  const auto listeners = kafka_listeners(settings, security);
  static_cast<kafka::ListenerSettings&>(kafka) = listeners.front();
  kafka.further.assign(listeners.begin() + 1, listeners.end());
  kafka.authenticator = &security.authenticator();
  kafka.super_users = settings.security.super_users;
  kafka.acls = security.acls();
  kafka.max_reauth = settings.security.max_reauth;
  kafka.node_id = settings.kafka.node_id;
  kafka.max_connections = static_cast<std::size_t>(settings.kafka.max_connections);
  kafka.request_max_bytes = settings.kafka.request_max_bytes;
  kafka.loop_in_flight_bytes = settings.kafka.queued_max_request_bytes;
  kafka.connection_pending_bytes = settings.kafka.connection_pending_bytes;
  kafka.fetch_max_bytes = settings.kafka.fetch_max_bytes;
  kafka.idle_timeout = settings.kafka.idle_timeout;
  kafka.decompressed_max_bytes = settings.kafka.decompressed_max_bytes;
  kafka.clamp_replication_factor = settings.kafka.clamp_replication_factor;
  kafka.log_dir = std::filesystem::absolute(settings.data_dir).lexically_normal().string();
  kafka.broker_config = std::make_shared<const kafka::BrokerConfig>(broker_config(settings));
  return kafka;
}

mqtt::Settings mqtt_settings(const Settings& settings, Security& security) {
  const auto seconds = [](std::chrono::milliseconds duration) {
    return std::chrono::ceil<std::chrono::seconds>(duration);  // less than a second is not "never"
  };
  mqtt::Settings mqtt;
  mqtt.listen.clear();
  for (const bool tls : {false, true}) {
    if (const auto address = (tls ? settings.mqtt_tls_listener : settings.mqtt_listener).address()) {
      mqtt.listen.push_back(*address);
      mqtt.layers.push_back(security.mqtt_layers(tls));
    }
  }
  if (!settings.mqtt.unix_path.empty()) mqtt.listen.push_back({settings.mqtt.unix_path, 0});
  for (const bool tls : {false, true}) {
    if (const auto address = (tls ? settings.ws_tls_listener : settings.ws_listener).address()) {
      mqtt.listen_websocket.push_back(*address);
      mqtt.layers_websocket.push_back(security.mqtt_layers(tls));
    }
  }
  mqtt.websocket.origins = settings.mqtt.ws_origins;
  mqtt.access = {.log_in_required = settings.security.mqtt_authentication == "required",
                 .authenticator = &security.authenticator(),
                 .permissions = security.permissions()};
  mqtt.max_connections = static_cast<std::size_t>(settings.mqtt.max_connections);
  mqtt.max_packet_size = settings.mqtt.max_packet_bytes;
  mqtt.connect_timeout = seconds(settings.mqtt.connect_timeout);
  mqtt.receive_maximum = static_cast<std::uint16_t>(settings.mqtt.receive_maximum);
  mqtt.topic_alias_maximum = static_cast<std::uint16_t>(settings.mqtt.topic_alias_maximum);
  mqtt.max_keep_alive_s = static_cast<std::uint16_t>(seconds(settings.mqtt.server_keep_alive).count());
  mqtt.max_session_expiry_s = static_cast<std::uint32_t>(seconds(settings.mqtt.session_expiry_max).count());
  mqtt.max_inflight = static_cast<std::uint32_t>(settings.mqtt.max_inflight);
  mqtt.max_output_bytes = settings.mqtt.max_pending_bytes;
  mqtt.max_queued_bytes = settings.mqtt.max_queued_bytes;
  mqtt.max_crossing_bytes = settings.mqtt.max_crossing_bytes;
  mqtt.max_connect_size = settings.mqtt.max_connect_bytes;
  mqtt.max_subscriptions_per_session = static_cast<std::size_t>(settings.mqtt.max_subscriptions);
  mqtt.outbound_topic_aliases = static_cast<std::uint16_t>(settings.mqtt.outbound_topic_aliases);
  mqtt.retained.max_messages = static_cast<std::size_t>(settings.mqtt.retained_max_messages);
  mqtt.retained.max_bytes = settings.mqtt.retained_max_bytes;
  mqtt.retained.max_messages_per_owner = static_cast<std::size_t>(settings.mqtt.retained_max_messages_per_identity);
  mqtt.retained.max_bytes_per_owner = settings.mqtt.retained_max_bytes_per_identity;
  mqtt.max_memory = settings.mqtt.memory_max_bytes;
  mqtt.max_identity_bytes = settings.mqtt.identity_max_bytes;
  mqtt.max_topic_levels = static_cast<std::size_t>(settings.mqtt.max_topic_levels);
  mqtt.max_topic_bytes = static_cast<std::size_t>(settings.mqtt.max_topic_bytes);
  mqtt.connect_rate = static_cast<std::uint32_t>(settings.mqtt.connect_rate);
  mqtt.connect_rate_per_address = static_cast<std::uint32_t>(settings.mqtt.connect_rate_per_address);
  mqtt.connect_rate_per_identity = static_cast<std::uint32_t>(settings.mqtt.connect_rate_per_identity);
  mqtt.takeover_rate = static_cast<std::uint32_t>(settings.mqtt.takeover_rate);
  mqtt.connect_wait = settings.mqtt.connect_wait_max;
  mqtt.lifecycle_events = settings.mqtt.lifecycle_events;
  mqtt.sys_interval = seconds(settings.mqtt.sys_interval);
  mqtt.stop_spread = settings.mqtt.stop_spread;
  mqtt.denied_filters.insert(settings.mqtt.denied_filters.begin(), settings.mqtt.denied_filters.end());
  mqtt.version = fmt::format("millrace {}", build_identity().version);
  mqtt.stop_timeout = settings.stop_timeout / 2;
  return mqtt;
}

// A listener that cannot be had names the key that moves it.
Result<void> with_key(Result<void> result, std::string_view key) {
  if (result) return result;
  Error error = std::move(result).error();
  error.detail += fmt::format("; '{}' sets another port, 'off' does without", key);
  return std::unexpected<Error>(std::move(error));
}

log::Level level_of(std::string_view name) {
  if (name == "debug") return log::Level::debug;
  if (name == "warn") return log::Level::warn;
  if (name == "error") return log::Level::error;
  return log::Level::info;
}

}  // namespace

std::vector<net::Loop*> Server::Parts::loop_pointers() const {
  std::vector<net::Loop*> pointers;
  for (const auto& thread : loops) pointers.push_back(&thread->loop());
  return pointers;
}

// In the order of the ready line.
AdminServer::Listeners Server::Parts::listeners() const {
  AdminServer::Listeners all;
  // A server's listeners are in this order, those that are off left out.
  const auto add = [&](const ListenerSetting& plain, const ListenerSetting& tls, std::string_view name,
                       std::string_view tls_name, const auto& address) {
    if (plain.port) all.emplace_back(name, address(0).to_string());
    if (tls.port) all.emplace_back(tls_name, address(plain.port ? 1 : 0).to_string());
  };
  if (mqtt) {
    add(settings.mqtt_listener, settings.mqtt_tls_listener, "mqtt", "mqtts",
        [&](std::size_t i) { return mqtt->addresses()[i]; });
    std::vector<net::Address> addresses = mqtt->addresses();
    if (!settings.mqtt.unix_path.empty()) all.emplace_back("mqtt_unix", settings.mqtt.unix_path);
    if (settings.ws_tls_listener.port) {
      all.emplace_back("wss", addresses.back().to_string());
      addresses.pop_back();
    }
    if (settings.ws_listener.port) all.emplace_back("ws", addresses.back().to_string());
  }
  if (kafka) {
    add(settings.kafka_listener, settings.kafka_tls_listener, "kafka", "kafka_tls",
        [&](std::size_t i) { return kafka->address(i); });
  }
  if (admin) all.emplace_back(settings.security.http_tls ? "https" : "http", admin->address().to_string());
  if (connect) all.emplace_back("connect", connect->address().to_string());
  return all;
}

Result<void> Server::Parts::start_admin() {
  metrics::register_process_metrics(metrics, clock, build_identity());
  const auto address = settings.http_listener.address();
  if (!address) return {};
  auto serving = AdminServer::start(settings, *address, *security, metrics, rule_service, mqtt_service);
  if (!serving) return with_key(std::unexpected<Error>(std::move(serving).error()), "http.port");
  admin = std::move(*serving);
  return {};
}

Result<void> Server::Parts::open_log(std::function<void(const Error&)> on_fatal) {
  MR_TRY_ASSIGN(files, io::PosixFileSystem::open(settings.data_dir));
  storage::RecoveryReport report;
  MR_TRY_ASSIGN(log, topics::EmbeddedTopicLog::open(*files, clock, metrics, embedded_settings(settings),
                                                    std::move(on_fatal), &report));
  log::info("log_opened", {{"data_dir", settings.data_dir},
                           {"clean", report.clean},
                           {"partitions", report.partitions},
                           {"groups_replayed", report.groups_replayed},
                           {"bytes_replayed", report.bytes_replayed},
                           {"took_ms", std::chrono::duration_cast<std::chrono::milliseconds>(report.took).count()}});
  topics::register_topic_metrics(metrics, *log);
  if (admin) {
    admin->readiness().add_check([this]() -> std::optional<std::string> {
      if (log->disk_full()) return "the disk is full: acknowledgements are withheld";
      return std::nullopt;
    });
  }
  return create_missing_topics(*log, settings);
}

Result<void> Server::Parts::start_loops() {
  MR_TRY_ASSIGN(auto compiled, compile_rules(settings.rules, RuleTerms::of(settings)));
  rules = std::make_unique<pipeline::RuleSetSlot>(std::move(compiled));
  MR_TRY(rule_service.start(*log, clock, metrics, *rules, settings));
  pipeline::register_rule_metrics(metrics, *rules, clock, static_cast<std::size_t>(settings.rules_max_shown));
  pipeline::PipelineSettings pipeline;
  pipeline.max_gathered_bytes = settings.pipeline_gathered_bytes;
  pipeline.max_republish_depth = settings.rules_max_republish_depth;
  pipeline.max_json_depth = static_cast<std::uint32_t>(settings.rules_max_json_depth);
  pipeline.outside = rule_service.desk();
  pipeline.waiting.messages = static_cast<std::size_t>(settings.rules_max_waiting);
  pipeline.waiting.per_client = std::max<std::size_t>(1, pipeline.waiting.messages / 8);
  for (std::int32_t i = 0; i < settings.loops; ++i) {
    loops.push_back(std::make_unique<LoopThread>(*log, *rules, clock, metrics, pipeline, system_entropy()));
  }
  return {};
}

void Server::Parts::start_groups() {
  std::vector<kafka::TimedExecutor*> executors;
  for (net::Loop* loop : loop_pointers()) {
    executors.push_back(group_loops.emplace_back(std::make_unique<kafka::LoopExecutor>(*loop)).get());
  }
  groups = std::make_unique<kafka::Groups>(executors, *log, clock, metrics, settings.groups, system_entropy());
  groups->start();
}

Result<void> Server::Parts::start_kafka() {
  if (!settings.kafka_listener.port && !settings.kafka_tls_listener.port) return {};
  kafka::ServerSettings kafka_server = kafka_settings(settings, *security);
  kafka_server.volume = [this] {
    const auto bytes = [](const Result<std::uint64_t>& result) {
      return result ? static_cast<std::int64_t>(*result) : -1;
    };
    return kafka::VolumeSpace{bytes(files->total_bytes()), bytes(files->free_bytes())};
  };
  kafka = std::make_unique<kafka::Server>(loop_pointers(), *groups, *log, clock, metrics, std::move(kafka_server));
  return with_key(kafka->start(), "kafka.port");
}

Result<void> Server::Parts::start_mqtt() {
  const bool any_port = settings.mqtt_listener.port || settings.mqtt_tls_listener.port || settings.ws_listener.port ||
                        settings.ws_tls_listener.port;
  if (!any_port && settings.mqtt.unix_path.empty()) return {};
  const auto receiver = [this](std::size_t loop) -> MessageReceiver& { return loops[loop]->pipeline(); };
  mqtt = std::make_unique<mqtt::Server>(loop_pointers(), receiver, metrics, mqtt_settings(settings, *security));
  MR_TRY_ASSIGN(const std::vector<std::string> deliveries, pipeline::read_open_deliveries(*log));
  MR_TRY(mqtt->restore(*log, deliveries));
  for (std::size_t i = 0; i < loops.size(); ++i) {
    republishers.push_back(std::make_unique<MqttRepublisher>(*mqtt, i));
    loops[i]->pipeline().set_republisher(republishers.back().get());
  }
  auto bound = mqtt->start();
  if (bound) mqtt_service.serve(*mqtt);
  // Those that were had stand in addresses(); the one that was not comes next.
  const bool was_first = settings.mqtt_listener.address() && mqtt->addresses().empty();
  return with_key(std::move(bound), was_first ? "mqtt.port" : "ws.port");
}

Result<void> Server::Parts::start_connect() {
  const auto address = settings.connect_listener.address();
  if (!address) return {};
  auto serving = ConnectServer::start(settings, *address, *security, *log, *groups, clock, metrics, *files);
  if (!serving) return with_key(std::unexpected<Error>(std::move(serving).error()), "connect.port");
  connect = std::move(*serving);
  return {};
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(Settings settings, std::function<void(const Error&)> on_fatal) {
  auto parts = std::make_unique<Parts>();
  parts->settings = std::move(settings);
  parts->started = parts->clock.mono();
  log::set_level(level_of(parts->settings.log_level));
  MR_TRY_ASSIGN(parts->security, Security::open(parts->settings, parts->metrics));
  MR_TRY(parts->start_admin());
  MR_TRY(parts->open_log(std::move(on_fatal)));
  MR_TRY(parts->security->open_tables(*parts->log, parts->clock));
  MR_TRY(parts->start_loops());
  parts->start_groups();
  MR_TRY(parts->start_kafka());
  MR_TRY(parts->start_mqtt());
  MR_TRY_ASSIGN(parts->actions, RuleActions::start(parts->settings, *parts->log, *parts->groups, parts->clock,
                                                   *parts->rules, *parts->loops.front(), parts->metrics));
  MR_TRY(parts->start_connect());
  for (std::size_t i = 0; i < parts->loops.size(); ++i) parts->loops[i]->start(i);
  if (parts->admin) {
    parts->admin->set_listeners(parts->listeners());
    parts->admin->readiness().set_ready();
  }
  parts->start_took = parts->clock.mono() - parts->started;
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

std::string Server::ready_line() const {
  std::string line = "millrace ready:";
  for (const auto& [name, address] : parts_->listeners()) line += fmt::format(" {}={}", name, address);
  return line +
         fmt::format(" ({} ms)", std::chrono::duration_cast<std::chrono::milliseconds>(parts_->start_took).count());
}

Result<void> Server::reload() {
  return parts_->security->reload();
}

Result<void> Server::stop() {
  Parts& parts = *parts_;
  if (parts.admin) parts.admin->readiness().set_not_ready("stopping");
  // While the groups, and the loops they are on, still take commits: the last bookmarks of every sink are written here.
  parts.actions->stop();
  if (parts.connect) parts.connect->stop();
  parts.mqtt_service.stop();
  if (parts.mqtt) parts.mqtt->stop();
  if (parts.kafka) parts.kafka->stop(parts.settings.stop_timeout / 4);
  for (const auto& thread : parts.loops) thread->stop();
  if (parts.admin) parts.admin->stop();
  parts.rule_service.stop();
  parts.security->stop();
  return parts.log->stop();
}

}  // namespace millrace::app

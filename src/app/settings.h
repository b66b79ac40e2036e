// Settings: everything the server can be told, as one plain value. Its rows are in settings_schema.cpp;
// docs/configuration.md is made from them. Defaults stand here, once.
//
// Read at start; the program sees an immutable object. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/security_settings.h"
#include "base/bytes.h"
#include "base/result.h"
#include "config/node.h"
#include "config/schema.h"
#include "kafka/groups/group_settings.h"
#include "net/listener.h"
#include "storage/log.h"
#include "storage/log_config.h"

namespace millrace::app {

struct ListenerSetting {
  std::string host = "127.0.0.1";
  std::optional<std::uint16_t> port;  // none: off
  int line = 0;                       // where the configuration names the host; 0: nowhere
  /// None when the listener is off.
  [[nodiscard]] std::optional<net::Address> address() const;
};

/// A topic that is made at start when it does not exist.
struct TopicSetting {
  std::string name;
  std::int32_t partitions = -1;               // -1: num.partitions
  std::map<std::string, std::string> config;  // Kafka's keys
  int line = 0;
};

struct Settings {
  std::string data_dir = "data";
  std::string log_level = "info";
  std::int32_t loops = 0;  // never 0 after load_settings
  bool allow_anonymous_remote = false;

  ListenerSetting mqtt_listener{.port = 1883};
  ListenerSetting ws_listener{.port = 9001};
  ListenerSetting kafka_listener{.port = 9092};
  ListenerSetting http_listener{.port = 8080};
  ListenerSetting connect_listener{.port = 8083};
  ListenerSetting mqtt_tls_listener;
  ListenerSetting ws_tls_listener;
  ListenerSetting kafka_tls_listener;
  SecuritySettings security;

  // Topics and the log. The values of topic_defaults are Kafka's broker-wide ones.
  std::int32_t num_partitions = 1;
  bool auto_create_topics = true;
  storage::LogConfig topic_defaults;
  std::int64_t log_retention_hours = 168;
  std::optional<std::int64_t> log_retention_minutes;  // wins over hours
  std::optional<std::int64_t> log_retention_ms;       // wins over both; the result is topic_defaults.retention_ms
  std::chrono::milliseconds log_retention_check_interval{300'000};
  std::string log_cleanup_policy = "delete";
  std::string log_timestamp_type = "CreateTime";
  storage::LogOptions log;
  std::int64_t segment_open_files = 0;  // 0: as the process's limit allows
  std::uint64_t append_queue_bytes = 64_MiB;
  std::chrono::milliseconds disk_full_retry{100};

  struct Mqtt {
    std::uint64_t max_packet_bytes = 1_MiB;
    std::int32_t receive_maximum = 8192;
    std::int32_t topic_alias_maximum = 16;
    std::int32_t max_connections = 100'000;
    std::int32_t max_inflight = 8192;  // what one turn of a busy loop may send: fewer, and a fast client waits
    std::chrono::milliseconds server_keep_alive{0};
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds session_expiry_max{86'400'000};
    std::uint64_t max_pending_bytes = 1_MiB;
    std::uint64_t max_queued_bytes = 16_MiB;
    std::uint64_t max_crossing_bytes = 32_MiB;
    std::uint64_t max_connect_bytes = 128_KiB;
    std::int32_t max_subscriptions = 10'000;
    std::int32_t outbound_topic_aliases = 16;
    std::int64_t queue_max_bytes = 10'737'418'240;
    std::int64_t retained_max_messages = 10'000'000;
    std::uint64_t retained_max_bytes = 1_GiB;
    std::int64_t retained_max_messages_per_identity = 1'000'000;
    std::uint64_t retained_max_bytes_per_identity = 256_MiB;
    std::uint64_t memory_max_bytes = 512_MiB;
    std::uint64_t identity_max_bytes = 128_MiB;
    std::int32_t max_topic_levels = 128;
    std::int32_t max_topic_bytes = 65'535;
    std::int32_t connect_rate = 0;
    std::int32_t connect_rate_per_address = 0;
    std::int32_t connect_rate_per_identity = 0;
    std::int32_t takeover_rate = 10;
    std::chrono::milliseconds connect_wait_max{10'000};
    std::chrono::milliseconds sys_interval{10'000};
    std::chrono::milliseconds stop_spread{0};
    bool lifecycle_events = true;
    std::string unix_path;  // empty: no UNIX socket
    std::vector<std::string> denied_filters;
    std::vector<std::string> ws_origins;
  } mqtt;

  struct Kafka {
    std::string advertised_host;       // empty: the listener's
    std::int32_t advertised_port = 0;  // 0: the listener's
    std::string tls_advertised_host;   // the same for the listener over TLS
    std::int32_t tls_advertised_port = 0;
    std::int32_t node_id = 1;
    std::int32_t max_connections = 10'000;
    std::uint64_t request_max_bytes = 100_MiB;
    std::uint64_t queued_max_request_bytes = 256_MiB;
    std::uint64_t connection_pending_bytes = 64_MiB;
    std::uint64_t fetch_max_bytes = 55_MiB;
    std::uint64_t decompressed_max_bytes = 64_MiB;
    bool clamp_replication_factor = true;
    std::chrono::milliseconds idle_timeout{600'000};
  } kafka;

  kafka::GroupSettings groups;

  struct Http {
    std::uint64_t max_body_bytes = 1_MiB;
    std::int32_t max_connections = 1000;
    std::chrono::milliseconds request_timeout{10'000};
    std::chrono::milliseconds idle_timeout{60'000};
    std::vector<std::string> allowed_hosts;  // besides addresses and localhost
  } http;

  struct Connect {
    std::uint64_t memory_bytes = 256_MiB;
    std::uint64_t spill_bytes = 4_GiB;
    std::chrono::milliseconds offset_flush_interval{20};
    std::int32_t tasks_nice = 19;
    std::string config_topic = "connect-configs";
    std::string status_topic = "connect-status";
    std::string offset_topic = "connect-offsets";
  } connect;

  std::uint64_t pipeline_gathered_bytes = 8_MiB;
  struct Actions {
    std::string file_dir;  // empty: no file action
    std::int32_t connections = 4;
  } actions;
  std::int32_t rules_max_republish_depth = 4;
  std::int32_t rules_max_json_depth = 64;
  std::int32_t rules_max_waiting = 10'000;
  std::int32_t rules_max_shown = 200;
  bool sql_strict = false;
  std::string sql_unresolved_templates = "fail";
  std::chrono::milliseconds stop_timeout{10'000};

  std::vector<TopicSetting> topics;
  config::Node rules;  // for rules::parse_rule, one entry per rule
  /// For references::parse_definition, one entry per table, function and descriptor.
  config::Node rule_tables;
  config::Node rule_functions;
  config::Node rule_descriptors;
};

/// Reads `path` (empty: defaults only), then applies `overrides` ("key=value"). Errors: not_found (the file),
/// invalid_argument with one line per problem in detail: "millrace.yaml:12: 'prot' is not a known key, did you mean
/// 'port'?".
Result<Settings> load_settings(const std::string& path, const std::vector<std::string>& overrides = {});
/// The same from memory; `source` names the document in errors.
Result<Settings> parse_settings(std::string_view document, std::string_view source,
                                const std::vector<std::string>& overrides = {});

/// Every key with its value, secrets hidden; can be read back.
std::string print_settings(const Settings& settings);
/// docs/configuration.md.
std::string settings_reference();

const config::Schema<Settings>& settings_schema();

}  // namespace millrace::app

// The rows: every key of the configuration, declared once. Kafka's names are used for what Kafka names.
#include "app/connect_schema.h"
#include "app/mqtt_protection_schema.h"
#include "app/security_schema.h"
#include "app/settings.h"
#include "app/settings_values.h"

namespace millrace::app {
namespace {

using config::boolean;
using config::bytes;
using config::choice;
using config::custom;
using config::duration;
using config::integer;
using config::text;
using S = Settings;

constexpr std::int64_t kInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;
constexpr std::int64_t kTiB = 1LL << 40;

void add_general(std::vector<config::Setting>& rows) {
  rows.push_back(text<S>(
      "data.dir", [](S& s) -> auto& { return s.data_dir; },
      "Directory of everything durable. Made when it does not exist."));
  rows.push_back(choice<S>(
      "log.level", [](S& s) -> auto& { return s.log_level; }, {"debug", "info", "warn", "error", "off"},
      "Log lines below this level are not written."));
  rows.push_back(integer<S>(
                     "loops", [](S& s) -> auto& { return s.loops; }, {0, 256},
                     "Threads that own connections. 0: one per core this process may use.")
                     .defaults_to("one per core"));
  rows.push_back(boolean<S>(
      "allow_anonymous_remote", [](S& s) -> auto& { return s.allow_anonymous_remote; },
      "Allows listeners off loopback although nobody has to log in. Only for a network where everyone "
      "may read and write everything."));
  rows.push_back(duration<S>(
      "stop.timeout.ms", [](S& s) -> auto& { return s.stop_timeout; }, {100, 600'000},
      "How long a stop waits for connections to end before it closes them."));
}

void add_listener(std::vector<config::Setting>& rows, std::string_view host_key, std::string_view port_key,
                  ListenerSetting S::* listener, std::string_view host_sentence, std::string_view port_sentence) {
  rows.push_back(custom<S>(
      host_key, "IP address",
      [=](S& s, const config::Node& node, config::Problems& problems) {
        read_host(s.*listener, host_key, node, problems);
      },
      [=](const S& s) { return print_host(s.*listener); }, host_sentence));
  rows.push_back(custom<S>(
      port_key, "port or off",
      [=](S& s, const config::Node& node, config::Problems& problems) {
        read_port(s.*listener, port_key, node, problems);
      },
      [=](const S& s) { return print_port(s.*listener); }, port_sentence));
}

void add_mqtt(std::vector<config::Setting>& rows) {
  add_listener(rows, "mqtt.host", "mqtt.port", &S::mqtt_listener, "Address the MQTT listener binds.",
               "Port of the MQTT listener. 0: any free one, told in the ready line.");
  add_listener(rows, "ws.host", "ws.port", &S::ws_listener, "Address the listener for MQTT over WebSocket binds.",
               "Port of the listener for MQTT over WebSocket. 0: any free one, told in the ready line.");
  add_listener(rows, "ws.tls.host", "ws.tls.port", &S::ws_tls_listener,
               "Address the listener for MQTT over WebSocket over TLS binds.",
               "Port of the listener for MQTT over WebSocket over TLS, with the certificate of tls.certificate.file.");
  rows.push_back(text<S>(
      "mqtt.unix.path", [](S& s) -> auto& { return s.mqtt.unix_path; },
      "Absolute path of a UNIX socket for MQTT, too; its permissions are those of its folder. Empty: none."));
  rows.push_back(custom<S>(
      "ws.allowed.origins", "list of origins",
      [](S& s, const config::Node& node, config::Problems& problems) {
        read_names(s.mqtt.ws_origins, "ws.allowed.origins", node, problems);
      },
      [](const S& s) { return print_names(s.mqtt.ws_origins); },
      "Origins (`https://example.com`) of web pages that may connect, besides the host's own. `*`: all."));
  add_listener(rows, "mqtt.tls.host", "mqtt.tls.port", &S::mqtt_tls_listener,
               "Address the MQTT listener over TLS binds.",
               "Port of the MQTT listener over TLS; 8883 is the usual one.");
  rows.push_back(bytes<S>(
      "mqtt.max.packet.bytes", [](S& s) -> auto& { return s.mqtt.max_packet_bytes; }, {1024, 268'435'460},
      "Largest MQTT packet taken in; told to MQTT 5 clients as Maximum Packet Size."));
  rows.push_back(integer<S>(
      "mqtt.receive.maximum", [](S& s) -> auto& { return s.mqtt.receive_maximum; }, {1, 65'535},
      "QoS 1 and 2 messages one client may have unacknowledged; told to MQTT 5 clients."));
  rows.push_back(integer<S>(
      "mqtt.topic.alias.maximum", [](S& s) -> auto& { return s.mqtt.topic_alias_maximum; }, {0, 65'535},
      "Topic aliases one client may define."));
  rows.push_back(integer<S>(
      "mqtt.max.connections", [](S& s) -> auto& { return s.mqtt.max_connections; }, {1, 10'000'000},
      "MQTT connections; further ones are refused."));
  rows.push_back(integer<S>(
      "mqtt.max.inflight", [](S& s) -> auto& { return s.mqtt.max_inflight; }, {1, 65'535},
      "Unacknowledged messages sent to one client that sets no Receive Maximum of its own."));
  rows.push_back(duration<S>(
      "mqtt.server.keep.alive.ms", [](S& s) -> auto& { return s.mqtt.server_keep_alive; }, {0, 65'535'000},
      "Longest keep alive; told to MQTT 5 clients that ask for more, or for none. 0: as the client asks."));
  rows.push_back(duration<S>(
      "mqtt.connect.timeout.ms", [](S& s) -> auto& { return s.mqtt.connect_timeout; }, {100, 600'000},
      "A connection that sent no CONNECT by then is closed."));
  rows.push_back(duration<S>(
      "mqtt.session.expiry.max.ms", [](S& s) -> auto& { return s.mqtt.session_expiry_max; }, {0, 4'294'967'295'000},
      "Longest time a session outlives its connection."));
  rows.push_back(bytes<S>(
      "mqtt.max.pending.bytes", [](S& s) -> auto& { return s.mqtt.max_pending_bytes; }, {4096, kGiB},
      "Bytes waiting for one slow client. Beyond, QoS 0 messages to it are dropped and counted."));
}

void add_mqtt_budgets(std::vector<config::Setting>& rows) {
  rows.push_back(bytes<S>(
      "mqtt.max.queued.bytes", [](S& s) -> auto& { return s.mqtt.max_queued_bytes; }, {4096, kTiB},
      "QoS 1 and 2 bytes that wait in memory for one client. Beyond, they wait in the log."));
  rows.push_back(bytes<S>(
      "mqtt.max.crossing.bytes", [](S& s) -> auto& { return s.mqtt.max_crossing_bytes; }, {4096, kTiB},
      "Bytes on their way from one loop to subscribers of others. Beyond, its publishers are not read and "
      "QoS 0 messages are dropped and counted."));
  rows.push_back(bytes<S>(
      "mqtt.max.connect.bytes", [](S& s) -> auto& { return s.mqtt.max_connect_bytes; }, {128, kMiB},
      "Largest CONNECT packet; nothing larger is looked at before a client is connected."));
  rows.push_back(integer<S>(
      "mqtt.max.subscriptions", [](S& s) -> auto& { return s.mqtt.max_subscriptions; }, {1, 10'000'000},
      "Subscriptions of one session."));
  rows.push_back(integer<S>(
      "mqtt.topic.alias.outbound.maximum", [](S& s) -> auto& { return s.mqtt.outbound_topic_aliases; }, {0, 65'535},
      "Topic aliases used towards one client, if it allows that many."));
  rows.push_back(bytes<S>(
      "mqtt.queue.max.bytes", [](S& s) -> auto& { return s.mqtt.queue_max_bytes; }, {-1, kInt64},
      "Bytes that wait for persistent sessions, each message once. A session that would need more is ended and its "
      "client told by Session Present 0. Counts when `__mqtt_messages` is made. -1: no limit."));
  rows.push_back(integer<S>(
      "mqtt.retained.max.messages", [](S& s) -> auto& { return s.mqtt.retained_max_messages; }, {0, kInt32},
      "Retained messages. A further one is refused."));
  rows.push_back(bytes<S>(
      "mqtt.retained.max.bytes", [](S& s) -> auto& { return s.mqtt.retained_max_bytes; }, {0, kTiB},
      "Bytes of retained messages, topics and properties included. Beyond, a retained message is refused."));
  rows.push_back(boolean<S>(
      "mqtt.lifecycle.events.enable", [](S& s) -> auto& { return s.mqtt.lifecycle_events; },
      "Whether rules and subscribers hear on $aws/events/... of clients that connect, disconnect, subscribe and "
      "unsubscribe."));
  rows.push_back(duration<S>(
      "mqtt.sys.interval.ms", [](S& s) -> auto& { return s.mqtt.sys_interval; }, {0, 86'400'000},
      "How often topics under $SYS are published. 0: never."));
  rows.push_back(duration<S>(
      "mqtt.stop.spread.ms", [](S& s) -> auto& { return s.mqtt.stop_spread; }, {0, 3'600'000},
      "Over how long a stop spreads the ends of its connections, so that their clients do not come back all at once; "
      "each is served until its turn. 0: all at once."));
  rows.push_back(custom<S>(
      "mqtt.subscribe.denied", "list of topic filters",
      [](S& s, const config::Node& node, config::Problems& problems) {
        read_names(s.mqtt.denied_filters, "mqtt.subscribe.denied", node, problems);
      },
      [](const S& s) { return print_names(s.mqtt.denied_filters); },
      "Filters to which nobody may subscribe, compared character by character."));
}

void add_kafka(std::vector<config::Setting>& rows) {
  add_listener(rows, "kafka.host", "kafka.port", &S::kafka_listener, "Address the Kafka listener binds.",
               "Port of the Kafka listener. 0: any free one, told in the ready line.");
  add_listener(rows, "kafka.tls.host", "kafka.tls.port", &S::kafka_tls_listener,
               "Address the Kafka listener over TLS binds.", "Port of the Kafka listener over TLS, for example 9093.");
  rows.push_back(text<S>(
                     "kafka.tls.advertised.host", [](S& s) -> auto& { return s.kafka.tls_advertised_host; },
                     "Host that Kafka clients of the listener over TLS are told; one the certificate names.")
                     .defaults_to("the address bound"));
  rows.push_back(integer<S>(
      "kafka.tls.advertised.port", [](S& s) -> auto& { return s.kafka.tls_advertised_port; }, {0, 65'535},
      "Port that Kafka clients of the listener over TLS are told. 0: the port bound."));
  rows.push_back(text<S>(
                     "kafka.advertised.host", [](S& s) -> auto& { return s.kafka.advertised_host; },
                     "Host that Kafka clients are told to connect to.")
                     .defaults_to("the address bound"));
  rows.push_back(integer<S>(
      "kafka.advertised.port", [](S& s) -> auto& { return s.kafka.advertised_port; }, {0, 65'535},
      "Port that Kafka clients are told to connect to. 0: the port bound."));
  rows.push_back(integer<S>(
      "node.id", [](S& s) -> auto& { return s.kafka.node_id; }, {0, kInt32}, "Broker id that Kafka clients see."));
  rows.push_back(integer<S>(
      "max.connections", [](S& s) -> auto& { return s.kafka.max_connections; }, {1, 10'000'000},
      "Kafka connections; further ones are closed."));
  rows.push_back(bytes<S>(
      "socket.request.max.bytes", [](S& s) -> auto& { return s.kafka.request_max_bytes; }, {16'384, kGiB},
      "Largest Kafka request."));
  rows.push_back(bytes<S>(
      "queued.max.request.bytes", [](S& s) -> auto& { return s.kafka.queued_max_request_bytes; }, {kMiB, kTiB},
      "Kafka requests taken and not answered, per loop. Beyond, sockets are not read."));
  rows.push_back(bytes<S>(
      "kafka.max.pending.bytes", [](S& s) -> auto& { return s.kafka.connection_pending_bytes; }, {kMiB, kGiB},
      "Answers waiting for one slow client. Beyond, its socket is not read."));
  rows.push_back(bytes<S>(
      "fetch.max.bytes", [](S& s) -> auto& { return s.kafka.fetch_max_bytes; }, {1024, kGiB},
      "Most records in one Fetch answer."));
  rows.push_back(bytes<S>(
      "kafka.max.decompressed.bytes", [](S& s) -> auto& { return s.kafka.decompressed_max_bytes; }, {0, kGiB},
      "Largest size of a compressed batch's records, which are looked at when a producer sends them. 0: they are "
      "taken as they are."));
  rows.push_back(boolean<S>(
      "kafka.clamp.replication.factor", [](S& s) -> auto& { return s.kafka.clamp_replication_factor; },
      "A topic asked for with several replicas is made with one, and a log line says so. false: it is refused."));
  rows.push_back(duration<S>(
      "connections.max.idle.ms", [](S& s) -> auto& { return s.kafka.idle_timeout; }, {1000, kInt64},
      "A Kafka connection silent for so long is closed."));
}

void add_groups(std::vector<config::Setting>& rows) {
  rows.push_back(duration<S>(
      "group.min.session.timeout.ms", [](S& s) -> auto& { return s.groups.min_session_timeout; }, {1, kInt32},
      "Shortest session timeout that a member of a consumer group may ask for."));
  rows.push_back(duration<S>(
      "group.max.session.timeout.ms", [](S& s) -> auto& { return s.groups.max_session_timeout; }, {1, kInt32},
      "Longest session timeout that a member of a consumer group may ask for."));
  rows.push_back(duration<S>(
      "group.initial.rebalance.delay.ms", [](S& s) -> auto& { return s.groups.initial_rebalance_delay; }, {0, 60'000},
      "How long the first member of an empty group waits for others before partitions are assigned."));
  rows.push_back(integer<S>(
      "group.max.size", [](S& s) -> auto& { return s.groups.max_members; }, {1, 1'000'000},
      "Members of one consumer group; further ones are refused."));
  rows.push_back(integer<S>(
      "kafka.max.groups", [](S& s) -> auto& { return s.groups.max_groups; }, {1, 100'000'000},
      "Consumer groups per loop; further ones are refused."));
  rows.push_back(integer<S>(
      "offsets.retention.minutes", [](S& s) -> auto& { return s.groups.offsets_retention_minutes; }, {1, kInt32},
      "How long committed offsets are kept after the last member of their group is gone."));
  rows.push_back(duration<S>(
      "offsets.retention.check.interval.ms", [](S& s) -> auto& { return s.groups.retention_check_interval; },
      {1, kInt32}, "How often committed offsets are looked at for expiry."));
  rows.push_back(bytes<S>(
      "offset.metadata.max.bytes", [](S& s) -> auto& { return s.groups.max_metadata_bytes; }, {0, 32'767},
      "Largest text that may be committed with an offset."));
  rows.push_back(integer<S>(
      "offsets.topic.num.partitions", [](S& s) -> auto& { return s.groups.offsets_partitions; }, {1, 10'000},
      "Partitions of __consumer_offsets, when it is made."));
  rows.push_back(bytes<S>(
      "offsets.topic.segment.bytes", [](S& s) -> auto& { return s.groups.offsets_segment_bytes; }, {kMiB, kInt32},
      "Size of a segment file of __consumer_offsets, when it is made."));
}

void add_http(std::vector<config::Setting>& rows) {
  add_listener(rows, "http.host", "http.port", &S::http_listener,
               "Address of the administration listener (/metrics, /healthz, /readyz).",
               "Port of the administration listener. 0: any free one, told in the ready line.");
  rows.push_back(bytes<S>(
      "http.max.body.bytes", [](S& s) -> auto& { return s.http.max_body_bytes; }, {0, kGiB},
      "Largest body of an HTTP request."));
  rows.push_back(integer<S>(
      "http.max.connections", [](S& s) -> auto& { return s.http.max_connections; }, {1, 1'000'000},
      "HTTP connections per loop; further ones are closed."));
  rows.push_back(duration<S>(
      "http.request.timeout.ms", [](S& s) -> auto& { return s.http.request_timeout; }, {100, 600'000},
      "A request that has not arrived whole by then is answered 408."));
  rows.push_back(duration<S>(
      "http.idle.timeout.ms", [](S& s) -> auto& { return s.http.idle_timeout; }, {100, 3'600'000},
      "A connection without a request for so long is closed."));
  rows.push_back(custom<S>(
      "http.allowed.hosts", "list of names",
      [](S& s, const config::Node& node, config::Problems& problems) {
        read_names(s.http.allowed_hosts, "http.allowed.hosts", node, problems);
      },
      [](const S& s) { return print_names(s.http.allowed_hosts); },
      "Names under which browsers may reach the administration listener, besides localhost and IP addresses."));
}

void add_log(std::vector<config::Setting>& rows) {
  rows.push_back(integer<S>(
      "num.partitions", [](S& s) -> auto& { return s.num_partitions; }, {1, 10'000},
      "Partitions of a topic that is made without saying how many."));
  rows.push_back(boolean<S>(
      "auto.create.topics.enable", [](S& s) -> auto& { return s.auto_create_topics; },
      "Makes a topic when it is first written to or asked for."));
  rows.push_back(integer<S>(
      "log.retention.hours", [](S& s) -> auto& { return s.log_retention_hours; }, {-1, 8'760'000},
      "How long records are kept at least. -1: for ever."));
  rows.push_back(integer<S>(
                     "log.retention.minutes", [](S& s) -> auto& { return s.log_retention_minutes; }, {-1, 525'600'000},
                     "The same in minutes; wins over hours.")
                     .defaults_to("not set"));
  rows.push_back(duration<S>(
                     "log.retention.ms", [](S& s) -> auto& { return s.log_retention_ms; }, {-1, kInt64},
                     "The same in milliseconds; wins over both.")
                     .defaults_to("not set"));
  rows.push_back(bytes<S>(
      "log.retention.bytes", [](S& s) -> auto& { return s.topic_defaults.retention_bytes; }, {-1, kInt64},
      "Bytes kept per partition; older segments are deleted. -1: no limit."));
  rows.push_back(duration<S>(
      "log.retention.check.interval.ms", [](S& s) -> auto& { return s.log_retention_check_interval; }, {1, kInt64},
      "How often segments are looked at for deletion."));
  rows.push_back(bytes<S>(
      "log.segment.bytes", [](S& s) -> auto& { return s.topic_defaults.segment_bytes; }, {1024, kInt32},
      "Size of a segment file."));
  rows.push_back(duration<S>(
      "log.roll.ms", [](S& s) -> auto& { return s.topic_defaults.segment_ms; }, {1, kInt64},
      "Age at which a segment is closed although it is not full."));
  rows.push_back(bytes<S>(
      "log.index.interval.bytes", [](S& s) -> auto& { return s.topic_defaults.index_interval_bytes; }, {0, kInt32},
      "Bytes of records between two entries of a segment's index."));
  rows.push_back(duration<S>(
      "log.segment.delete.delay.ms", [](S& s) -> auto& { return s.topic_defaults.file_delete_delay_ms; }, {0, kInt64},
      "Time between taking a segment out of its log and deleting its files."));
  rows.push_back(choice<S>(
      "log.cleanup.policy", [](S& s) -> auto& { return s.log_cleanup_policy; }, {"delete", "compact", "compact,delete"},
      "What becomes of old records."));
  rows.push_back(bytes<S>(
      "log.cleaner.dedupe.buffer.size", [](S& s) -> auto& { return s.log.compaction_memory_bytes; }, {64 * 1024, kTiB},
      "Memory for the keys of one round of compaction; more keys take more rounds."));
  rows.push_back(bytes<S>(
      "log.cleaner.io.max.bytes.per.second", [](S& s) -> auto& { return s.log.compaction_bytes_per_second; }, {0, kTiB},
      "Bytes that compaction reads per second at most. 0: no limit."));
  rows.push_back(duration<S>(
      "log.cleaner.backoff.ms", [](S& s) -> auto& { return s.log.compaction_interval; }, {1, 86'400'000},
      "Time between looks for something to compact."));
  rows.push_back(duration<S>(
      "log.cleaner.delete.retention.ms", [](S& s) -> auto& { return s.topic_defaults.delete_retention_ms; },
      {0, kInt64}, "How long compaction keeps tombstones."));
  rows.push_back(choice<S>(
      "log.message.timestamp.type", [](S& s) -> auto& { return s.log_timestamp_type; }, {"CreateTime", "LogAppendTime"},
      "Whose clock a record's timestamp is."));
  rows.push_back(bytes<S>(
      "message.max.bytes", [](S& s) -> auto& { return s.topic_defaults.max_message_bytes; }, {1024, kInt32},
      "Largest record batch."));
  rows.push_back(integer<S>(
      "flush.messages", [](S& s) -> auto& { return s.topic_defaults.flush_messages; }, {1, kInt64},
      "Records that may be acknowledged before they are synced. 1: every acknowledgement means the data is on disk."));
}

void add_storage(std::vector<config::Setting>& rows) {
  rows.push_back(bytes<S>(
      "journal.file.bytes", [](S& s) -> auto& { return s.log.journal_file_bytes; }, {kMiB, 4 * kGiB},
      "Size of one journal file. Journal files are written over, never grown."));
  rows.push_back(bytes<S>(
      "journal.max.bytes", [](S& s) -> auto& { return s.log.journal_max_bytes; }, {2 * kMiB, kTiB},
      "Size of all journal files. Beyond, acknowledgements wait until the segments caught up."));
  rows.push_back(bytes<S>(
      "journal.checkpoint.bytes", [](S& s) -> auto& { return s.log.checkpoint_bytes; }, {kMiB, kTiB},
      "Journal bytes after which a checkpoint is made."));
  rows.push_back(duration<S>(
      "journal.checkpoint.interval.ms", [](S& s) -> auto& { return s.log.checkpoint_interval; }, {100, 86'400'000},
      "Time after which a checkpoint is made."));
  rows.push_back(bytes<S>(
      "memory.tail.bytes", [](S& s) -> auto& { return s.log.tail_memory_bytes; }, {kMiB, kTiB},
      "Memory for the newest records of all partitions."));
  rows.push_back(bytes<S>(
      "segment.write.bytes", [](S& s) -> auto& { return s.log.write_piece_bytes; }, {4096, 64 * kMiB},
      "Unit in which segments are written behind the journal."));
  rows.push_back(integer<S>(
      "segment.open.files", [](S& s) -> auto& { return s.segment_open_files; }, {0, 1'000'000},
      "Segment files open at once. 0: half of what the process may open (ulimit -n), at most 16,384."));
  rows.push_back(bytes<S>(
      "append.queue.bytes", [](S& s) -> auto& { return s.append_queue_bytes; }, {64 * 1024, kTiB},
      "Records waiting for the journal. Beyond, device sockets are not read."));
  rows.push_back(duration<S>(
      "disk.full.retry.ms", [](S& s) -> auto& { return s.disk_full_retry; }, {1, 60'000},
      "How often a full disk is tried again."));
  rows.push_back(bytes<S>(
      "pipeline.gathered.bytes", [](S& s) -> auto& { return s.pipeline_gathered_bytes; }, {64 * 1024, kGiB},
      "Record bytes one loop gathers before device sockets are not read."));
}

void add_content(std::vector<config::Setting>& rows) {
  rows.push_back(integer<S>(
      "actions.connections", [](S& s) -> auto& { return s.actions.connections; }, {1, 64},
      "Requests of http and webhook actions under way at once, for each of 16 parts of their destinations."));
  rows.push_back(text<S>(
      "actions.file.dir", [](S& s) -> auto& { return s.actions.file_dir; },
      "Folder of the file action; it must exist. Empty: rules with a file action are refused."));
  rows.push_back(integer<S>(
      "republish.max.depth", [](S& s) -> auto& { return s.rules_max_republish_depth; }, {0, 64},
      "How often in a row a message may be republished by rules before it is taken for a loop."));
  rows.push_back(integer<S>(
      "sql.max.json.depth", [](S& s) -> auto& { return s.rules_max_json_depth; }, {1, 1024},
      "Payloads nested deeper than this are no JSON to the rules."));
  rows.push_back(choice<S>(
      "sql.unresolved.templates", [](S& s) -> auto& { return s.sql_unresolved_templates; }, {"fail", "empty"},
      "What a template becomes whose expression is Undefined or Null: the action fails and nothing is published, or "
      "the empty text, as at AWS. A rule's own unresolvedTemplates: empty does the same for it alone."));
  rows.push_back(integer<S>(
      "rule.max.waiting", [](S& s) -> auto& { return s.rules_max_waiting; }, {1, 1'000'000},
      "Messages per loop that may wait for answers of tables and functions, or behind one that does; an eighth of them "
      "of one client. A connection that would add more is not read until there is room."));
  rows.push_back(integer<S>(
      "rule.max.metrics", [](S& s) -> auto& { return s.rules_max_shown; }, {0, 1'000'000},
      "Rules with ten lines each in /metrics: of more the busiest. Sums count all; GET /rules/NAME tells any one's."));
  rows.push_back(boolean<S>(
      "sql.strict", [](S& s) -> auto& { return s.sql_strict; },
      "Holds every rule to AWS IoT's SQL: extensions (IN, LIKE, FOREACH, ...) are refused. A rule's own strictSql does "
      "the same for it alone."));
  rows.push_back(
      custom<S>("topics", "list of topics", read_topics, print_topics,
                "Topics made at start when they do not exist: `{name, partitions, config: {…}}`, config with "
                "Kafka's topic keys."));
  rows.push_back(custom<S>(
      "rules", "map of rules",
      [](S& s, const config::Node& node, config::Problems& problems) { read_rules(s, node, problems); }, print_rules,
      "Rules by name, in the form of AWS IoT's topic rule objects."));
  struct Named {
    const char* key;
    config::Node S::* node;
    const char* help;
  };
  static constexpr Named kNamed[] = {
      {"rule.tables", &S::rule_tables,
       "Reference tables by name, for get_dynamodb and lookup: `{topic: T, maxBytes: 256MiB}` or `{postgres: "
       "jdbc:postgresql://HOST/DB, user: U, passwordFile: F, table: T, key: COLUMN, sortKey: COLUMN, ttl: 60s, "
       "cacheBytes: 64MiB}`."},
      {"rule.functions", &S::rule_functions,
       "HTTP functions by name, for aws_lambda: `{url: URL, headers: {…}, timeout: 2s, connections: 4}`."},
      {"rule.descriptors", &S::rule_descriptors, "Protobuf descriptors by name, for decode: `{file: F}`."},
  };
  for (const Named& named : kNamed) {
    rows.push_back(custom<S>(
        named.key, "map",
        [&named](S& s, const config::Node& node, config::Problems& problems) {
          read_named(s.*(named.node), named.key, node, problems);
        },
        [&named](const S& s) { return print_named(s.*(named.node)); }, named.help));
  }
}

}  // namespace

const config::Schema<Settings>& settings_schema() {
  static const config::Schema<Settings> schema([] {
    std::vector<config::Setting> rows;
    add_general(rows);
    add_mqtt(rows);
    add_mqtt_budgets(rows);
    add_mqtt_protection(rows);
    add_kafka(rows);
    add_groups(rows);
    add_http(rows);
    add_listener(rows, "connect.host", "connect.port", &S::connect_listener,
                 "Address of the connectors' listener (Kafka Connect's REST interface).",
                 "Port of the connectors' listener. 0: any free one, told in the ready line. off: no connectors.");
    add_connect(rows);
    add_log(rows);
    add_storage(rows);
    add_content(rows);
    add_security(rows);
    return rows;
  }());
  return schema;
}

}  // namespace millrace::app

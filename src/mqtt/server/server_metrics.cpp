#include "mqtt/server/server_metrics.h"

namespace millrace::mqtt {
namespace {

metrics::Counter& dropped(metrics::Registry& registry, const char* reason) {
  return registry.counter("millrace_mqtt_messages_dropped_total", "Messages not delivered to a subscriber",
                          {{"reason", reason}});
}

metrics::Counter& accept_pauses(metrics::Registry& registry, const char* reason) {
  return registry.counter("millrace_mqtt_accept_pauses_total", "Times that connections had to wait to be accepted",
                          {{"reason", reason}});
}

metrics::Counter* by_qos(metrics::Registry& registry, const char* name, const char* help, const char* qos) {
  return &registry.counter(name, help, {{"qos", qos}});
}

constexpr const char* kReceived = "millrace_mqtt_messages_received_total";
constexpr const char* kReceivedHelp = "PUBLISH packets taken from clients, repetitions not counted";
constexpr const char* kDelivered = "millrace_mqtt_messages_delivered_total";
constexpr const char* kDeliveredHelp = "PUBLISH packets sent to subscribers";

}  // namespace

ServerMetrics::ServerMetrics(metrics::Registry& registry)
    : connections(registry.gauge("millrace_mqtt_connections", "Connected clients")),
      subscriptions(registry.gauge("millrace_mqtt_subscriptions", "Subscriptions of connected clients")),
      connects(registry.counter("millrace_mqtt_connects_total", "CONNECT packets accepted")),
      takeovers(registry.counter("millrace_mqtt_takeovers_total",
                                 "Connections closed because their client id connected again")),
      received{by_qos(registry, kReceived, kReceivedHelp, "0"), by_qos(registry, kReceived, kReceivedHelp, "1"),
               by_qos(registry, kReceived, kReceivedHelp, "2")},
      received_bytes(registry.counter("millrace_mqtt_received_bytes_total", "Bytes of packets taken from clients")),
      payload_received(
          registry.counter("millrace_mqtt_received_payload_bytes_total", "Bytes of PUBLISH payloads from clients")),
      packets_received(registry.counter("millrace_mqtt_packets_received_total", "Packets of every kind from clients")),
      packets_sent(registry.counter("millrace_mqtt_packets_sent_total", "Packets of every kind to clients")),
      sockets(registry.counter("millrace_mqtt_sockets_total", "Connections accepted, with or without a CONNECT")),
      repeated(registry.counter("millrace_mqtt_repeated_deliveries_total",
                                "QoS 2 PUBLISH packets known already, not taken twice")),
      delivered{by_qos(registry, kDelivered, kDeliveredHelp, "0"), by_qos(registry, kDelivered, kDeliveredHelp, "1"),
                by_qos(registry, kDelivered, kDeliveredHelp, "2")},
      expired_sessions(registry.counter("millrace_mqtt_sessions_expired_total",
                                        "Sessions ended because their client did not come back in time")),
      spilled(registry.counter("millrace_mqtt_spilled_total",
                               "QoS 1 and 2 messages that wait in the log for a client that is slow")),
      dropped_slow(dropped(registry, "slow_subscriber")),
      dropped_too_large(dropped(registry, "too_large_for_subscriber")),
      dropped_crossing(dropped(registry, "loop_backlog")),
      dropped_expired(dropped(registry, "expired")),
      dropped_quota(dropped(registry, "quota")),
      dropped_unauthorized(dropped(registry, "unauthorized")),
      dropped_topic(dropped(registry, "topic_too_long")),
      sent_bytes(registry.counter("millrace_mqtt_delivered_bytes_total", "Payload bytes sent to subscribers")),
      retained_messages(registry.gauge("millrace_mqtt_retained_messages", "Retained messages")),
      retained_bytes(registry.gauge("millrace_mqtt_retained_bytes",
                                    "Bytes of topics, payloads and properties of retained messages")),
      share_groups(registry.gauge("millrace_mqtt_shared_subscriptions", "Groups of shared subscriptions")),
      refused_quota(registry.counter("millrace_mqtt_messages_refused_total", "Messages refused for want of room")),
      pauses(registry.counter("millrace_mqtt_read_pauses_total",
                              "Times a connection was not read because of back-pressure")),
      wills(registry.counter("millrace_mqtt_wills_total", "Will messages published")),
      held_bytes(registry.gauge("millrace_mqtt_held_bytes", "Bytes that connections hold, of mqtt.memory.max.bytes")),
      connects_held(registry.counter("millrace_mqtt_connects_held_total",
                                     "CONNECT packets kept waiting because their client came too soon")),
      accept_pauses_rate(accept_pauses(registry, "rate")),
      accept_pauses_memory(accept_pauses(registry, "memory")),
      registry_(registry) {}

void ServerMetrics::count_refused(protocol::ReasonCode reason) {
  registry_
      .counter("millrace_mqtt_connects_refused_total", "CONNECT packets refused",
               {{"reason", std::string(to_string(reason))}})
      .add();
}

void ServerMetrics::count_closed(protocol::ReasonCode reason) {
  registry_
      .counter("millrace_mqtt_connections_closed_total", "Connections closed by the server",
               {{"reason", std::string(to_string(reason))}})
      .add();
}

}  // namespace millrace::mqtt

#include "mqtt/server/listener_metrics.h"

namespace millrace::mqtt {
namespace {

metrics::Counter& refused(metrics::Registry& registry, const std::string& listener, const char* reason) {
  return registry.counter("millrace_mqtt_listener_refused_total",
                          "Connections that did not become a client's, by listener",
                          {{"listener", listener}, {"reason", reason}});
}

}  // namespace

ListenerMetrics::ListenerMetrics(metrics::Registry& registry, const std::string& name)
    : connections(
          registry.gauge("millrace_mqtt_listener_connections", "Connected clients, by listener", {{"listener", name}})),
      sockets(registry.counter("millrace_mqtt_listener_sockets_total",
                               "Connections accepted, with or without a CONNECT, by listener", {{"listener", name}})),
      connects(registry.counter("millrace_mqtt_listener_connects_total", "CONNECT packets accepted, by listener",
                                {{"listener", name}})),
      refused_limit(refused(registry, name, "limit")),
      refused_connect(refused(registry, name, "connect")),
      refused_before(refused(registry, name, "before_connect")),
      messages_received(registry.counter("millrace_mqtt_listener_messages_received_total",
                                         "PUBLISH packets taken from clients, repetitions not counted, by listener",
                                         {{"listener", name}})),
      messages_delivered(registry.counter("millrace_mqtt_listener_messages_delivered_total",
                                          "PUBLISH packets sent to subscribers, by listener", {{"listener", name}})),
      received_bytes(registry.counter("millrace_mqtt_listener_received_bytes_total",
                                      "Bytes of packets taken from clients, by listener", {{"listener", name}})),
      delivered_bytes(registry.counter("millrace_mqtt_listener_delivered_bytes_total",
                                       "Payload bytes sent to subscribers, by listener", {{"listener", name}})) {}

}  // namespace millrace::mqtt

// What people and programs ask about MQTT over HTTP:
//
//   GET    /api/v1/mqtt/clients?prefix=&after=&limit=     who is connected, in order of client id
//   GET    /api/v1/mqtt/sessions?prefix=&after=&limit=    and those that wait for their clients
//   GET    /api/v1/mqtt/sessions/{id}                     one, with its subscriptions
//   GET    /api/v1/mqtt/subscriptions?prefix=&after=&limit=   of all sessions: prefix, after and limit are of client
//   ids DELETE /api/v1/mqtt/clients/{id}                      closes its connection DELETE /api/v1/mqtt/sessions/{id}
//   and ends its session POST   /api/v1/mqtt/publish?topic=&qos=&retain=&content_type=   the body is the payload;
//   answered when it is durable POST   /api/v1/mqtt/request?topic=&qos=&content_type=&response_topic=&timeout_ms=
//   answered with the device's answer POST   /api/v1/mqtt/trace?client=&filter=&for_s=      packets of a client, or
//   messages on topics, to the log; 0: stop
#pragma once

#include <atomic>

#include "mqtt/server/server.h"
#include "net/http/router.h"
#include "net/loop.h"

namespace millrace::app {

/// The MQTT server, from the moment it serves. Thread: any.
class MqttService {
 public:
  void serve(mqtt::Server& server) { server_.store(&server, std::memory_order_release); }
  void stop() { server_.store(nullptr, std::memory_order_release); }
  [[nodiscard]] mqtt::Server* server() const { return server_.load(std::memory_order_acquire); }

 private:
  std::atomic<mqtt::Server*> server_{nullptr};
};

/// `loop`: the router's. Both outlive it.
void add_mqtt_routes(net::http::Router& router, MqttService& service, net::Loop& loop);

}  // namespace millrace::app

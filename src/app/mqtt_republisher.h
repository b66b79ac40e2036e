// MqttRepublisher: the republish action's way to the MQTT subscribers of all loops, from one loop. Thread: that loop's.
#pragma once

#include <cstddef>

#include "mqtt/server/server.h"
#include "pipeline/message_pipeline.h"

namespace millrace::app {

class MqttRepublisher final : public pipeline::Republisher {
 public:
  MqttRepublisher(mqtt::Server& server, std::size_t loop) : server_(server), loop_(loop) {}
  bool republish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
                 const PublishProperties& properties) override {
    return server_.publish(loop_, topic, payload, qos, retain, properties);
  }

 private:
  mqtt::Server& server_;
  std::size_t loop_;
};

}  // namespace millrace::app

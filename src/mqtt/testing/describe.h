// One line of text per control packet, for tests that compare what a client saw.
//
//   connack present=0 success | publish a/b q1 id=1 dup retain [x] | puback 5 success | suback 1 success granted_qos_1
#pragma once

#include <string>

#include "mqtt/protocol/packet.h"

namespace millrace::mqtt::testing {

inline std::string describe(const protocol::Packet& packet) {
  struct Visitor {
    static std::string text(protocol::ReasonCode reason) { return std::string(protocol::to_string(reason)); }
    std::string operator()(const protocol::Connect& p) const { return "connect " + std::string(p.client_id); }
    std::string operator()(const protocol::Connack& p) const {
      return "connack present=" + std::to_string(p.session_present ? 1 : 0) + " " + text(p.reason);
    }
    std::string operator()(const protocol::Publish& p) const {
      std::string line = "publish " + std::string(p.topic) + " q" + std::to_string(p.qos);
      if (p.qos != 0) line += " id=" + std::to_string(p.packet_id);
      if (p.duplicate) line += " dup";
      if (p.retain) line += " retain";
      p.properties.for_each([&](const protocol::Property& property) {
        line += " " + std::string(protocol::find_property(static_cast<std::uint32_t>(property.id))->name) + "=";
        line += property.text.empty() ? std::to_string(property.number) : std::string(property.text);
        if (!property.value.empty()) line += ":" + std::string(property.value);
      });
      return line + " [" + std::string(as_text(p.payload)) + "]";
    }
    std::string operator()(const protocol::PublishAck& p) const {
      constexpr const char* kNames[] = {"puback ", "pubrec ", "pubrel ", "pubcomp "};
      return kNames[static_cast<int>(p.type) - 4] + std::to_string(p.packet_id) + " " + text(p.reason);
    }
    std::string operator()(const protocol::Subscribe& p) const { return "subscribe " + std::to_string(p.packet_id); }
    std::string operator()(const protocol::Unsubscribe& p) const {
      return "unsubscribe " + std::to_string(p.packet_id);
    }
    std::string operator()(const protocol::SubscriptionAck& p) const {
      std::string line = p.type == protocol::PacketType::suback ? "suback " : "unsuback ";
      line += std::to_string(p.packet_id);
      for (const auto reason : p.reasons) line += " " + text(reason);
      return line;
    }
    std::string operator()(const protocol::Pingreq&) const { return "pingreq"; }
    std::string operator()(const protocol::Pingresp&) const { return "pingresp"; }
    std::string operator()(const protocol::Disconnect& p) const { return "disconnect " + text(p.reason); }
    std::string operator()(const protocol::Auth& p) const {
      return "auth " + text(p.reason) + " [" +
             std::string(p.properties.text(protocol::PropertyId::authentication_data)) + "]";
    }
  };
  return std::visit(Visitor{}, packet);
}

}  // namespace millrace::mqtt::testing

// A server whose memory is soon full, and clients that fill it.
#pragma once

#include <string>

#include "mqtt/testing/test_server.h"

namespace millrace::mqtt::testing {

inline constexpr std::size_t kBudget = 1'048'576;

inline Settings small(std::size_t identity = kBudget) {
  Settings settings;
  settings.max_memory = kBudget;
  settings.max_identity_bytes = identity;
  settings.max_output_bytes = 262'144;
  settings.max_queued_bytes = 524'288;
  return settings;
}

// The beginning of a PUBLISH that claims to be a little longer than what is there.
inline std::string unfinished_publish(std::size_t size) {
  Buffer out;
  protocol::Publish packet;
  packet.topic = "t";
  const std::string payload(size, 'x');
  packet.payload = as_bytes(payload);
  protocol::encode(out, packet, protocol::Version::v5);
  return std::string(as_text(out.view()).substr(0, out.size() - 1));
}

inline std::uint16_t receive_maximum_told(TestClient& client) {
  const auto frame = protocol::next_frame(as_bytes(client.raw()), 1'000);
  const auto packet = protocol::decode(*frame, protocol::Version::v5);
  const auto maximum = std::get<protocol::Connack>(*packet).properties.number(protocol::PropertyId::receive_maximum, 0);
  client.seen();
  return static_cast<std::uint16_t>(maximum);
}

}  // namespace millrace::mqtt::testing

// A connection as people see it: its state, its lifecycle events, its trace, and its end by their hand.
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

std::string_view protocol_name(protocol::Version version) {
  switch (version) {
    case protocol::Version::v3_1:
      return "3.1";
    case protocol::Version::v3_1_1:
      return "3.1.1";
    default:
      return "5.0";
  }
}

std::string_view packet_name(protocol::PacketType type) {
  constexpr std::string_view kNames[] = {"reserved", "connect",  "connack",    "publish", "puback",      "pubrec",
                                         "pubrel",   "pubcomp",  "subscribe",  "suback",  "unsubscribe", "unsuback",
                                         "pingreq",  "pingresp", "disconnect", "auth"};
  return kNames[static_cast<std::size_t>(type) & 15U];
}

}  // namespace

void Connection::describe(SessionState& state) const {
  state.connected = true;
  state.user = username_;
  state.address = source_address_;
  state.protocol = protocol_name(version_);
  state.keep_alive_s = keep_alive_s_;
  state.reading_paused = paused_ != 0;
  state.output_bytes = stream_ ? stream_->pending_bytes() : 0;
}

void Connection::disconnect_by_admin(Settled session_ended) {
  if (session_ended && owns_client_id_ && session_) {  // also when the connection is on its way out already
    session_->set_expiry_s(0);
    server_.watch_end(id_, std::move(session_ended));
  } else if (session_ended) {
    session_ended(ReceiptStatus::durable);
  }
  if (state_ != State::connected && state_ != State::entering) return;
  close({protocol::ReasonCode::administrative_action, "an administrator ended this connection"});
}

void Connection::tell(LifecycleEvent event, const std::vector<std::string>& topics) {
  const EventSubject subject{session_->client_id(), username_, source_address_, id_.value(), version_number_};
  server_.tell(event, subject, cause_, topics);
}

// The topic of a PUBLISH is looked at where it stands; what is wrong with the packet is told by whoever decodes it.
void Connection::trace_in(const Frame& frame) {
  std::string_view topic;
  std::uint16_t packet_id = 0;
  if (frame.type == protocol::PacketType::publish) {
    const auto decoded = protocol::decode_publish(frame, version_);
    if (decoded) {
      topic = decoded->topic;
      packet_id = decoded->packet_id;
    }
  }
  server_.trace_packet(session_ ? std::string_view(session_->client_id()) : std::string_view(), "in",
                       packet_name(frame.type), topic, packet_id, frame.size);
}

}  // namespace millrace::mqtt

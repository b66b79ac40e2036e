// Who the client is and what it may do (3.1.3.5, 3.1.3.6, 5.4): the certificate or the password of a CONNECT, and the
// permissions on topics that are asked at every publish, subscribe and delivery.
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

using protocol::ReasonCode;

void Connection::authenticate(const protocol::Connect& packet) {
  const AccessSettings& access = server_.settings().access;
  if (packet.properties.has(protocol::PropertyId::authentication_method)) {
    return begin_enhanced(packet.properties.text(protocol::PropertyId::authentication_method),
                          packet.properties.text(protocol::PropertyId::authentication_data));
  }
  if (const auto certificate = stream_->peer_identity()) {
    if (certificate->common_name.empty()) {
      return refuse_connect({ReasonCode::not_authorized, "the client's certificate has no common name"}, version_);
    }
    return authenticated(auth::Identity{certificate->common_name, auth::Proof::certificate});
  }
  if (!access.log_in_required) return authenticated(auth::Identity{});
  if (!packet.username || !packet.password || access.authenticator == nullptr) {
    return refuse_connect({ReasonCode::not_authorized, "a user name and a password are required"}, version_);
  }
  pause(Pause::authenticating);
  access.authenticator->check_password(std::string(*packet.username), std::string(as_text(*packet.password)),
                                       server_.executor(),
                                       [server = &server_, id = id_](const Result<auth::Identity>& verdict) {
                                         Connection* connection = server->find(id);
                                         if (connection == nullptr || connection->state_ != State::awaiting_connect)
                                           return;
                                         connection->authenticated(verdict);
                                         connection->resume(Pause::authenticating);
                                       });
}

void Connection::authenticated(const Result<auth::Identity>& verdict) {
  if (!verdict) {
    const bool busy = verdict.error().code == ErrorCode::busy;
    return refuse_connect(
        {busy ? ReasonCode::server_busy : ReasonCode::bad_user_name_or_password, verdict.error().context}, version_);
  }
  if (!verdict->anonymous()) {
    username_ = verdict->name;
    logged_in_ = true;
  }
  if (const auth::PermissionSlot* permissions = server_.settings().access.permissions) {
    access_ = std::make_shared<auth::Access>(permissions, *verdict, session_->client_id());
  }
  if (session_->will) session_->will->identity = *verdict;
  if (session_->will && access_) {
    if (!access_->may_publish(session_->will->message->message().topic)) {
      return refuse_connect({ReasonCode::not_authorized, "the will's topic is not allowed to this client"}, version_);
    }
    session_->will->access = access_;  // asked again when it fires
  }
  claim_session();
}

bool Connection::may_receive(std::string_view topic) {
  if (!access_ || access_->may_receive(topic)) return true;
  server_.metrics().dropped_unauthorized.add();
  return false;
}

// A 5.0 client is told; a 3.1.1 client can only be told "taken", which would be untrue, or be disconnected
// (3.1.1: [MQTT-3.3.5-2]). QoS 0 is dropped without a word.
void Connection::refuse_unauthorized(const protocol::Publish& packet) {
  server_.metrics().dropped_unauthorized.add();
  refuse_with(packet, ReasonCode::not_authorized, "publishes to a topic that is not allowed");
}

void Connection::refuse_with(const protocol::Publish& packet, ReasonCode reason, const char* why) {
  if (packet.qos == 0) return;
  hand_over_batch();  // acknowledgements leave in the order of their messages
  --unsettled_;
  restore_quota();
  if (packet.qos == 2) session_->received.erase(packet.packet_id);
  if (!v5()) return close({reason, why});
  send_ack(packet.qos == 1 ? protocol::PacketType::puback : protocol::PacketType::pubrec, packet.packet_id, reason);
}

}  // namespace millrace::mqtt

// Enhanced authentication (4.12): SCRAM-SHA-256 and SCRAM-SHA-512 before CONNACK, and again on a connection that stays.
//
//   CONNECT(method, client first) -> AUTH 0x18 (server first) -> AUTH 0x18 (client final) -> CONNACK (server final)
//   AUTH 0x19 (client first)      -> AUTH 0x18 (server first) -> AUTH 0x18 (client final) -> AUTH 0x00 (server final)
#include "mqtt/protocol/encoder.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PropertyId;
using protocol::ReasonCode;

std::optional<auth::ScramKind> scram_kind(std::string_view method) {
  for (const auth::ScramKind kind : {auth::ScramKind::sha256, auth::ScramKind::sha512}) {
    if (method == to_string(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

bool Connection::knows_method(std::string_view method) const {
  return server_.settings().access.authenticator != nullptr && scram_kind(method).has_value();
}

// Requires a method that is known.
void Connection::begin_enhanced(std::string_view method, std::string_view data) {
  enhanced_ = std::make_unique<Enhanced>(Enhanced{std::string(method), std::nullopt, {}});
  start_exchange();
  step_enhanced(data);
}

void Connection::start_exchange() {
  enhanced_->exchange.emplace(server_.settings().access.authenticator->begin_scram(*scram_kind(enhanced_->method)));
}

// One message of the client's; the answer is AUTH, or what ends the exchange.
void Connection::step_enhanced(std::string_view data) {
  auth::Authenticator& authenticator = *server_.settings().access.authenticator;
  auto answer = enhanced_->exchange->step(data);
  if (!answer) {
    authenticator.count(auth::Proof::scram, false);
    const Refusal refusal{ReasonCode::not_authorized, "the authentication failed (4.12)"};
    if (state_ == State::connected) return close(refusal);
    return refuse_connect(refusal, version_);
  }
  if (!enhanced_->exchange->done()) return send_auth(ReasonCode::continue_authentication, *answer);
  authenticator.count(auth::Proof::scram, true);
  const auth::Identity identity{enhanced_->exchange->user(), auth::Proof::scram};
  enhanced_->exchange.reset();
  if (state_ == State::connected) {
    if (identity.name != username_) {
      return close({ReasonCode::not_authorized, "authenticated again as somebody else (4.12.1)"});
    }
    return send_auth(ReasonCode::success, *answer);
  }
  enhanced_->server_final = std::move(*answer);
  authenticated(identity);
}

void Connection::send_auth(ReasonCode reason, std::string_view data) {
  Buffer block;
  protocol::PropertyWriter(block)
      .add(PropertyId::authentication_method, std::string_view(enhanced_->method))
      .add(PropertyId::authentication_data, data);
  protocol::Auth packet{reason, *protocol::validate_properties(block.view(), protocol::PacketType::auth)};
  protocol::encode(stream_->output(), packet, version_);
  server_.count_packets_sent(1);
  stream_->mark_dirty();
}

void Connection::take_auth(const Frame& frame) {
  if (!v5()) return close({ReasonCode::malformed_packet, "packet type 15 is reserved (3.1.1: 2.2.1)"});
  const auto refuse = [this](ReasonCode reason, const char* why) {
    const Refusal refusal{reason, why};
    if (state_ == State::connected) return close(refusal);
    refuse_connect(refusal, version_);
  };
  const auto packet = protocol::decode_auth(frame, version_);
  if (!packet) return refuse(packet.error().reason, packet.error().why);
  if (!enhanced_) {
    return refuse(ReasonCode::protocol_error, "AUTH without an authentication method in CONNECT [MQTT-4.12.0-7]");
  }
  if (packet->properties.text(PropertyId::authentication_method) != enhanced_->method) {
    return refuse(ReasonCode::bad_authentication_method, "another method than in CONNECT [MQTT-4.12.0-5]");
  }
  const std::string_view data = packet->properties.text(PropertyId::authentication_data);
  if (packet->reason == ReasonCode::re_authenticate) {
    if (state_ != State::connected || enhanced_->exchange) {
      return refuse(ReasonCode::protocol_error, "re-authentication in the middle of an authentication (4.12.1)");
    }
    start_exchange();
  } else if (packet->reason != ReasonCode::continue_authentication || !enhanced_->exchange) {
    return refuse(ReasonCode::protocol_error, "AUTH that continues nothing (3.15.2.1)");
  }
  step_enhanced(data);
}

}  // namespace millrace::mqtt

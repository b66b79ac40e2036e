// SaslHandshake (KIP-43): the client names its mechanism. Version 0 is followed by bare tokens, version 1 by
// SaslAuthenticate requests (KIP-152).
#include "kafka/protocol/messages/sasl_handshake.h"

#include <algorithm>

#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_sasl_handshake([[maybe_unused]] Endpoint& endpoint, Request request) {
  const auto message = request.decode<SaslHandshakeRequest>();
  if (!message) return request.malformed(message.error());
  SaslHandshakeResponse response;
  Connection& connection = request.connection();
  if (connection.sasl() == nullptr) {
    response.error_code = code(KafkaError::illegal_sasl_state);  // this listener asks for no log-in
    return request.respond(response);
  }
  const std::vector<SaslMechanism>& allowed = connection.listener().sasl;
  for (const SaslMechanism mechanism : allowed) response.mechanisms.push_back(to_string(mechanism));
  const auto chosen = mechanism_named(message->mechanism);
  if (chosen && std::ranges::find(allowed, *chosen) != allowed.end()) {
    connection.sasl()->begin(*chosen, request.version() == 0);
  } else {
    response.error_code = code(KafkaError::unsupported_sasl_mechanism);
  }
  request.respond(response);
}

}  // namespace millrace::kafka

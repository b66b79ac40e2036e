// SaslAuthenticate (KIP-152): one token of the mechanism that SaslHandshake chose. The answer to a wrong one comes with
// a delay and is the connection's last.
#include "kafka/protocol/messages/sasl_authenticate.h"

#include "kafka/server/error_codes.h"
#include "kafka/server/log_in.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_sasl_authenticate([[maybe_unused]] Endpoint& endpoint, Request request) {
  const auto message = request.decode<SaslAuthenticateRequest>();
  if (!message) return request.malformed(message.error());
  const auto connection = request.connection().shared_from_this();
  if (connection->sasl() == nullptr || !connection->sasl()->begun()) {
    SaslAuthenticateResponse response;
    response.error_code = code(KafkaError::illegal_sasl_state);
    response.error_message = "SaslHandshake comes first";
    request.respond(response);
    return request.close(CloseReason::log_in_refused, "SaslAuthenticate without SaslHandshake");
  }
  log_in(connection, message->auth_bytes, [request = std::move(request)](const LogInStep& step) mutable {
    SaslAuthenticateResponse response;
    response.error_message = std::nullopt;
    if (step.error) {
      response.error_code = code(KafkaError::sasl_authentication_failed);
      response.error_message = *step.error;
      request.respond(response);
      return request.close(CloseReason::log_in_refused, *step.error);
    }
    response.auth_bytes = as_bytes(step.token);
    response.session_lifetime_ms = step.lifetime_ms;
    request.respond(response);
  });
}

}  // namespace millrace::kafka

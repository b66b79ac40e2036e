// ApiVersions (KIP-35, KIP-511): the handler list, read out. No features are named: clients then stay with classic
// groups.
#include "kafka/protocol/messages/api_versions.h"

#include "kafka/server/error_codes.h"
#include "kafka/server/handlers.h"

namespace millrace::kafka {

void handle_api_versions([[maybe_unused]] Endpoint& endpoint, Request request) {
  const Handler& self = *find_handler(static_cast<std::int16_t>(ApiKey::api_versions));
  ApiVersionsResponse response;
  if (request.version() < self.first_served || request.version() > self.last) {
    response.error_code = code(KafkaError::unsupported_version);
    response.api_keys.push_back({request.header().api_key, self.first_advertised, self.last});
    return request.respond_at(response, 0);
  }
  if (const auto message = request.decode<ApiVersionsRequest>(); !message) return request.malformed(message.error());
  response.api_keys.reserve(handlers().size());
  for (const Handler& handler : handlers()) {
    response.api_keys.push_back({static_cast<std::int16_t>(handler.key), handler.first_advertised, handler.last});
  }
  request.respond(response);
}

}  // namespace millrace::kafka

// ApiVersions (KIP-35, KIP-511): the list of served APIs, read out. No features are named: clients then stay with
// classic groups.
#include "kafka/protocol/messages/api_versions.h"

#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_api_versions([[maybe_unused]] Endpoint& endpoint, Request request) {
  const ServedApi& self = *find_served_api(static_cast<std::int16_t>(ApiKey::api_versions));
  ApiVersionsResponse response;
  if (request.version() < self.first_served || request.version() > self.last) {
    response.error_code = code(KafkaError::unsupported_version);
    response.api_keys.push_back({request.header().api_key, self.first_advertised, self.last});
    return request.respond_at(response, 0);
  }
  if (const auto message = request.decode<ApiVersionsRequest>(); !message) return request.malformed(message.error());
  response.api_keys.reserve(served_apis().size());
  for (const ServedApi& api : served_apis()) {
    response.api_keys.push_back({static_cast<std::int16_t>(api.key), api.first_advertised, api.last});
  }
  request.respond(response);
}

}  // namespace millrace::kafka

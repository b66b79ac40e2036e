// FindCoordinator (KIP-699: several keys from version 4 on). This node coordinates every consumer group; there is
// nobody for transactions or share groups, which is said in a way that no client tries again.
#include "kafka/protocol/messages/find_coordinator.h"

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {
namespace {

constexpr std::int8_t kGroup = 0;
constexpr std::int8_t kTransaction = 1;

}  // namespace

void handle_find_coordinator(Endpoint& endpoint, Request request) {
  const auto message = request.decode<FindCoordinatorRequest>();
  if (!message) return request.malformed(message.error());
  const ServerSettings& settings = endpoint.settings();
  const ListenerSettings& listener = request.connection().listener();
  FindCoordinatorResponse::Coordinator found{.key = {},
                                             .node_id = settings.node_id,
                                             .host = listener.advertised_host,
                                             .port = listener.advertised_port,
                                             .error_code = code(KafkaError::none),
                                             .error_message = std::nullopt};
  if (message->key_type != kGroup) {
    const bool transaction = message->key_type == kTransaction;
    found = {.key = {},
             .node_id = -1,
             .host = {},
             .port = -1,
             .error_code = code(KafkaError::invalid_request),
             .error_message = transaction ? "transactions are not supported" : "share groups are not supported"};
  }
  FindCoordinatorResponse response;
  const FindCoordinatorResponse::Coordinator refused{.key = {},
                                                     .node_id = -1,
                                                     .host = {},
                                                     .port = -1,
                                                     .error_code = code(KafkaError::group_authorization_failed),
                                                     .error_message = std::nullopt};
  const auto may_find = [&](std::string_view key) {
    return message->key_type != kGroup || may_group(request, AclOperation::describe, key);
  };
  if (request.version() < 4) {
    if (!may_find(message->key)) found = refused;
    response.error_code = found.error_code;
    response.error_message = found.error_message;
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
    return request.respond(response);
  }
  for (const std::string_view key : message->coordinator_keys) {
    response.coordinators.push_back(may_find(key) ? found : refused);
    response.coordinators.back().key = key;
  }
  request.respond(response);
}

}  // namespace millrace::kafka

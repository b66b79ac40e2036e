// InitProducerId (KIP-98): a producer id for an idempotent producer. Without a transactional id every request gets a
// fresh id, also one that names its old id and epoch (KIP-360), as Apache Kafka does.
#include "kafka/protocol/messages/init_producer_id.h"

#include "auth/acl_access.h"
#include "base/log.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"

namespace millrace::kafka {

void handle_init_producer_id(Endpoint& endpoint, Request request) {
  const auto message = request.decode<InitProducerIdRequest>();
  if (!message) return request.malformed(message.error());
  if (message->transactional_id) {
    // An answer that is final for every client; its text there names a request that the broker does not support.
    log::warn("kafka_transactions_not_supported",
              {{"peer", request.connection().peer()}, {"transactional_id", *message->transactional_id}});
    InitProducerIdResponse response;
    response.error_code = code(KafkaError::invalid_request);
    return request.respond(response);
  }
  // Whoever may write some topic may do so idempotently (KIP-679).
  auth::AclAccess* const access = request.connection().access();
  if (access != nullptr && !may_cluster(request, AclOperation::idempotent_write) &&
      !access->may_any(AclOperation::write, auth::AclResource::topic)) {
    InitProducerIdResponse response;
    response.error_code = code(KafkaError::cluster_authorization_failed);
    return request.respond(response);
  }
  endpoint.log().next_producer_id(endpoint.executor(), [request = std::move(request)](Result<ProducerId> id) mutable {
    InitProducerIdResponse response;
    if (id) {
      response.producer_id = id->value();
    } else {
      response.error_code = code(to_kafka(id.error().code));
    }
    request.respond(response);
  });
}

}  // namespace millrace::kafka

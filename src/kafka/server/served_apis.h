// The list of served APIs. It is the dispatch table, the answer to ApiVersions and (through a test)
// docs/reference/kafka-api.md: what is not in it is not advertised and not served.
#pragma once

#include <span>
#include <string_view>

#include "kafka/protocol/messages/api_keys.h"
#include "kafka/server/request.h"

namespace millrace::kafka {

class Endpoint;

struct ServedApi {
  ApiKey key;
  std::int16_t first_advertised;
  std::int16_t first_served;  // versions below it are advertised only; a request with one closes the connection
  std::int16_t last;
  void (*handle)(Endpoint& endpoint, Request request);
  std::string_view note;  // for the reference page
  [[nodiscard]] const ApiCodec& codec() const;
};

/// In order of the key.
[[nodiscard]] std::span<const ServedApi> served_apis();
[[nodiscard]] const ServedApi* find_served_api(std::int16_t api_key);

// Each in a file of its own name.
void handle_produce(Endpoint& endpoint, Request request);
void handle_fetch(Endpoint& endpoint, Request request);
void handle_list_offsets(Endpoint& endpoint, Request request);
void handle_metadata(Endpoint& endpoint, Request request);
void handle_find_coordinator(Endpoint& endpoint, Request request);
void handle_sasl_handshake(Endpoint& endpoint, Request request);
void handle_sasl_authenticate(Endpoint& endpoint, Request request);
void handle_describe_user_scram_credentials(Endpoint& endpoint, Request request);
void handle_alter_user_scram_credentials(Endpoint& endpoint, Request request);
void handle_api_versions(Endpoint& endpoint, Request request);
void handle_create_topics(Endpoint& endpoint, Request request);
void handle_delete_topics(Endpoint& endpoint, Request request);
void handle_init_producer_id(Endpoint& endpoint, Request request);
void handle_offset_for_leader_epoch(Endpoint& endpoint, Request request);
void handle_describe_cluster(Endpoint& endpoint, Request request);
void handle_offset_commit(Endpoint& endpoint, Request request);
void handle_offset_fetch(Endpoint& endpoint, Request request);
void handle_offset_delete(Endpoint& endpoint, Request request);
void handle_join_group(Endpoint& endpoint, Request request);
void handle_sync_group(Endpoint& endpoint, Request request);
void handle_heartbeat(Endpoint& endpoint, Request request);
void handle_leave_group(Endpoint& endpoint, Request request);
void handle_list_groups(Endpoint& endpoint, Request request);
void handle_describe_groups(Endpoint& endpoint, Request request);
void handle_delete_groups(Endpoint& endpoint, Request request);
void handle_delete_records(Endpoint& endpoint, Request request);
void handle_describe_configs(Endpoint& endpoint, Request request);
void handle_alter_configs(Endpoint& endpoint, Request request);
void handle_describe_log_dirs(Endpoint& endpoint, Request request);
void handle_create_partitions(Endpoint& endpoint, Request request);
void handle_elect_leaders(Endpoint& endpoint, Request request);
void handle_incremental_alter_configs(Endpoint& endpoint, Request request);
void handle_alter_partition_reassignments(Endpoint& endpoint, Request request);
void handle_list_partition_reassignments(Endpoint& endpoint, Request request);
void handle_describe_acls(Endpoint& endpoint, Request request);
void handle_create_acls(Endpoint& endpoint, Request request);
void handle_delete_acls(Endpoint& endpoint, Request request);
void handle_describe_client_quotas(Endpoint& endpoint, Request request);
void handle_alter_client_quotas(Endpoint& endpoint, Request request);
void handle_describe_producers(Endpoint& endpoint, Request request);

}  // namespace millrace::kafka

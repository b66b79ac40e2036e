#include "kafka/server/served_apis.h"

#include "kafka/protocol/header.h"

namespace millrace::kafka {
namespace {

// librdkafka up to 2.11 looks for single versions instead of ranges: it compresses only when Produce v0 is advertised,
// LZ4 only when FindCoordinator v0 is as well, and has groups only with version 0 of their APIs and OffsetFetch v1. So
// all of them are, as Apache Kafka 4 lists Produce v0 to v2 for the same reason (KAFKA-18659).
constexpr ServedApi kServedApis[] = {
    {ApiKey::produce, 0, 3, 11, &handle_produce,
     "Versions 0 to 2 are listed for librdkafka before 2.11, which compresses only then; a request with one closes the "
     "connection. "
     "acks 0, 1 and all; every acknowledged batch is on disk. Several v2 batches per partition are taken."},
    {ApiKey::fetch, 4, 4, 12, &handle_fetch,
     "Long polling. No sessions: session id 0. Both isolation levels read to the high watermark."},
    {ApiKey::list_offsets, 1, 1, 8, &handle_list_offsets,
     "Earliest, latest, by timestamp, maximum timestamp (-3), earliest local (-4)."},
    {ApiKey::metadata, 0, 0, 12, &handle_metadata,
     "Creates missing topics when the request and auto.create.topics.enable allow it."},
    {ApiKey::offset_commit, 2, 2, 9, &handle_offset_commit, "Answered when the offsets are on disk."},
    {ApiKey::offset_fetch, 1, 1, 9, &handle_offset_fetch, "Several groups from version 8 on. Every offset is stable."},
    {ApiKey::find_coordinator, 0, 0, 5, &handle_find_coordinator,
     "This node coordinates every group. Transactions and share groups are answered with INVALID_REQUEST."},
    {ApiKey::join_group, 0, 0, 9, &handle_join_group,
     "Classic groups: every assignor, static members, cooperative rebalances."},
    {ApiKey::heartbeat, 0, 0, 4, &handle_heartbeat, ""},
    {ApiKey::leave_group, 0, 0, 5, &handle_leave_group, "Several members from version 3 on."},
    {ApiKey::sync_group, 0, 0, 5, &handle_sync_group, "Answered when the group's metadata is on disk."},
    {ApiKey::describe_groups, 0, 0, 5, &handle_describe_groups, ""},
    {ApiKey::list_groups, 0, 0, 5, &handle_list_groups, "Filters by state and type; every group is classic."},
    {ApiKey::sasl_handshake, 0, 0, 1, &handle_sasl_handshake,
     "PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, as the listener allows. After version 0 tokens come without headers."},
    {ApiKey::api_versions, 0, 0, 4, &handle_api_versions,
     "An unknown version is answered with error 35 in version 0 (KIP-511)."},
    {ApiKey::create_topics, 0, 0, 7, &handle_create_topics,
     "A topic has one replica: a larger replication factor is clamped, or refused when kafka.clamp.replication.factor "
     "is false; "
     "assignments may name this node only."},
    {ApiKey::delete_topics, 1, 1, 6, &handle_delete_topics, "By name, from version 6 by id too."},
    {ApiKey::delete_records, 0, 0, 2, &handle_delete_records, "-1 is the high watermark."},
    {ApiKey::init_producer_id, 0, 0, 4, &handle_init_producer_id,
     "Idempotent producers. A transactional id is answered with INVALID_REQUEST."},
    {ApiKey::offset_for_leader_epoch, 2, 2, 4, &handle_offset_for_leader_epoch, "One leader, one epoch: 0."},
    {ApiKey::describe_acls, 1, 1, 2, &handle_describe_acls,
     "ACLs of the permissions file and of the log. SECURITY_DISABLED unless kafka.authorization is acls."},
    {ApiKey::create_acls, 1, 1, 2, &handle_create_acls,
     "Answered when they are on disk. Topics, groups, the cluster, transactional ids; principals of type User."},
    {ApiKey::delete_acls, 1, 1, 2, &handle_delete_acls, "Those of the permissions file are refused one by one."},
    {ApiKey::describe_configs, 1, 1, 4, &handle_describe_configs,
     "Topics, and the broker: every setting of the program, read-only. With sources, synonyms, types, documentation."},
    {ApiKey::alter_configs, 0, 0, 2, &handle_alter_configs, "Topics only."},
    {ApiKey::describe_log_dirs, 1, 1, 4, &handle_describe_log_dirs, "One directory."},
    {ApiKey::sasl_authenticate, 0, 0, 2, &handle_sasl_authenticate,
     "Session lifetime by connections.max.reauth.ms (KIP-368)."},
    {ApiKey::create_partitions, 0, 0, 3, &handle_create_partitions, "Assignments may name this node only."},
    {ApiKey::delete_groups, 0, 0, 2, &handle_delete_groups, "Groups without members."},
    {ApiKey::elect_leaders, 0, 0, 2, &handle_elect_leaders, "Never needed: answers ELECTION_NOT_NEEDED."},
    {ApiKey::incremental_alter_configs, 0, 0, 1, &handle_incremental_alter_configs,
     "Topics only. Set, delete, append and subtract."},
    {ApiKey::alter_partition_reassignments, 0, 0, 0, &handle_alter_partition_reassignments,
     "A partition can only be given to the node that has it."},
    {ApiKey::list_partition_reassignments, 0, 0, 0, &handle_list_partition_reassignments, "There never are any."},
    {ApiKey::offset_delete, 0, 0, 0, &handle_offset_delete, "Of topics the group does not subscribe to."},
    {ApiKey::describe_client_quotas, 0, 0, 1, &handle_describe_client_quotas, "There are no quotas: finds nothing."},
    {ApiKey::alter_client_quotas, 0, 0, 1, &handle_alter_client_quotas,
     "Setting a quota is refused with INVALID_REQUEST; removing one succeeds."},
    {ApiKey::describe_user_scram_credentials, 0, 0, 0, &handle_describe_user_scram_credentials,
     "Users of the password file and of the log."},
    {ApiKey::alter_user_scram_credentials, 0, 0, 0, &handle_alter_user_scram_credentials,
     "4,096 to 16,384 iterations. On a listener with log-in only by users named in super.users, or whom ACLs let alter "
     "the "
     "cluster."},
    {ApiKey::describe_cluster, 0, 0, 1, &handle_describe_cluster, "One broker, which is the controller."},
    {ApiKey::describe_producers, 0, 0, 0, &handle_describe_producers, "Idempotent producers of a partition."},
};

}  // namespace

const ApiCodec& ServedApi::codec() const {
  return *find_codec(static_cast<std::int16_t>(key));
}

std::span<const ServedApi> served_apis() {
  return kServedApis;
}

const ServedApi* find_served_api(std::int16_t api_key) {
  for (const ServedApi& api : kServedApis) {
    if (static_cast<std::int16_t>(api.key) == api_key) return &api;
  }
  return nullptr;
}

}  // namespace millrace::kafka

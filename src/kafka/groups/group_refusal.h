// What is answered while the groups of a loop cannot be asked: they are being loaded, could not be, or are stopping.
// While loading, a heartbeat is taken for good and a SyncGroup begins again, so that members which were there before a
// restart stay (GroupCoordinator.validateGroupStatus and its callers).
#pragma once

#include "kafka/groups/group_events.h"

namespace millrace::kafka {

inline JoinGroupResult refused(const JoinGroup& request, KafkaError error) {
  return {.error = error, .member_id = request.member_id};
}
inline SyncGroupResult refused(const SyncGroup& /*request*/, KafkaError error) {
  return {.error = error == KafkaError::coordinator_load_in_progress ? KafkaError::rebalance_in_progress : error};
}
inline KafkaError refused(const Heartbeat& /*request*/, KafkaError error) {
  return error == KafkaError::coordinator_load_in_progress ? KafkaError::none : error;
}
inline LeaveGroupResult refused(const LeaveGroup& /*request*/, KafkaError error) {
  return {.error = error};
}
inline OffsetCommitResult refused(const OffsetCommit& request, KafkaError error) {
  return OffsetCommitResult(request.entries.size(), error);
}
inline OffsetFetchResult refused(const OffsetFetch& /*request*/, KafkaError error) {
  return {.error = error};
}
inline OffsetDeleteResult refused(const OffsetDelete& /*request*/, KafkaError error) {
  return {.error = error};
}
inline KafkaError refused(const DeleteGroup& /*request*/, KafkaError error) {
  return error;
}
inline GroupDescription refused(const DescribeGroup& request, KafkaError error) {
  return {.error = error, .group = request.group};
}
inline ListGroupsResult refused(const ListGroups& /*request*/, KafkaError error) {
  return {.error = error};
}

}  // namespace millrace::kafka

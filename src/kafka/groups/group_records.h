// What a coordinator keeps in __consumer_offsets: records in Apache Kafka's own key and value format, so that Kafka's
// tools print them. docs/formats/consumer-offsets.md.
//
//   OffsetCommitKey     i16 version 1, string group, string topic, i32 partition
//   OffsetCommitValue   i16 version 3, i64 offset, i32 leader epoch, string metadata, i64 commit time
//                       i16 version 1, i64 offset, string metadata, i64 commit time, i64 expiry time   (when it has
//                       one)
//   GroupMetadataKey    i16 version 2, string group
//   GroupMetadataValue  i16 version 3, string protocol type, i32 generation, nullable protocol, nullable leader,
//                       i64 state time, array of {member id, nullable instance, client id, client host,
//                       i32 rebalance timeout, i32 session timeout, bytes subscription, bytes assignment}
//
// A null value is a tombstone. Versions 0 to 3 of both values are read (version 4 is flexible and not written by us).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "kafka/groups/group_events.h"

namespace millrace::kafka {

/// A record as it is handed to the log: no value is a tombstone.
struct GroupRecord {
  std::string key;
  std::optional<std::string> value;
};

struct StoredOffset {
  GroupOffset offset;
  std::int64_t commit_time_ms = -1;
  std::optional<std::int64_t> expire_time_ms = std::nullopt;
};

struct StoredMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = 0;
  std::int32_t session_timeout_ms = 0;
  std::string subscription;
  std::string assignment;
};

struct StoredGroup {
  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::int64_t state_time_ms = -1;
  std::vector<StoredMember> members;
};

struct OffsetKey {
  std::string group;
  GroupPartition partition;
};
struct GroupKey {
  std::string group;
};
/// Another kind of record (a share group's, or a later version): not ours to judge, skipped.
struct OtherKey {};
using GroupRecordKey = std::variant<OffsetKey, GroupKey, OtherKey>;

[[nodiscard]] GroupRecord offset_record(std::string_view group, const GroupPartition& partition,
                                        const StoredOffset& offset);
[[nodiscard]] GroupRecord offset_tombstone(std::string_view group, const GroupPartition& partition);
[[nodiscard]] GroupRecord group_record(std::string_view group, const StoredGroup& value);
[[nodiscard]] GroupRecord group_tombstone(std::string_view group);

/// Errors: malformed; unsupported_version for a value of a later version.
Result<GroupRecordKey> parse_group_key(ByteView key);
Result<StoredOffset> parse_offset_value(ByteView value);
Result<StoredGroup> parse_group_value(ByteView value);

/// Kafka's Utils.abs(group.hashCode()) % partitions: Java's hash over the UTF-16 form of the name.
[[nodiscard]] std::int32_t offsets_partition(std::string_view group, std::int32_t partitions);

}  // namespace millrace::kafka

// What a GroupCoordinator is asked and what it answers: Kafka's group requests without their wire form. Every value is
// owned, because it crosses from the loop of a connection to the loop of the group. Metadata and assignments are opaque
// bytes of the clients. An absent error is KafkaError::none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kafka/server/error_codes.h"

namespace millrace::kafka {

template <class Result>
using Reply = std::move_only_function<void(Result)>;

/// The two times of an event.
struct Now {
  MonoTime mono;  // for every timeout
  WallTime wall;  // for what is stored: commit times, offset expiry
};

struct GroupProtocol {
  std::string name;      // of an assignor: "range", "cooperative-sticky"
  std::string metadata;  // the member's subscription
  bool operator==(const GroupProtocol&) const = default;
};

struct JoinGroup {
  std::string group;
  std::string member_id;                   // empty: not yet known
  std::optional<std::string> instance_id;  // of a static member (KIP-345)
  std::string client_id;
  std::string client_host;
  std::chrono::milliseconds session_timeout{};
  std::chrono::milliseconds rebalance_timeout{};
  std::string protocol_type;  // "consumer", "connect"
  std::vector<GroupProtocol> protocols;
  bool needs_member_id = false;       // from version 4: an unknown dynamic member is told its id first (KIP-394)
  bool can_skip_assignment = false;   // from version 9 (KIP-814)
  std::optional<std::string> reason;  // for the log (KIP-800)
};

struct JoinedMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string metadata;
};

struct JoinGroupResult {
  KafkaError error = KafkaError::none;
  std::string member_id = {};
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type = std::nullopt;
  std::optional<std::string> protocol = std::nullopt;
  std::string leader = {};
  bool skip_assignment = false;
  std::vector<JoinedMember> members = {};  // for the leader only
};

struct MemberAssignment {
  std::string member_id;
  std::string assignment;
};

struct SyncGroup {
  std::string group;
  std::int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<std::string> protocol_type;  // checked when given (version 5, KIP-559)
  std::optional<std::string> protocol;
  std::vector<MemberAssignment> assignments;  // of the leader
};

struct SyncGroupResult {
  KafkaError error = KafkaError::none;
  std::optional<std::string> protocol_type = std::nullopt;
  std::optional<std::string> protocol = std::nullopt;
  std::string assignment = {};
};

struct Heartbeat {
  std::string group;
  std::int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> instance_id;
};

struct LeavingMember {
  std::string member_id;  // may be empty when the instance is named
  std::optional<std::string> instance_id;
  std::optional<std::string> reason;
};

struct LeaveGroup {
  std::string group;
  std::vector<LeavingMember> members;
};

struct LeaveGroupResult {
  KafkaError error = KafkaError::none;
  std::vector<KafkaError> members = {};  // one each, in the order of the request; empty with an error
};

struct GroupPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const GroupPartition&) const = default;
};

struct GroupOffset {
  std::int64_t offset = -1;  // -1: nothing committed
  std::int32_t leader_epoch = -1;
  std::string metadata = {};
  bool operator==(const GroupOffset&) const = default;
};

struct OffsetCommit {
  struct Entry {
    GroupPartition partition;
    GroupOffset offset;
  };
  std::string group = {};
  std::int32_t generation = -1;  // negative, with an empty member id: a simple consumer
  std::string member_id = {};
  std::optional<std::string> instance_id = std::nullopt;
  std::optional<std::chrono::milliseconds> retention = std::nullopt;  // versions 2 to 4
  std::vector<Entry> entries = {};
};
/// One error per entry, in the order of the request.
using OffsetCommitResult = std::vector<KafkaError>;

struct OffsetFetch {
  std::string group;
  std::optional<std::vector<GroupPartition>> partitions;  // none: everything committed
};

struct OffsetFetchResult {
  struct Entry {
    GroupPartition partition;
    GroupOffset offset;
  };
  KafkaError error = KafkaError::none;
  std::vector<Entry> entries = {};  // in the order of the request, or of the names
};

struct OffsetDelete {
  std::string group;
  std::vector<GroupPartition> partitions;
};

struct OffsetDeleteResult {
  KafkaError error = KafkaError::none;
  std::vector<KafkaError> partitions = {};  // one each, in the order of the request; empty with an error
};

struct DeleteGroup {
  std::string group;
};

struct DescribeGroup {
  std::string group;
};

struct DescribedMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::string metadata;
  std::string assignment;
};

enum class GroupState : std::uint8_t { preparing_rebalance, completing_rebalance, stable, dead, empty };
/// Kafka's words, which are part of the protocol: "PreparingRebalance", "Stable".
[[nodiscard]] std::string_view to_string(GroupState state);

struct GroupDescription {
  KafkaError error = KafkaError::none;
  std::string group = {};
  GroupState state = GroupState::dead;
  std::string protocol_type = {};
  std::string protocol = {};
  std::vector<DescribedMember> members = {};
};

struct ListedGroup {
  std::string group;
  std::string protocol_type;
  GroupState state = GroupState::dead;
};

struct ListGroups {};

struct ListGroupsResult {
  KafkaError error = KafkaError::none;
  std::vector<ListedGroup> groups = {};
};

}  // namespace millrace::kafka

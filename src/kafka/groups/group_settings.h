// GroupSettings: what the configuration says about consumer groups, under Kafka's names. Kafka's defaults unless a
// comment says why not (GroupCoordinatorConfig).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/bytes.h"

namespace millrace::kafka {

struct GroupSettings {
  std::chrono::milliseconds min_session_timeout{6'000};      // group.min.session.timeout.ms
  std::chrono::milliseconds max_session_timeout{1'800'000};  // group.max.session.timeout.ms
  /// group.initial.rebalance.delay.ms. Kafka: 3 s, for fleets of servers that start together. Half a second is enough
  /// for the members of one program, and shows in every start of a console consumer.
  std::chrono::milliseconds initial_rebalance_delay{500};
  std::int32_t max_members = 10'000;  // group.max.size; Kafka: no limit
  std::int32_t max_groups = 100'000;  // kafka.max.groups; Kafka: no limit
  /// offsets.retention.minutes: how long offsets are kept after the last member is gone (KIP-211).
  std::int32_t offsets_retention_minutes = 10'080;
  std::chrono::milliseconds retention_check_interval{600'000};  // offsets.retention.check.interval.ms
  std::int32_t max_metadata_bytes = 4096;                       // offset.metadata.max.bytes
  /// offsets.topic.num.partitions, when the topic is made. Kafka: 50, to spread groups over brokers; here they are
  /// spread over the loops of one.
  std::int32_t offsets_partitions = 8;
  std::int64_t offsets_segment_bytes = 104'857'600;  // offsets.topic.segment.bytes
  /// max.message.bytes of the offsets topic: the largest group (its members' subscriptions and assignments).
  std::int32_t max_record_bytes = 16 * 1024 * 1024;

  [[nodiscard]] std::chrono::milliseconds offsets_retention() const {
    return std::chrono::minutes(offsets_retention_minutes);
  }
};

/// A new member that does not come back for its answer is given up after so long (Kafka's NewMemberJoinTimeoutMs).
inline constexpr std::chrono::minutes kNewMemberJoinTimeout{5};

}  // namespace millrace::kafka

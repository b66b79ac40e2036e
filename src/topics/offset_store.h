// OffsetStore: the committed offsets of consumer groups, for users inside this process (a connector's sink commits as
// group "connect-<name>"). They are the same offsets that Kafka's OffsetCommit and OffsetFetch write and read, so
// kafka-consumer-groups shows and resets them. Implemented by kafka/groups.
//
// Thread: any; answers are posted to the Executor named in the call, which must outlive them.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/executor.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/topic_partition.h"

namespace millrace::topics {

struct CommittedOffset {
  Offset offset;              // the next record to be read
  std::string metadata = {};  // free text, at most offset.metadata.max.bytes
  auto operator<=>(const CommittedOffset&) const = default;
};

using CommittedOffsets = std::map<TopicPartition, CommittedOffset>;

class OffsetStore {
 public:
  virtual ~OffsetStore() = default;

  using CommitDone = std::move_only_function<void(Result<void>)>;
  /// Commits as a simple consumer (no membership). `done` with success: all of them are durable, and a fetch() that is
  /// called from now on sees them. Commits of one group take effect in the order of the calls. On an error none is
  /// promised. Errors: busy (members of a consumer group by that name are active), unavailable (groups are being
  /// loaded, or the log does not take it now: try again), too_large (metadata), invalid_argument (group name, negative
  /// offset), closed (stopping).
  virtual void commit(std::string group, CommittedOffsets offsets, Executor& reply_to, CommitDone done) = 0;

  using FetchDone = std::move_only_function<void(Result<CommittedOffsets>)>;
  /// Everything the group has committed; empty for an unknown group. Errors: unavailable, closed.
  virtual void fetch(std::string group, Executor& reply_to, FetchDone done) = 0;
};

}  // namespace millrace::topics

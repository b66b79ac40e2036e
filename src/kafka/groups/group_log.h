// GroupLog: the records of one loop's groups in the topic __consumer_offsets: written through one append request that
// is in flight at a time and carries everything stored meanwhile, and read once at the start.
//
// The topic is made when the first record is stored, with cleanup.policy=compact. A group's records are all in the
// partition that Kafka would choose for it. Thread: the loop's, but for load(). It must outlive the loop's last task
// and the log's last reply.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "kafka/groups/coordinator.h"
#include "kafka/groups/group_settings.h"
#include "model/record_batch_builder.h"
#include "topics/batch_records.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

class GroupLog final : public GroupStore {
 public:
  /// `settled` is called behind the callbacks of every answer of the log.
  GroupLog(topics::TopicLog& log, const Clock& clock, Executor& loop, const GroupSettings& settings, Task settled);

  void store(std::string_view group, std::vector<GroupRecord> records, Stored stored) override;

  using Visit = std::function<void(ByteView key, std::optional<ByteView> value)>;
  /// Visits the records of the partitions `first`, `first + step`, … in order, a piece at a time, until `abandoned`.
  /// Waits for the disk. Nothing is read when there is no topic yet. Errors: those of PartitionLog::read; malformed;
  /// closed when abandoned. Thread: any, before anything is stored.
  static Result<void> load(const topics::TopicLog& log, std::int32_t first, std::int32_t step, const Visit& visit,
                           const std::atomic<bool>& abandoned);

  /// Of the topic, or of the one that will be made.
  [[nodiscard]] static std::int32_t partition_count(const topics::TopicLog& log, const GroupSettings& settings);

 private:
  struct Write {
    std::vector<GroupRecord> records;
    Stored stored;
    std::int32_t partition = -1;
    KafkaError error = KafkaError::none;
  };
  void post_send();
  void send();
  void make_topic();
  void add_batches(const topics::Topic& topic, topics::AppendRequest& request);
  void settle(std::unique_ptr<topics::AppendRequest> request);
  void finish(std::vector<Write> writes);

  topics::TopicLog& log_;
  const Clock& clock_;
  Executor& loop_;
  const GroupSettings settings_;
  const std::int32_t partitions_;  // fixed for good: groups are found by it
  Task settled_;
  std::vector<Write> gathered_;
  std::vector<Write> in_flight_;
  std::unique_ptr<topics::AppendRequest> request_ = std::make_unique<topics::AppendRequest>();  // null while in flight
  std::vector<RecordBatchBuilder> builders_;  // by partition; all empty between requests
  bool making_topic_ = false;
  bool send_posted_ = false;
};

}  // namespace millrace::kafka

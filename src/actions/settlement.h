// Settlement: answers and error messages of one put() on their way into the log, in one atomic append together with the
// marks that say whose error message is written. Thread: one owner.
#pragma once

#include <chrono>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "actions/delivery_host.h"
#include "base/result.h"
#include "model/topic_partition.h"
#include "rules/delivery.h"
#include "rules/error_message.h"
#include "sql/arena.h"
#include "topics/batch_accumulator.h"

namespace millrace::actions {

class Settlement {
 public:
  Settlement(const DeliveryHost& host, std::uint64_t seed) : host_(host), gathered_(host.log, seed) {}

  /// The offsets of `partition` from `next` on whose error message is in the log already. Marks in front of it are
  /// taken back with the next append. Blocks. Errors: those of reading.
  Result<std::set<Offset>> read_marks(std::int32_t partition, Offset next);

  /// nullopt: gathered. Else why the answer cannot be stored.
  std::optional<std::string> add_answer(const rules::DeliveryRequest& request, std::string_view answer);
  /// The error message of a delivery of which `failures` failed, and its mark.
  void add_error(const rules::Delivery& delivery, std::span<const rules::Failure> failures, std::int32_t partition,
                 Offset offset);
  /// A record that is no delivery.
  void add_unreadable(ByteView bytes, std::int32_t partition, Offset offset);
  /// Makes all of it durable, and publishes, each publication durable with its mark. Errors: those of the log; what was
  /// added is gone then and is added again when the deliveries come again.
  Result<void> finish();

 private:
  /// Marks are taken back after this: bookmarks are younger by far.
  static constexpr std::chrono::seconds kMarkAge{60};

  void add(std::string_view topic, std::optional<std::int32_t> partition, const RecordView& record);
  /// The key of a mark that will be taken back.
  const std::string& new_mark(std::int32_t partition, Offset offset);
  void mark(std::int32_t partition, Offset offset);
  void take_back_old_marks();

  const DeliveryHost& host_;
  topics::BatchAccumulator gathered_;
  sql::Arena arena_;
  Buffer encoded_;
  std::vector<DeliveryHost::Publication> publications_;
  std::set<std::string> published_;  // marks of publications that are durable, until everything beside them is
  struct Mark {
    std::string key;
    WallTime at;
  };
  std::deque<Mark> marks_;
};

}  // namespace millrace::actions

// FetchPlan: the partitions of one Fetch request and what was read of them so far. A value that moves between the loop,
// which looks at memory, and the disk threads, which read what memory does not have. Thread: whoever holds it.
#pragma once

#include <memory>
#include <vector>

#include "kafka/server/error_codes.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

class FetchPlan {
 public:
  struct Part {
    std::shared_ptr<topics::Partition> partition;  // null: see error
    Offset from;
    std::size_t max_bytes = 0;
    KafkaError error = KafkaError::none;
    Offset high_watermark{-1};
    Offset log_start{-1};
    std::vector<SharedBytes> batches;
    FileSlice file;
    std::string damage;  // file and position of a batch that must not be served
  };
  enum class Outcome : std::uint8_t {
    enough,      // min_bytes are there, or a partition has an error: answer
    too_little,  // wait for more
    on_disk,     // not known before the disk was read
  };

  FetchPlan() = default;
  FetchPlan(std::size_t max_bytes, std::size_t min_bytes) : max_bytes_(max_bytes), min_bytes_(min_bytes) {}
  void add(Part part) { parts_.push_back(std::move(part)); }
  [[nodiscard]] std::vector<Part>& parts() { return parts_; }
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }

  /// Reads from the start of the list, in its order (KIP-74): each partition up to its own limit, all up to the
  /// request's, but the first one with data gives at least one batch, however large.
  Outcome gather(bool may_wait_for_disk);

 private:
  /// False when the disk would have to be asked.
  bool read(Part& part, std::size_t& total, bool may_wait_for_disk) const;

  std::size_t max_bytes_ = 0;
  std::size_t min_bytes_ = 0;
  std::vector<Part> parts_;  // in the order of the request
};

}  // namespace millrace::kafka

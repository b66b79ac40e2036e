#include "kafka/server/fetch_plan.h"

#include <algorithm>

namespace millrace::kafka {

FetchPlan::Outcome FetchPlan::gather(bool may_wait_for_disk) {
  std::size_t total = 0;
  bool failed = false;
  for (Part& part : parts_) {
    part.batches.clear();
    part.file = {};
    if (part.error == KafkaError::none && !read(part, total, may_wait_for_disk)) return Outcome::on_disk;
    failed = failed || part.error != KafkaError::none;
  }
  return failed || total >= min_bytes_ ? Outcome::enough : Outcome::too_little;
}

bool FetchPlan::read(Part& part, std::size_t& total, bool may_wait_for_disk) const {
  part.high_watermark = part.partition->high_watermark();
  part.log_start = part.partition->log_start();
  if (part.partition->deleted()) {
    part.error = KafkaError::unknown_topic_or_partition;
    return true;
  }
  if (part.from == part.high_watermark || (total >= max_bytes_ && total > 0)) return true;
  const std::size_t room = std::min(part.max_bytes, max_bytes_ - std::min(max_bytes_, total));
  Result<std::optional<storage::ReadResult>> result = std::nullopt;
  if (may_wait_for_disk) {
    result = part.partition->read_file(part.from, room);
  } else {
    result = part.partition->read_memory(part.from, room);
  }
  if (!result) {
    const Error& error = result.error();
    const bool deleted = error.code == ErrorCode::closed;
    part.error = deleted ? KafkaError::unknown_topic_or_partition : to_kafka(error.code);
    if (error.code == ErrorCode::corrupt || error.code == ErrorCode::io_error) part.damage = error.message();
    return true;
  }
  if (!*result) return false;
  storage::ReadResult& got = **result;
  part.high_watermark = got.high_watermark;
  part.log_start = got.log_start;
  // The log gives one batch even when it is over the room; only the first partition with data may use that.
  if (total > 0 && total + got.bytes > max_bytes_) return true;
  part.batches = std::move(got.batches);
  part.file = std::move(got.file);
  total += got.bytes;
  return true;
}

}  // namespace millrace::kafka

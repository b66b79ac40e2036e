#include "connect/runtime/batch.h"

#include <algorithm>

namespace millrace::connect {
namespace {

constexpr std::size_t kFetchBytes = 256_KiB;

std::size_t size_of(const RecordView& record) {
  return (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0) + 16;
}

}  // namespace

Result<void> Batch::add_from(Lane& lane, RecordPath& path) {
  while (!full()) {
    MR_TRY_ASSIGN(const bool more, lane.fetch(std::clamp(limits_.bytes - bytes_, 16_KiB, kFetchBytes)));
    if (!more) return {};
    MR_TRY_ASSIGN(const auto read, lane.next());
    if (!read) continue;
    if (blocks_.empty() || blocks_.back().bytes.data() != lane.block().bytes.data()) blocks_.push_back(lane.block());
    const RecordView& record = read->record;
    Origin origin;
    origin.partition = &lane.name();
    origin.lane = lane.number();
    origin.offset = read->offset;
    origin.timestamp_ms = record.timestamp_ms;
    origin.key = record.key;
    origin.value = record.value;
    if (!record.headers.empty()) {
      auto* headers = room_.arena().array<RecordHeader>(record.headers.size());
      std::ranges::uninitialized_copy(record.headers, std::span(headers, record.headers.size()));
      origin.headers = {headers, record.headers.size()};
    }
    ++seen_;
    bytes_ += size_of(record);
    FailedRecord failed;
    switch (path.convert(origin, room_, records_, failed)) {
      case RecordPath::Way::kept:
        break;
      case RecordPath::Way::dropped:
        ++dropped_;
        break;
      case RecordPath::Way::failed:
        failed_.push_back(std::move(failed));
        break;
    }
  }
  return {};
}

void Batch::clear() {
  records_.clear();
  failed_.clear();
  blocks_.clear();
  room_.clear();
  seen_ = dropped_ = bytes_ = 0;
}

}  // namespace millrace::connect

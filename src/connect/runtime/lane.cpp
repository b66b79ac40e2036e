#include "connect/runtime/lane.h"

#include "codec/compression.h"
#include "model/record_batch.h"

namespace millrace::connect {
namespace {

constexpr std::size_t kMaxDecompressed = 256_MiB;

}  // namespace

Result<bool> Lane::fetch(std::size_t max_bytes) {
  if (reader_ || !fetched_.empty()) return true;
  if (only_ != nullptr) {
    const auto wanted = only_->lower_bound(next_);
    if (wanted == only_->end()) return false;
    next_ = *wanted;
  }
  if (const Offset first = partition_->log_start(); next_ < first) {
    lost_ += first.value() - next_.value();
    next_ = first;  // taken() stays: what lies between is counted as skipped
  }
  if (next_ >= partition_->high_watermark()) return false;
  MR_TRY_ASSIGN(auto read, partition_->read(next_, max_bytes));
  for (SharedBytes& batch : read.batches) fetched_.push_back(std::move(batch));
  return !fetched_.empty();
}

Result<bool> Lane::open_block() {
  while (!fetched_.empty()) {
    SharedBytes batch = std::move(fetched_.front());
    fetched_.pop_front();
    MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(batch.view()));
    block_end_ = header.next_offset();
    if (header.control() || header.record_count == 0 || block_end_ <= next_) {
      if (next_ < block_end_) next_ = block_end_;
      continue;
    }
    if (header.compression() == Compression::none) {
      block_ = {std::move(batch), nullptr};
      reader_.emplace(RecordReader::of_batch(header, block_.bytes.view()));
      return true;
    }
    Buffer plain;
    MR_TRY(decompress(static_cast<CompressionCodec>(header.compression()), batch.view().subspan(kBatchHeaderSize),
                      kMaxDecompressed, plain));
    auto share = memory_ == nullptr ? nullptr : std::make_shared<const MemoryShare>(*memory_, plain.capacity());
    block_ = {SharedBytes(std::move(plain)), std::move(share)};
    reader_.emplace(header, block_.bytes.view());
    return true;
  }
  return false;
}

Result<std::optional<ReadRecord>> Lane::next() {
  while (true) {
    if (!reader_) {
      MR_TRY_ASSIGN(const bool opened, open_block());
      if (!opened) return std::optional<ReadRecord>();
    }
    if (reader_->done()) {
      next_ = block_end_;
      reader_.reset();
      continue;
    }
    MR_TRY_ASSIGN(const ReadRecord record, reader_->next());
    if (record.offset < next_) continue;
    next_ = record.offset + 1;
    if (only_ != nullptr) {
      if (!only_->contains(record.offset)) continue;
      handed_out_.insert(record.offset);
    }
    return std::optional(record);
  }
}

}  // namespace millrace::connect

#include "connect/sinks/s3/kept_bytes.h"

#include <utility>

namespace millrace::connect::s3 {

Result<void> KeptBytes::spill(SpillFile& file) {
  if (!memory_.empty()) {
    MR_TRY_ASSIGN(const SpillExtent extent, file.write(memory_.view()));
    file_ = &file;
    extents_.push_back(extent);
    on_disk_ += extent.size;
  }
  memory_ = Buffer();
  return {};
}

Result<void> KeptBytes::gather() {
  if (extents_.empty()) return {};
  Buffer all(size());
  for (const SpillExtent& extent : extents_) MR_TRY(file_->read(extent, all));
  all.append(memory_.view());
  memory_ = std::move(all);
  release();
  return {};
}

void KeptBytes::reset() {
  release();
  memory_ = Buffer();
}

void KeptBytes::release() {
  for (const SpillExtent& extent : extents_) file_->release(extent);
  extents_.clear();
  on_disk_ = 0;
}

}  // namespace millrace::connect::s3

#include "load/histogram.h"

#include <algorithm>
#include <cmath>

namespace millrace::load {

void Histogram::clear() {
  slots_->fill(0);
  count_ = 0;
  min_ = std::numeric_limits<std::uint64_t>::max();
  max_ = 0;
  sum_ = 0;
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kSlots; ++i) (*slots_)[i] += (*other.slots_)[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::at_share(double share) const {
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(exact_rank), 1, count_);
  if (rank == count_) return max_;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kSlots; ++i) {
    seen += (*slots_)[i];
    if (seen >= rank) return std::clamp(middle_of(i), min_, max_);
  }
  return max_;
}

}  // namespace millrace::load

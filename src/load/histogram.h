// Histogram: latencies in nanoseconds, counted in steps that grow with the value.
//
// Log-linear: every power of two is cut into 128 equal steps, so a reported value is at most 1/256 (0.4 %) away from
// the recorded one; below 128 ns it is exact. Smallest and largest value are kept exactly. Recording is one index and
// one addition; the table has a fixed size (57 KiB), so nothing is allocated while a run is measured. Thread: one
// owner.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory>

namespace millrace::load {

class Histogram {
 public:
  static constexpr unsigned kStepBits = 7;
  static constexpr std::uint64_t kSteps = 1ULL << kStepBits;
  static constexpr std::size_t kSlots = (64 - kStepBits + 1) * kSteps;

  void record(std::uint64_t value, std::uint64_t times = 1) {
    (*slots_)[slot_of(value)] += times;
    count_ += times;
    sum_ += static_cast<double>(value) * static_cast<double>(times);
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }
  void clear();
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t min() const { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  /// The value that `share` (0 to 1) of all recorded values do not exceed: rank ceil(share * count). 0 when empty.
  [[nodiscard]] std::uint64_t at_share(double share) const;

  [[nodiscard]] static constexpr std::size_t slot_of(std::uint64_t value) {
    if (value < kSteps) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kStepBits;
    return static_cast<std::size_t>((shift + 1) * kSteps + ((value >> shift) & (kSteps - 1)));
  }
  /// The middle of a slot's values.
  [[nodiscard]] static constexpr std::uint64_t middle_of(std::size_t slot) {
    if (slot < kSteps) return slot;
    const std::uint64_t shift = slot / kSteps - 1;
    const std::uint64_t low = (kSteps + slot % kSteps) << shift;
    return low + ((1ULL << shift) >> 1U);
  }

 private:
  using Slots = std::array<std::uint64_t, kSlots>;
  std::unique_ptr<Slots> slots_ = std::make_unique<Slots>();
  std::uint64_t count_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace millrace::load

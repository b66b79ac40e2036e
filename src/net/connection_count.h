// ConnectionCount: how many connections of one address are open, over all loops, and how many may be; private to net.
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace millrace::net {

class ConnectionCount {
 public:
  /// One open connection, until destroyed.
  class Place {
   public:
    explicit Place(std::shared_ptr<ConnectionCount> count) : count_(std::move(count)) {}
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (count_ != nullptr) count_->open_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    std::shared_ptr<ConnectionCount> count_;
  };

  void set_most(std::size_t most) { most_ = most; }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  /// True, and a Place has to be made; or false, and the refusal is counted.
  bool enter() {
    if (open_.fetch_add(1, std::memory_order_relaxed) < most_.load(std::memory_order_relaxed)) return true;
    open_.fetch_sub(1, std::memory_order_relaxed);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

 private:
  std::atomic<std::size_t> open_{0};
  std::atomic<std::size_t> most_{std::numeric_limits<std::size_t>::max()};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace millrace::net

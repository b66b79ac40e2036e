// ConnectionCount: how many connections of one address are open, over all loops, and how many may be; private to net.
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "metrics/registry.h"

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

  /// Before the first enter().
  void limit(std::size_t most, metrics::Counter& refused) {
    most_ = most;
    refused_ = &refused;
  }
  /// True, and a Place has to be made; or false, and the refusal is counted.
  bool enter() {
    if (open_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
    open_.fetch_sub(1, std::memory_order_relaxed);
    refused_->add();
    return false;
  }

 private:
  std::atomic<std::size_t> open_{0};
  std::size_t most_ = std::numeric_limits<std::size_t>::max();
  metrics::Counter* refused_ = nullptr;
};

}  // namespace millrace::net

// DiskPool: the threads on which reads wait for the disk, so that no loop does. How many wait is bounded by who posts
// them (a connection has one read at a time). Thread: post() any; stop() the owner.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/worker_thread.h"

namespace millrace::kafka {

class DiskPool final : public Executor {
 public:
  explicit DiskPool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<WorkerThread>("kafka-disk-" + std::to_string(i)));
    }
  }
  void post(Task task) override {
    workers_[next_.fetch_add(1, std::memory_order_relaxed) % workers_.size()]->post(std::move(task));
  }
  /// Ends what is running; what waits is dropped.
  void stop() {
    for (const auto& worker : workers_) worker->stop();
  }

 private:
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace millrace::kafka

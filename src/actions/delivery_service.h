// DeliveryService: keeps a task running for every partition of __rule_deliveries in which something waits, and trims
// what is delivered. Thread: constructed, started and stopped by one control thread; the rest on a thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "actions/delivery_host.h"
#include "actions/line_files.h"
#include "base/guarded.h"
#include "base/queue_executor.h"
#include "connect/runtime/sink_task.h"
#include "metrics/registry.h"

namespace millrace::actions {

class DeliveryService {
 public:
  /// The consumer group of the bookmarks is "connect-" and this.
  static constexpr std::string_view kConnector = "__rule_deliveries";

  struct Options {
    std::chrono::milliseconds bookmark_interval{1000};
    std::chrono::milliseconds trim_interval{10'000};
    std::uint64_t seed = 0;
  };
  /// All outlive the service.
  DeliveryService(DeliveryHost host, topics::OffsetStore& offsets, const connect::Surroundings& surroundings,
                  metrics::Registry& metrics, Options options);
  ~DeliveryService() { stop(); }
  DeliveryService(const DeliveryService&) = delete;
  DeliveryService& operator=(const DeliveryService&) = delete;

  /// The topics of deliveries and marks must exist.
  void start();
  /// Ends the tasks; what is not delivered comes again at the next start. While offsets can still be committed.
  void stop();

 private:
  void run();
  /// Starts the partition's task once it holds something.
  void watch(const std::shared_ptr<topics::Partition>& partition);
  void start_task(const std::shared_ptr<topics::Partition>& partition);
  /// Asks for the bookmarks and moves the log's starts up to them.
  void trim();
  void register_metrics(metrics::Registry& metrics);

  std::shared_ptr<QueueExecutor> executor_ = std::make_shared<QueueExecutor>();
  DeliveryHost host_;
  topics::OffsetStore& offsets_;
  LineFiles files_;
  connect::FailureLedger no_failures_;
  connect::MemoryBudget memory_;
  connect::TaskHost tasks_host_;
  const Options options_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<connect::SinkTask>> tasks_;
  struct Watched {
    std::int32_t partition;
    std::shared_ptr<const connect::TaskCounters> counters;
  };
  Guarded<std::vector<Watched>> watched_;
  std::thread thread_;
};

}  // namespace millrace::actions

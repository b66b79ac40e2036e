// ListenerGate: when a listener may accept: not more often than mqtt.accept.rate (decision 0029), and not while the
// memory budget is full (0028). What it holds back waits in the kernel's backlog. Thread: any; shared by the listeners
// of all loops on one address.
#pragma once

#include <atomic>
#include <string>

#include "base/clock.h"
#include "mqtt/server/memory_budget.h"
#include "mqtt/server/server_metrics.h"
#include "net/accept_gate.h"

namespace millrace::mqtt {

class ListenerGate final : public net::AcceptGate {
 public:
  /// `per_second` 0: as they come. `name` is for the log. All else outlives this.
  ListenerGate(std::uint32_t per_second, std::string name, const MemoryBudget& budget, const Clock& clock,
               ServerMetrics& metrics);
  std::chrono::milliseconds wait() override;
  void accepted() override;

 private:
  void note(std::string_view reason, metrics::Counter& counter);

  const std::int64_t interval_ns_;
  const std::string name_;
  const MemoryBudget& budget_;
  const Clock& clock_;
  ServerMetrics& metrics_;
  std::atomic<std::int64_t> next_ns_{0};      // when those accepted so far are paid for
  std::atomic<std::int64_t> log_from_ns_{0};  // no log line before
};

}  // namespace millrace::mqtt

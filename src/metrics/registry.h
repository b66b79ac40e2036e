// Counters, gauges and histograms, and their Prometheus text form (exposition format 0.0.4).
//
//   metrics::Counter& received = registry.counter("millrace_mqtt_messages_received_total", "PUBLISH packets taken in");
//   received.add(n);
//
// Thread: updates from any thread (one relaxed atomic add; a hot path gathers per turn and adds once). Metrics are
// created at start-up or on control paths and live as long as the registry. Label sets are bounded by their creator.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"

namespace millrace::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Fixed buckets in microseconds, from 50 us to 30 s, for latencies; exported in seconds.
class Histogram {
 public:
  void observe_us(std::uint64_t microseconds);
  void observe(std::chrono::nanoseconds time) { observe_us(static_cast<std::uint64_t>(time.count()) / 1000); }
  static constexpr std::size_t kBuckets = 18;
  static const std::uint64_t kBoundsUs[kBuckets];
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t sum_us() const { return sum_us_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> buckets_[kBuckets + 1]{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> sum_us_{0};
};

class Registry {
 public:
  Registry();
  ~Registry();
  /// The same name and labels give the same object. `name` and `help` are string literals in the exposition.
  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, Labels labels = {});
  /// Asked at every exposition, for values that live elsewhere (per-partition offsets). Must be quick and thread-safe.
  using Sample = std::pair<Labels, double>;
  void collect_gauge(std::string_view name, std::string_view help, std::function<std::vector<Sample>()> collect);
  void collect_counter(std::string_view name, std::string_view help, std::function<std::vector<Sample>()> collect);

  [[nodiscard]] std::string prometheus_text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::metrics

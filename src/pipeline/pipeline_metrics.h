// The pipeline's counters. A loop tallies plain integers during a read and adds them to the shared counters once.
#pragma once

#include "metrics/registry.h"

namespace millrace::pipeline {

struct PipelineTally {
  std::uint64_t received = 0;
  std::uint64_t no_match = 0;
  std::uint64_t records = 0;
  std::uint64_t republished = 0;
  std::uint64_t republish_loops = 0;
  std::uint64_t rule_errors = 0;
  std::uint64_t fallback_errors = 0;
  std::uint64_t refused = 0;
  std::uint64_t waited = 0;
  std::uint64_t questions = 0;
  std::uint64_t questions_failed = 0;
};

class PipelineMetrics {
 public:
  explicit PipelineMetrics(metrics::Registry& registry);
  /// Adds the tally and sets it to zero.
  void add(PipelineTally& tally);
  metrics::Histogram& commit_latency() { return commit_latency_; }

 private:
  metrics::Counter& received_;
  metrics::Counter& no_match_;
  metrics::Counter& records_;
  metrics::Counter& republished_;
  metrics::Counter& republish_loops_;
  metrics::Counter& rule_errors_;
  metrics::Counter& fallback_errors_;
  metrics::Counter& refused_;
  metrics::Counter& waited_;
  metrics::Counter& questions_;
  metrics::Counter& questions_failed_;
  metrics::Histogram& commit_latency_;
};

}  // namespace millrace::pipeline

#include "pipeline/pipeline_metrics.h"

namespace millrace::pipeline {

PipelineMetrics::PipelineMetrics(metrics::Registry& registry)
    : received_(registry.counter("millrace_pipeline_messages_total", "Device messages taken in, from every source")),
      no_match_(registry.counter("millrace_pipeline_no_match_total", "Device messages that no rule matched")),
      records_(
          registry.counter("millrace_pipeline_records_total", "Records produced by rules, error records included")),
      republished_(registry.counter("millrace_pipeline_republished_total", "Messages republished by rules")),
      republish_loops_(registry.counter("millrace_pipeline_republish_loops_total",
                                        "Republished messages not sent on because they went in a circle")),
      rule_errors_(registry.counter("millrace_pipeline_rule_errors_total",
                                    "Rule actions that failed and became an error record")),
      fallback_errors_(registry.counter("millrace_pipeline_fallback_errors_total",
                                        "Error records that only the fallback topic could take")),
      refused_(registry.counter("millrace_pipeline_refused_total",
                                "Messages left unacknowledged because their records could be stored nowhere")),
      waited_(registry.counter("millrace_pipeline_waited_total",
                               "Messages that waited for an answer from outside, or behind one that did")),
      questions_(registry.counter("millrace_pipeline_questions_total",
                                  "Questions to tables and functions that memory could not answer")),
      questions_failed_(
          registry.counter("millrace_pipeline_questions_failed_total", "Questions of these that had no answer")),
      commit_latency_(registry.histogram("millrace_pipeline_commit_seconds",
                                         "From handing a turn's records to the log until they are durable")) {}

void PipelineMetrics::add(PipelineTally& tally) {
  const auto move = [](metrics::Counter& counter, std::uint64_t& count) {
    if (count != 0) counter.add(count);
    count = 0;
  };
  move(received_, tally.received);
  move(no_match_, tally.no_match);
  move(records_, tally.records);
  move(republished_, tally.republished);
  move(republish_loops_, tally.republish_loops);
  move(rule_errors_, tally.rule_errors);
  move(fallback_errors_, tally.fallback_errors);
  move(refused_, tally.refused);
  move(waited_, tally.waited);
  move(questions_, tally.questions);
  move(questions_failed_, tally.questions_failed);
}

}  // namespace millrace::pipeline

// LogMetrics: what the log counts for /metrics. Names are part of the interface to dashboards and alerts.
// Thread: any; each update is one relaxed atomic.
#pragma once

#include "metrics/registry.h"

namespace millrace::storage {

struct LogMetrics {
  explicit LogMetrics(metrics::Registry& registry)
      : commits(registry.counter("millrace_storage_commits_total", "Groups written to the journal and synced")),
        commit_seconds(
            registry.histogram("millrace_storage_commit_seconds", "Time from a commit's start until it is durable")),
        journal_write_seconds(
            registry.histogram("millrace_storage_journal_write_seconds", "Time to write one group into the journal")),
        journal_sync_seconds(
            registry.histogram("millrace_storage_journal_sync_seconds", "Time of the journal's sync after one group")),
        journal_switch_seconds(registry.histogram("millrace_storage_journal_switch_seconds",
                                                  "Time to go on in the next journal file; long when none was ready")),
        batches(registry.counter("millrace_storage_batches_total", "Record batches made durable")),
        bytes(registry.counter("millrace_storage_bytes_total", "Bytes of record batches made durable")),
        duplicates(
            registry.counter("millrace_storage_duplicates_total", "Batches an idempotent producer had sent before")),
        refused(registry.counter("millrace_storage_refused_commits_total",
                                 "Commits refused because a disk or the journal was full")),
        journal_bytes(registry.gauge("millrace_storage_journal_bytes", "Size of all journal files")),
        journal_live_bytes(
            registry.gauge("millrace_storage_journal_live_bytes", "Journal bytes a recovery would replay")),
        tail_bytes(registry.gauge("millrace_storage_tail_bytes", "Newest batches kept in memory")),
        segment_bytes(registry.counter("millrace_storage_segment_bytes_total", "Bytes written to segments")),
        segment_write_seconds(
            registry.histogram("millrace_storage_segment_write_seconds", "Time to write one piece into a segment")),
        segment_sync_seconds(
            registry.histogram("millrace_storage_segment_sync_seconds", "Time to sync one segment at a checkpoint")),
        checkpoints(registry.counter("millrace_storage_checkpoints_total", "Checkpoints written")),
        checkpoint_seconds(registry.histogram("millrace_storage_checkpoint_seconds", "Time a checkpoint took")),
        deleted_segments(
            registry.counter("millrace_storage_deleted_segments_total", "Segments removed by retention and trims")),
        compactions(registry.counter("millrace_storage_compactions_total", "Rounds of compaction of a partition")),
        compaction_read_bytes(
            registry.counter("millrace_storage_compaction_read_bytes_total", "Bytes that compaction went through")),
        compaction_freed_bytes(
            registry.counter("millrace_storage_compaction_freed_bytes_total", "Bytes that compaction removed")),
        compaction_dropped_records(
            registry.counter("millrace_storage_compaction_dropped_records_total", "Records that compaction removed")),
        uncompactable(registry.gauge("millrace_storage_uncompactable_partitions",
                                     "Partitions that are not compacted because damage was found")),
        stopped(registry.gauge("millrace_storage_stopped", "1 after an I/O error stopped the log")) {}

  metrics::Counter& commits;
  metrics::Histogram& commit_seconds;
  metrics::Histogram& journal_write_seconds;
  metrics::Histogram& journal_sync_seconds;
  metrics::Histogram& journal_switch_seconds;
  metrics::Counter& batches;
  metrics::Counter& bytes;
  metrics::Counter& duplicates;
  metrics::Counter& refused;
  metrics::Gauge& journal_bytes;
  metrics::Gauge& journal_live_bytes;
  metrics::Gauge& tail_bytes;
  metrics::Counter& segment_bytes;
  metrics::Histogram& segment_write_seconds;
  metrics::Histogram& segment_sync_seconds;
  metrics::Counter& checkpoints;
  metrics::Histogram& checkpoint_seconds;
  metrics::Counter& deleted_segments;
  metrics::Counter& compactions;
  metrics::Counter& compaction_read_bytes;
  metrics::Counter& compaction_freed_bytes;
  metrics::Counter& compaction_dropped_records;
  metrics::Gauge& uncompactable;
  metrics::Gauge& stopped;
};

}  // namespace millrace::storage

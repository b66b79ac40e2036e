// DiskLog::recover(): checkpoint, then journal, then the files made to agree. Thread: open(), alone.
//
// After a clean stop neither the journal nor a segment is read: the checkpoint names the generation that the next start
// gives to a journal file before it changes anything, so while none has it, nothing happened since.
//
// Everything is read and judged first; the first change to the directory comes only when nothing can be found damaged
// any more. What the journal gave is synced once more before the log opens, so that nothing served afterwards depends
// on pages of which the kernel may remember more than the device (a failed sync before the crash). A little of it goes
// to segments and into a checkpoint at once; much is left to the segment writer, and the journal keeps it until then.
#include <algorithm>

#include "base/endian.h"
#include "base/log.h"
#include "storage/disk_log.h"
#include "storage/durable_file.h"
#include "storage/partition_directory.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kCheckpointLimit = 1_GiB;

std::unexpected<Error> journal_damage(const char* what, const TopicPartition& name, Offset offset) {
  return fail(ErrorCode::corrupt, what, name.to_string() + " at offset " + std::to_string(offset.value()));
}

}  // namespace

Result<void> DiskLog::replay_append(const AppendEntry& entry, const JournalGroup& group, SharedBytes bytes,
                                    Replay& replay) {
  const auto it = replay.by_id.find(entry.partition);
  if (it == replay.by_id.end()) {
    // Deleted before the checkpoint was written, or later in the journal but already gone.
    if (entry.partition < replay.known_below || replay.gone.contains(entry.partition)) return {};
    return fail(ErrorCode::corrupt, "journal appends to a partition that was never made",
                std::to_string(entry.partition.value()));
  }
  Partition& partition = *it->second;
  if (entry.base_offset < partition.high_watermark() && !options_.bugs.ignore_generation)
    return {};  // stands in a segment
  MR_TRY_ASSIGN(BatchHeader header, parse_batch_header(bytes.view()));
  if (options_.bugs.ignore_generation) {
    patch_base_offset({bytes.mutable_data(), bytes.size()}, partition.high_watermark(), LeaderEpoch(0));
    header.base_offset = partition.high_watermark();
  }
  const std::uint64_t size = bytes.size();
  const StoredBatch batch{std::move(bytes), header.base_offset, header.last_offset(), header.max_timestamp,
                          header.base_timestamp};
  if (!partition.replay(batch, header, group.header.wall_ms, clock_.mono())) {
    return journal_damage("journal does not continue the partition", partition.name(), entry.base_offset);
  }
  tails_.added(it->second, 1, size);
  replay.appended.insert(entry.partition);
  return {};
}

Result<void> DiskLog::replay_change(const JournalEntry& entry, Replay& replay) {
  const auto find = [&](PartitionId id) -> Partition* {
    const auto it = replay.by_id.find(id);
    return it == replay.by_id.end() ? nullptr : it->second.get();
  };
  if (const auto* create = std::get_if<CreateEntry>(&entry)) {
    if (create->partition < replay.known_below) return {};
    replay.by_id[create->partition] =
        std::make_shared<Partition>(files_, open_files_, create->partition, create->spec, Offset(0));
    replay.created.insert(create->partition);
    next_partition_ = std::max(next_partition_, create->partition + 1);
  } else if (const auto* removal = std::get_if<DeleteEntry>(&entry)) {
    if (Partition* const partition = find(removal->partition)) {
      partition->mark_deleted();
      replay.gone.insert(removal->partition);
      replay.stale_directories.insert(partition->directory());
      replay.by_id.erase(removal->partition);
    }
  } else if (const auto* configure = std::get_if<ConfigureEntry>(&entry)) {
    if (Partition* const partition = find(configure->partition))
      partition->configure(configure->config, configure->properties);
  } else if (const auto* trim = std::get_if<TrimEntry>(&entry)) {
    Partition* const partition = find(trim->partition);
    if (partition != nullptr && trim->log_start > partition->high_watermark()) {
      return journal_damage("journal trims beyond the partition's end", partition->name(), trim->log_start);
    }
    if (partition != nullptr) replay.trims[trim->partition] = std::max(replay.trims[trim->partition], trim->log_start);
  } else if (const auto* ids = std::get_if<ProducerIdsEntry>(&entry)) {
    producers_reserved_ = std::max(producers_reserved_, ids->next.value());
  }
  return {};
}

Result<void> DiskLog::replay_group(const JournalGroup& group, Replay& replay) {
  const SharedBytes payload = SharedBytes::copy_of(group.payload);
  replay.newest_ms = std::max(replay.newest_ms, group.header.wall_ms);
  std::size_t at = 0;
  for (const JournalEntry& entry : group.entries) {
    if (const auto* append = std::get_if<AppendEntry>(&entry)) {
      MR_TRY(replay_append(*append, group, payload.slice(at, append->size), replay));
      at += append->size;
    } else {
      MR_TRY(replay_change(entry, replay));
    }
  }
  return {};
}

// What the checkpoint names must be there. Reads only.
Result<void> DiskLog::check_partition(Partition& partition, Offset checkpointed, Replay& replay) {
  const std::vector<SegmentRef> segments = partition.segments();
  Offset expected = segments.empty() ? checkpointed : segments.front().state.base;
  if (!segments.empty() && expected > partition.log_start()) {
    return fail(ErrorCode::corrupt, "checkpoint names no segment for the log start",
                files_.describe(partition.directory()));
  }
  for (const SegmentRef& segment : segments) {
    if (segment.state.base != expected || segment.state.next <= expected) {
      return fail(ErrorCode::corrupt, "checkpoint's segments do not follow each other",
                  files_.describe(partition.directory()));
    }
    expected = segment.state.next;
  }
  if (expected != checkpointed) {
    return fail(ErrorCode::corrupt, "checkpoint's segments do not reach its offset",
                files_.describe(partition.directory()));
  }
  if (segments.empty()) return {};
  MR_TRY_ASSIGN(const auto names, list_if_there(partition.directory()));
  for (const SegmentRef& segment : segments) {
    for (const std::string_view extension : {".log", ".index", ".timeindex"}) {
      const std::string name = segment_file_name(segment.state.base, extension);
      const bool swapped = segment.state.swap && std::ranges::binary_search(names, name + std::string(kSwapSuffix));
      if (!swapped && !std::ranges::binary_search(names, name)) {
        return fail(ErrorCode::corrupt, "segment file is missing", files_.describe(segment.files->path(extension)));
      }
    }
  }
  MR_TRY_ASSIGN(const bool exact, segments.back().files->check_files(segments.back().state));
  if (!exact) replay.longer.push_back(segments.back());
  return {};
}

Result<std::vector<std::string>> DiskLog::list_if_there(const std::string& directory) {
  if (!files_.exists(directory)) return std::vector<std::string>{};
  return files_.list(directory);
}

// Removes what was written behind the last checkpoint: the journal still has it, and it will be written again.
Result<void> DiskLog::settle_files(Replay& replay) {
  for (const SegmentRef& segment : replay.longer) {
    MR_TRY(segment.files->truncate(segment.state));
    note_dirty(segment.files);
  }
  for (const PartitionId id : replay.created) {
    if (const auto it = replay.by_id.find(id); it != replay.by_id.end())
      replay.stale_directories.insert(it->second->directory());
  }
  for (const std::string& directory : replay.stale_directories) {
    if (!files_.exists(directory)) continue;
    MR_TRY(set_aside(files_, directory));
  }
  for (const auto& [id, partition] : replay.by_id) {
    const auto known = replay.checkpointed.find(id);
    if (known == replay.checkpointed.end()) continue;
    MR_TRY_ASSIGN(auto names, list_if_there(partition->directory()));
    if (names.empty()) continue;
    // Thousands of directories: looked into once more only where compaction left something.
    MR_TRY_ASSIGN(const bool changed, recover_compacted(*partition, names));
    if (changed) {
      MR_TRY_ASSIGN(names, files_.list(partition->directory()));
    }
    // No checkpoint vouches for a directory without segments: a process that died may have made it without a sync.
    const bool unvouched = !replay.after_clean_stop && !replay.had_segments.contains(id);
    const std::string directory = partition->directory();
    MR_TRY_ASSIGN(const bool mended,
                  make_partition_directory(files_, directory, partition->spec().topic_id, unvouched));
    if (mended) new_directories_.insert(directory);
    if (unvouched) unsynced_names_.insert(directory);
    partition->writer.directory_made = true;
    std::set<Offset> kept;
    for (const SegmentRef& segment : partition->segments()) kept.insert(segment.state.base);
    for (const std::string& name : names) {
      const auto parsed = parse_segment_file_name(name);
      if (!parsed) continue;
      const bool snapshot = parsed->extension == ".snapshot";
      const bool unnamed = parsed->extension.ends_with(kTemporarySuffix);
      if (!unnamed && (snapshot ? parsed->base == known->second : kept.contains(parsed->base))) continue;
      const bool rewritten = parsed->base >= known->second;
      const bool trimmed = parsed->base < partition->log_start();
      if (rewritten || trimmed || unnamed) MR_TRY(files_.remove_file(partition->directory() + '/' + name));
    }
  }
  return find_doomed_trees();
}

Result<void> DiskLog::find_doomed_trees() {
  MR_TRY_ASSIGN(const auto names, files_.list("topics"));
  for (const std::string& name : names) {
    if (name.ends_with(kDeletedSuffix))
      doomed_trees_.push_back({"topics/" + name, clock_.mono() + kDeletedDelay, nullptr});
  }
  return {};
}

// What the process before wrote last may be known to the kernel only: the checkpoint's name, and the group whose sync
// was interrupted or failed (then its pages even count as clean: only writing them again helps). Files are removed and
// recycled on the word of both, so the device has to know them first.
Result<void> DiskLog::confirm(const JournalScan& scan) {
  MR_TRY(sync_names(files_, "", options_.bugs));
  if (scan.groups.empty()) return {};
  const JournalScan::Place& last = scan.groups.back();
  JournalFileReader& reader = *scan.files[last.file];
  MR_TRY_ASSIGN(const GroupHeader header, reader.header(last.offset, options_.bugs));
  MR_TRY_ASSIGN(const auto file, files_.open(journal_path(reader.name()), io::OpenMode::read_write));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(header.total_bytes()));
  const std::size_t content = kGroupHeaderSize + header.table_bytes + header.payload_bytes;
  MR_TRY(file->read_at(last.offset, MutableByteView(bytes).first(content)));
  MR_TRY(file->write_at(last.offset, bytes));  // with zeros as padding, which an interrupted write may not have reached
  return sync_file(*file);
}

Result<void> DiskLog::recover(RecoveryReport& report) {
  auto bytes = read_whole(files_, kCheckpointPath, kCheckpointLimit);
  if (!bytes && bytes.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::corrupt, "checkpoint is missing",
                files_.describe(kCheckpointPath) + ": restore it from a backup");
  }
  if (!bytes) return std::unexpected(bytes.error());
  MR_TRY_ASSIGN(Checkpoint checkpoint, parse_checkpoint(as_bytes(*bytes)));

  next_partition_ = checkpoint.next_partition;
  producers_reserved_ = checkpoint.next_producer.value();
  Replay replay;
  replay.known_below = checkpoint.next_partition;
  for (PartitionCheckpoint& description : checkpoint.partitions) {
    replay.checkpointed[description.id] = description.next;
    for (const SegmentState& segment : description.segments) {
      replay.newest_ms = std::max(replay.newest_ms, segment.last_append_ms);
    }
    if (!description.segments.empty()) replay.had_segments.insert(description.id);
    if (options_.bugs.forget_producer_state) description.producers = {};
    const PartitionId id = description.id;
    replay.by_id[id] = std::make_shared<Partition>(files_, open_files_, std::move(description));
  }
  MR_TRY_ASSIGN(bool clean, stopped_clean(checkpoint));
  if (clean) {
    for (const auto& [id, partition] : replay.by_id) {
      MR_TRY(check_partition(*partition, replay.checkpointed[id], replay));
    }
    clean = replay.longer.empty();  // somebody wrote there
    replay.longer.clear();
  }
  return clean ? recover_clean(checkpoint, replay, report) : recover_unclean(checkpoint, replay, report);
}

Result<bool> DiskLog::stopped_clean(const CheckpointHead& head) const {
  if (!head.clean || head.next_generation == Generation(0)) return false;
  MR_TRY_ASSIGN(const auto names, files_.list(kJournalDirectory));
  bool there = false;
  for (const std::string& name : names) {
    const auto generation = parse_journal_name(name);
    if (!generation) continue;
    if (*generation >= head.next_generation && !options_.bugs.trust_old_clean_mark) return false;
    there = there || *generation == head.replay_from.generation;
  }
  return there;
}

Result<void> DiskLog::take_partitions(const Replay& replay) {
  for (const auto& [id, partition] : replay.by_id) {
    if (!table_.emplace(partition->name(), partition).second) {
      return fail(ErrorCode::corrupt, "two partitions have the same name", partition->name().to_string());
    }
  }
  return {};
}

Result<void> DiskLog::recover_clean(const Checkpoint& checkpoint, Replay& replay, RecoveryReport& report) {
  for (const auto& [id, partition] : replay.by_id) {
    // The stop before made both as they have to be.
    partition->writer.directory_made = replay.had_segments.contains(id);
    partition->writer.snapshot_at = replay.checkpointed[id];
  }
  MR_TRY(take_partitions(replay));
  MR_TRY(find_doomed_trees());
  next_producer_ = producers_reserved_;
  if (replay.newest_ms > 0) retention_clock_ = RetentionClock(replay.newest_ms, clock_.mono());
  report.clean = true;
  report.partitions = table_.size();
  // The checkpoint's name may be known to the kernel only; journal files are recycled on its word.
  MR_TRY(sync_names(files_, "", options_.bugs));
  MR_TRY_ASSIGN(const std::vector<JournalFile> found, list_journal(files_, checkpoint.replay_from.generation));
  return journal_.start(found, checkpoint.replay_from.sequence, checkpoint.next_generation);
}

Result<void> DiskLog::recover_unclean(const Checkpoint& checkpoint, Replay& replay, RecoveryReport& report) {
  MR_TRY_ASSIGN(JournalScan scan, scan_journal(files_, format_.salt, checkpoint.replay_from, options_.bugs,
                                               [&](const JournalGroup& group) { return replay_group(group, replay); }));
  replay.after_clean_stop = checkpoint.clean && scan.groups.empty();
  // A directory may have been made or set aside by a process, or a recovery, that died before its sync.
  topics_unsynced_ = !replay.after_clean_stop;
  std::vector<SegmentRef> trimmed;
  for (const auto& [id, log_start] : replay.trims) {
    if (const auto it = replay.by_id.find(id); it != replay.by_id.end()) {
      for (SegmentRef& segment : it->second->trim(log_start)) trimmed.push_back(std::move(segment));
    }
  }
  for (const auto& [id, partition] : replay.by_id) {
    if (const auto known = replay.checkpointed.find(id); known != replay.checkpointed.end()) {
      MR_TRY(check_partition(*partition, known->second, replay));
    }
  }
  MR_TRY(take_partitions(replay));

  // From here on the directory is changed.
  MR_TRY(confirm(scan));
  MR_TRY(settle_files(replay));
  const MonoTime now = clock_.mono();
  for (const PartitionId id : replay.appended) {
    const auto it = replay.by_id.find(id);
    if (it == replay.by_id.end()) continue;
    note_waiting(it->second, now);
    if (it->second->waiting().bytes >= options_.write_piece_bytes) note_piece(it->second);
  }
  next_producer_ = producers_reserved_;
  if (replay.newest_ms > 0) retention_clock_ = RetentionClock(replay.newest_ms, clock_.mono());
  const std::vector<JournalFile> found = scan.for_start();
  const bool unclean = !scan.groups.empty() || topics_unsynced_ || !dirty_segments_.empty();
  report.clean = checkpoint.clean && !unclean;
  report.groups_replayed = scan.groups.size();
  report.bytes_replayed = scan.bytes;
  report.partitions = table_.size();
  scan.files.clear();
  MR_TRY(journal_.start(found, scan.next, checkpoint.next_generation));
  if (!unclean) return {};
  // Much to write must not keep the log closed, nor must a full disk: the journal still holds everything, once it is
  // certain that the device does.
  if (scan.bytes <= options_.start_write_bytes) {
    auto written = write_checkpoint(false);
    if (written || written.error().code != ErrorCode::disk_full) return written;
  }
  checkpoint_wanted_ = true;
  return journal_.sync_live();
}

}  // namespace millrace::storage

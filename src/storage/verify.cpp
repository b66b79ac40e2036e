#include "storage/verify.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage/checkpoint_file.h"
#include "storage/durable_file.h"
#include "storage/format_file.h"
#include "storage/journal_scan.h"
#include "storage/partition_directory.h"
#include "storage/producer_table.h"
#include "storage/segment.h"
#include "storage/verify_producers.h"
#include "storage/verify_segment.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kSmallFile = 64_KiB;
constexpr std::size_t kCheckpointLimit = 1_GiB;
constexpr std::size_t kSnapshotLimit = 256_MiB;

class Verification {
 public:
  Verification(io::FileSystem& files, const VerifyOptions& options) : files_(files), options_(options) {}

  Result<VerifyReport> run() {
    std::unique_ptr<io::File> lock;
    if (files_.exists("lock")) {
      MR_TRY_ASSIGN(lock, files_.lock("lock"));
    }
    const auto format = load_format(files_);
    if (!format && format.error().code == ErrorCode::not_found) {
      return fail(ErrorCode::not_found, "not a millrace data directory", files_.describe(""));
    }
    if (!format && format.error().code == ErrorCode::corrupt) {
      damage("format", 0, format.error().detail);
      return report_;
    }
    if (!format) return std::unexpected(format.error());
    const auto bytes = read_whole(files_, kCheckpointPath, kCheckpointLimit);
    if (!bytes && bytes.error().code != ErrorCode::not_found) return std::unexpected(bytes.error());
    if (!bytes) {
      damage("checkpoint", 0, "file is missing");
      return report_;
    }
    auto checkpoint = parse_checkpoint(as_bytes(*bytes));
    if (!checkpoint && checkpoint.error().code == ErrorCode::corrupt) {
      damage("checkpoint", 0, checkpoint.error().detail);
      return report_;
    }
    if (!checkpoint) return std::unexpected(checkpoint.error());
    for (PartitionCheckpoint& partition : checkpoint->partitions) {
      known_.emplace(partition.id, Known{partition.spec, partition.next, partition.log_start,
                                         std::move(partition.segments), std::move(partition.producers), true});
    }
    MR_TRY(verify_journal(format->salt, *checkpoint));
    MR_TRY(verify_topics(*checkpoint));
    return report_;
  }

 private:
  struct Known {
    PartitionSpec spec;
    Offset next;
    Offset log_start;
    std::vector<SegmentState> segments;
    ProducerTable producers;  // where the checkpoint says that segments end
    bool checkpointed = false;
  };

  void damage(const std::string& path, std::uint64_t position, std::string what) {
    report_.damage.push_back({files_.describe(path), position, std::move(what)});
  }

  Result<void> verify_journal(std::uint64_t salt, const Checkpoint& checkpoint) {
    JournalDamage found;
    auto scan = scan_journal(files_, salt, checkpoint.replay_from, {}, {}, &found);
    if (!scan && scan.error().code == ErrorCode::corrupt) {
      damage(found.path, found.position, scan.error().detail);
      return {};
    }
    if (!scan) return std::unexpected(scan.error());
    clean_ = checkpoint.clean && scan->groups.empty();
    if (!clean_) report_.remarks.emplace_back("not closed cleanly: the next start replays the journal");
    for (const JournalScan::Place& place : scan->groups) {
      JournalFileReader& file = *scan->files[place.file];
      const std::string path = journal_path(file.name());
      MR_TRY_ASSIGN(const JournalGroup group, file.group(place.offset));
      ++report_.journal_groups;
      report_.bytes += group.header.total_bytes();
      std::size_t at = 0;
      for (const JournalEntry& entry : group.entries) {
        const auto* append = std::get_if<AppendEntry>(&entry);
        if (append == nullptr) {
          follow(entry, checkpoint.next_partition, path, place.offset);
          continue;
        }
        follow(*append, checkpoint.next_partition, group.payload.subspan(at, append->size), path, place.offset);
        at += append->size;
      }
      MR_TRY_ASSIGN(const bool zeros, file.padding_is_zero(place.offset, group.header));
      if (zeros) continue;
      // A power cut may leave the newest group whole and the padding behind it as it was; the next start clears it.
      if (&place == &scan->groups.back()) {
        report_.remarks.push_back(path + ": the write of the newest group was interrupted behind its content");
      } else {
        damage(path, place.offset, "padding of a journal group is not zero");
      }
    }
    return {};
  }

  void follow(const AppendEntry& entry, PartitionId known_below, ByteView batch, const std::string& path,
              std::uint64_t offset) {
    const auto header = parse_batch_header(batch);
    if (!header) return;  // the scan looked at it already
    ++report_.batches;
    if (options_.deep) {
      if (const char* problem = check_records(batch, report_.records)) damage(path, offset, problem);
    }
    const auto it = known_.find(entry.partition);
    if (it == known_.end()) {
      if (entry.partition >= known_below && !gone_.contains(entry.partition))
        damage(path, offset, "append to an unknown partition");
      return;
    }
    if (entry.base_offset < it->second.next) return;
    if (entry.base_offset != it->second.next) damage(path, offset, "append does not continue its partition");
    it->second.next = header->next_offset();
  }

  void follow(const JournalEntry& entry, PartitionId known_below, const std::string& path, std::uint64_t offset) {
    if (const auto* create = std::get_if<CreateEntry>(&entry)) {
      if (create->partition >= known_below)
        known_.emplace(create->partition, Known{create->spec, Offset(0), Offset(0), {}, {}, false});
    } else if (const auto* removal = std::get_if<DeleteEntry>(&entry)) {
      known_.erase(removal->partition);
      gone_.insert(removal->partition);
    } else if (const auto* trim = std::get_if<TrimEntry>(&entry)) {
      const auto it = known_.find(trim->partition);
      if (it == known_.end()) return;
      if (trim->log_start > it->second.next) damage(path, offset, "trim beyond the partition's end");
      it->second.log_start = std::max(it->second.log_start, trim->log_start);
    }
  }

  Result<void> verify_topics(const Checkpoint& checkpoint) {
    std::set<std::string> expected;
    for (const auto& [id, partition] : known_) {
      const std::string name = partition.spec.name.to_string();
      if (!expected.insert(name).second) damage(std::string(kCheckpointPath), 0, "two partitions are called " + name);
      ++report_.partitions;
      if (partition.checkpointed) MR_TRY(verify_partition(partition, "topics/" + name));
    }
    if (!files_.exists("topics")) {
      damage("topics", 0, "directory is missing");
      return {};
    }
    MR_TRY_ASSIGN(const auto names, files_.list("topics"));
    for (const std::string& name : names) {
      if (expected.contains(name) || name.ends_with(kDeletedSuffix)) continue;
      report_.remarks.push_back("topics/" + name + " belongs to no partition");
    }
    (void)checkpoint;
    return {};
  }

  Result<void> verify_partition(const Known& partition, const std::string& directory) {
    ProducerCheck producers(partition.segments.empty() ? partition.next : partition.segments.front().base,
                            std::ranges::any_of(partition.segments, &SegmentState::compacted));
    std::vector<std::string> names;
    if (files_.exists(directory)) {
      MR_TRY_ASSIGN(names, files_.list(directory));
    }
    for (const std::string& name : names) MR_TRY(read_snapshot(directory, name, producers));
    const std::size_t damage_before = report_.damage.size();
    bool trimmed = false;
    Offset expected = partition.segments.empty() ? partition.log_start : partition.segments.front().base;
    for (std::size_t i = 0; i < partition.segments.size(); ++i) {
      const SegmentState& segment = partition.segments[i];
      if (segment.base != expected)
        damage(std::string(kCheckpointPath), 0, "segments of " + directory + " do not follow each other");
      expected = segment.next;
      if (segment.next <= partition.log_start) {  // trimmed by the journal; may be gone already
        trimmed = true;
        continue;
      }
      const bool exact = clean_ || i + 1 < partition.segments.size();
      MR_TRY(verify_segment(
          files_, directory, segment, exact, options_.deep, [&](const BatchHeader& header) { producers.pass(header); },
          report_));
    }
    // Batches that cannot be read say nothing about producers.
    if (options_.deep && !trimmed && report_.damage.size() == damage_before) {
      if (auto wrong = producers.judge_table(partition.producers)) {
        damage(std::string(kCheckpointPath), 0, directory + ": " + std::move(*wrong));
      }
      for (const auto& [path, wrong] : producers.bad_snapshots()) damage(path, 0, wrong);
    }
    if (!files_.exists(directory)) return {};
    // Before the first checkpoint with segments the two small files are not synced either; the next start writes them
    // again.
    if (clean_ || !partition.segments.empty()) {
      MR_TRY(verify_text(directory, kPartitionMetadata, partition_metadata(partition.spec.topic_id), names));
      MR_TRY(verify_text(directory, kLeaderEpochs, kLeaderEpochsText, names));
    }
    for (const std::string& name : names) MR_TRY(verify_other_file(partition, directory, name));
    return {};
  }

  Result<void> read_snapshot(const std::string& directory, const std::string& name, ProducerCheck& producers) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed || parsed->extension != ".snapshot") return {};
    const std::string path = directory + '/' + name;
    MR_TRY_ASSIGN(const std::string bytes, read_whole(files_, path, kSnapshotLimit));
    auto entries = parse_kafka_snapshot(as_bytes(bytes));
    if (entries) {
      producers.add_snapshot(parsed->base, path, std::move(*entries));
    } else {
      damage(path, 0, entries.error().context);
    }
    return {};
  }

  Result<void> verify_text(const std::string& directory, std::string_view name, std::string_view content,
                           const std::vector<std::string>& names) {
    const std::string path = directory + '/' + std::string(name);
    if (!std::ranges::binary_search(names, name)) {
      damage(path, 0, "file is missing");
      return {};
    }
    MR_TRY_ASSIGN(const std::string text, read_whole(files_, path, kSmallFile));
    if (text == content) return {};
    const auto difference = std::ranges::mismatch(text, content).in1 - text.begin();
    damage(path, static_cast<std::uint64_t>(difference), "content is not what the checkpoint says");
    return {};
  }

  Result<void> verify_other_file(const Known& partition, const std::string& directory, const std::string& name) {
    if (name == kPartitionMetadata || name == kLeaderEpochs) return {};
    const std::string path = directory + '/' + name;
    const auto parsed = parse_segment_file_name(name);
    if (parsed && parsed->extension.starts_with(".snapshot")) return {};
    if (parsed && left_by_compaction(partition, *parsed)) return {};
    const bool of_segment =
        parsed && (parsed->extension == ".log" || parsed->extension == ".index" || parsed->extension == ".timeindex");
    const bool listed = of_segment && std::ranges::find(partition.segments, parsed->base, &SegmentState::base) !=
                                          partition.segments.end();
    const bool behind = of_segment && (parsed->base < partition.log_start || (!clean_ && !listed));
    if (!listed && !behind) report_.remarks.push_back(path + " belongs to no segment");
    return {};
  }

  // What a process that died had not renamed or removed yet; the next start does.
  static bool left_by_compaction(const Known& partition, const SegmentFileName& name) {
    if (name.extension.ends_with(kSwapSuffix)) return true;
    return std::ranges::any_of(partition.segments, [&](const SegmentState& segment) {
      return segment.compacted && name.base > segment.base && name.base < segment.next;
    });
  }

  io::FileSystem& files_;
  const VerifyOptions options_;
  VerifyReport report_;
  std::map<PartitionId, Known> known_;
  std::set<PartitionId> gone_;
  bool clean_ = false;
};

}  // namespace

Result<VerifyReport> verify_directory(io::FileSystem& files, const VerifyOptions& options) {
  return Verification(files, options).run();
}

}  // namespace millrace::storage

#include "storage/disk_log.h"

#include <algorithm>

#include "base/log.h"
#include "base/rng.h"
#include "storage/durable_file.h"

namespace millrace::storage {
namespace {

constexpr std::string_view kLockPath = "lock";
constexpr std::string_view kTopicsDirectory = "topics";

// A directory that holds anything but what an interrupted first start leaves behind is somebody else's.
Result<void> check_ours(io::FileSystem& files, std::span<const std::string> names) {
  for (const std::string& name : names) {
    const bool harmless =
        name == kLockPath || name == "lost+found" || name.ends_with(kTemporarySuffix) || name == kCheckpointPath;
    if (harmless) continue;
    bool empty = false;
    if (name == kJournalDirectory || name == kTopicsDirectory) {
      MR_TRY_ASSIGN(const auto inside, files.list(name));
      empty = inside.empty();
    }
    if (!empty) {
      return fail(ErrorCode::invalid_argument, "not a millrace data directory, and not empty",
                  files.describe("") + " holds " + name + " but no file named format: name an empty or new directory");
    }
  }
  return {};
}

// The format file comes last: until it is there, the next start begins again.
Result<DirectoryFormat> make_directory(io::FileSystem& files, const LogOptions& options) {
  MR_TRY(files.make_directory(kJournalDirectory));
  MR_TRY(files.make_directory(kTopicsDirectory));
  Checkpoint checkpoint;
  checkpoint.clean = true;
  MR_TRY(replace_durably(files, kCheckpointPath, encode_checkpoint(checkpoint).view(), options.bugs));
  Rng seeded(options.seed);
  const auto draw = [&] { return options.seed == 0 ? system_entropy() : seeded(); };
  DirectoryFormat format;
  format.cluster_id = Uuid::from_random(draw(), draw());
  format.salt = draw();
  MR_TRY(store_format(files, format, options.bugs));
  return format;
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(io::FileSystem& files, const Clock& clock, metrics::Registry& metrics,
                                       const LogOptions& options, RecoveryReport* report) {
  const MonoTime started = clock.mono();
  MR_TRY_ASSIGN(const auto names, files.list(""));
  const bool ours = std::ranges::find(names, kFormatPath) != names.end();
  if (!ours) MR_TRY(check_ours(files, names));
  MR_TRY_ASSIGN(auto lock, files.lock(kLockPath));
  auto format = load_format(files);
  if (!format && format.error().code == ErrorCode::not_found) format = make_directory(files, options);
  if (!format) return std::unexpected(format.error());

  RecoveryReport found;
  auto log = std::make_unique<DiskLog>(files, clock, metrics, options, std::move(lock), *format);
  MR_TRY(log->recover(found));
  found.took = clock.mono() - started;
  if (report != nullptr) *report = found;
  return log;
}

DiskLog::DiskLog(io::FileSystem& files, const Clock& clock, metrics::Registry& metrics, const LogOptions& options,
                 std::unique_ptr<io::File> lock, const DirectoryFormat& format)
    : files_(files),
      clock_(clock),
      options_(options),
      lock_(std::move(lock)),
      format_(format),
      metrics_(metrics),
      journal_(files, clock, options, format.salt, metrics_),
      open_files_(std::make_shared<OpenFiles>(options.open_files)),
      tails_(options.tail_memory_bytes),
      retention_clock_(clock.wall().count(), clock.mono()) {
  last_checkpoint_ = clock_.mono().count();
}

std::vector<Log::PartitionEntry> DiskLog::partitions() const {
  std::vector<PartitionEntry> entries;
  const std::scoped_lock lock(mutex_);
  entries.reserve(table_.size());
  for (const auto& [name, partition] : table_) entries.push_back({partition, partition->spec()});
  return entries;
}

std::vector<Log::PartitionEntry> DiskLog::partitions_of(std::string_view topic) const {
  std::vector<PartitionEntry> entries;
  const std::scoped_lock lock(mutex_);
  for (auto it = table_.lower_bound({std::string(topic), PartitionIndex(0)});
       it != table_.end() && it->first.topic == topic; ++it) {
    entries.push_back({it->second, it->second->spec()});
  }
  return entries;
}

Result<void> DiskLog::usable() const {
  if (dead_.load(std::memory_order_acquire) || closed_.load(std::memory_order_acquire)) {
    return fail(ErrorCode::closed, "log was stopped");
  }
  return {};
}

// The one way out of an I/O error: nothing more is accepted, and what is on disk is judged by the next start.
std::unexpected<Error> DiskLog::died(const Error& error) {
  metrics_.stopped.set(1);
  if (!dead_.exchange(true)) log::error("log_stopped", {{"error", error.message()}});
  return std::unexpected(error);
}

Result<void> DiskLog::close() {
  MR_TRY(usable());
  const auto stop = [&]() -> Result<void> {
    if (options_.bugs.acknowledge_early) MR_TRY(write_late_group());
    for (const MonoTime due = clock_.mono();;) {
      MR_TRY_ASSIGN(const bool unlinked, unlink_some(due));
      if (!unlinked) break;
    }
    MR_TRY(abandon_compaction());
    if (!swaps_.empty()) MR_TRY(write_checkpoint(false));
    return write_checkpoint(true);
  };
  if (auto stopped = stop(); !stopped) {
    if (stopped.error().code == ErrorCode::disk_full) return stopped;  // may be tried again; the journal has everything
    return died(stopped.error());
  }
  closed_.store(true, std::memory_order_release);
  lock_.reset();
  return {};
}

}  // namespace millrace::storage

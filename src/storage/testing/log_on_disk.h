// LogOnDisk: a log over any file system with a clock that stands still, and the batches tests append. Tests only.
//
// stop() closes cleanly; dropping the object, or crash(), is a kill: nothing is written on the way out.
#pragma once

#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "io/posix_file_system.h"
#include "metrics/registry.h"
#include "model/record_batch_builder.h"
#include "model/record_reader.h"
#include "storage/log.h"

namespace millrace::storage {

/// A batch of one record per value, with timestamps from `first_timestamp` on, 1 ms apart.
inline SharedBytes batch_of(const std::vector<std::string>& values, std::int64_t first_timestamp = 1'700'000'000'000,
                            ProducerId producer = kNoProducer, std::int16_t epoch = 0,
                            std::int32_t sequence = kNoSequence) {
  RecordBatchBuilder builder;
  for (const std::string& value : values) {
    builder.append({.key = std::nullopt, .value = as_bytes(value), .headers = {}, .timestamp_ms = first_timestamp++});
  }
  return builder.finish(producer, producer == kNoProducer ? kNoProducerEpoch : ProducerEpoch(epoch), sequence);
}

/// Values of all records from `from` to the high watermark; stops the test on an error.
inline std::vector<std::string> read_all(PartitionLog& partition, Offset from, std::size_t max_bytes = 64_KiB) {
  std::vector<std::string> values;
  while (from < partition.high_watermark()) {
    auto result = partition.read(from, max_bytes);
    if (!result) {
      ADD_FAILURE() << result.error().message();
      return values;
    }
    if (result->batches.empty()) {
      ADD_FAILURE() << "nothing at " << from.value();
      return values;
    }
    for (const SharedBytes& batch : result->batches) {
      const auto header = parse_batch_header(batch.view());
      if (!header || !batch_crc_matches(batch.view())) {
        ADD_FAILURE() << "bad batch served at " << from.value();
        return values;
      }
      RecordReader reader = RecordReader::of_batch(*header, batch.view());
      while (!reader.done()) {
        const auto record = reader.next();
        if (!record) {
          ADD_FAILURE() << record.error().message();
          return values;
        }
        if (record->offset >= from) values.emplace_back(as_text(*record->record.value));
      }
      from = header->next_offset();
    }
  }
  return values;
}

class LogOnDisk {
 public:
  LogOnDisk() : own_files_(*io::PosixFileSystem::open(path_)), files_(own_files_.get()) { small(); }
  LogOnDisk(const LogOnDisk&) = delete;
  LogOnDisk& operator=(const LogOnDisk&) = delete;
  ~LogOnDisk() {
    log.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  explicit LogOnDisk(io::FileSystem& files) : files_(&files) { small(); }

  /// Small files, so that short tests roll, recycle and checkpoint.
  void small() {
    options.journal_file_bytes = 64_KiB;
    options.journal_max_bytes = 1_MiB;
    options.checkpoint_bytes = 128_KiB;
    options.tail_memory_bytes = 32_KiB;
    options.write_piece_bytes = 8_KiB;
    options.direct_write_bytes = 4_KiB;
  }

  Result<void> open() {
    log.reset();
    auto opened = Log::open(*files_, clock, metrics, options, &report);
    if (!opened) return std::unexpected(opened.error());
    log = std::move(*opened);
    return {};
  }
  void crash() { log.reset(); }
  Result<void> stop() {
    auto closed = log->close();
    if (closed || closed.error().code != ErrorCode::disk_full) log.reset();
    return closed;
  }

  Result<std::shared_ptr<PartitionLog>> create(const std::string& topic, int partition = 0, LogConfig config = {}) {
    PartitionChange change =
        CreatePartition{{{topic, PartitionIndex(partition)}, Uuid::from_random(1, 2), config, "properties"}, {}};
    MR_TRY(log->commit({&change, 1}, {}));
    return std::get<CreatePartition>(change).outcome;
  }
  Result<Appended> append(PartitionLog& partition, SharedBytes batch) {
    Append append{&partition, std::move(batch), {}};
    Append* const one = &append;
    MR_TRY(log->commit({}, {&one, 1}));
    return append.outcome;
  }
  [[nodiscard]] std::shared_ptr<PartitionLog> find(const std::string& topic, int partition = 0) const {
    for (const auto& entry : log->partitions()) {
      if (entry.spec.name == TopicPartition{topic, PartitionIndex(partition)}) return entry.log;
    }
    return nullptr;
  }
  [[nodiscard]] io::FileSystem& files() { return *files_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  ManualClock clock;
  metrics::Registry metrics;
  LogOptions options;
  RecoveryReport report;
  std::unique_ptr<Log> log;

 private:
  // In memory where there is such a file system: these tests are about bytes, not about a device.
  static std::string fresh_directory() {
    std::string path = (std::filesystem::exists("/dev/shm") ? std::string("/dev/shm")
                                                            : std::filesystem::temp_directory_path().string()) +
                       "/millrace-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary directory");
    return path;
  }

  std::string path_ = fresh_directory();
  std::unique_ptr<io::PosixFileSystem> own_files_;
  io::FileSystem* files_;
};

}  // namespace millrace::storage

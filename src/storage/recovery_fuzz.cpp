// Recovery over mutated images of a data directory. The input is a list of edits (file, position, byte; or a cut), some
// of which mend the checksum they broke, so that what lies behind it is reached. Whatever the image: no crash, nothing
// served whose CRC fails, and what the log opened it can also close, open again and read the same.
#include <cstdio>
#include <cstdlib>

#include "base/assert.h"
#include "base/endian.h"
#include "base/log.h"
#include "codec/crc32c.h"
#include "metrics/registry.h"
#include "model/record_batch.h"
#include "model/record_batch_builder.h"
#include "storage/journal_format.h"
#include "storage/testing/memory_file_system.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

LogOptions small_options() {
  LogOptions options;
  options.journal_file_bytes = 32_KiB;
  options.journal_max_bytes = 512_KiB;
  options.tail_memory_bytes = 16_KiB;
  options.write_piece_bytes = 2_KiB;
  return options;
}

// Segments, indexes, a checkpoint, a journal with groups behind it, a deleted and a trimmed partition, producers.
MemoryFileSystem make_image() {
  MemoryFileSystem files;
  ManualClock clock;
  metrics::Registry metrics;
  auto log = Log::open(files, clock, metrics, small_options());
  MR_ASSERT(log);
  std::vector<PartitionChange> changes;
  for (int i = 0; i < 3; ++i) {
    LogConfig config;
    config.segment_bytes = 1'500;
    config.index_interval_bytes = 200;
    changes.emplace_back(CreatePartition{{{"t", PartitionIndex(i)}, Uuid::from_random(1, 2), config, "p"}, {}});
  }
  MR_ASSERT((*log)->commit(changes, {}));
  const auto partitions = (*log)->partitions();
  for (int i = 0; i < 30; ++i) {
    std::vector<Append> appends;
    std::vector<Append*> pointers;
    for (const auto& entry : partitions) {
      if (entry.log->deleted()) continue;
      RecordBatchBuilder builder;
      builder.append({.key = std::nullopt, .value = as_bytes("some value"), .headers = {}, .timestamp_ms = 1'000 + i});
      appends.push_back({entry.log.get(), builder.finish(ProducerId(3), ProducerEpoch(0), i), {}});
    }
    for (Append& append : appends) pointers.push_back(&append);
    MR_ASSERT((*log)->commit({}, pointers));
    if (i == 20) MR_ASSERT((*log)->checkpoint());
    if (i == 25) {
      PartitionChange more[] = {TrimPartition{{"t", PartitionIndex(0)}, Offset(5), {}},
                                DeletePartition{{"t", PartitionIndex(2)}, {}}};
      MR_ASSERT((*log)->commit(more, {}));
    }
  }
  return files;
}

void mend_checkpoint(std::string& bytes) {
  if (bytes.size() < 16) return;
  auto* at = reinterpret_cast<std::uint8_t*>(bytes.data());
  const ByteView all = as_bytes(bytes);
  store_le(at + 12, crc32c(all.subspan(16), crc32c(all.subspan(8, 4))));
}

void mend_group(std::string& bytes, std::size_t position) {
  // The group that the position is in begins at one of the blocks before it.
  for (std::size_t block = position / kJournalBlock + 1; block-- > 0;) {
    const std::size_t start = block * kJournalBlock;
    const ByteView rest = as_bytes(bytes).subspan(start);
    const auto header = parse_group_header(rest, rest.size());
    if (!header) continue;
    auto* at = reinterpret_cast<std::uint8_t*>(bytes.data()) + start;
    store_le(at + 12, crc32c(rest.subspan(16, kGroupHeaderSize + header->table_bytes - 16)));
    return;
  }
}

void edit(MemoryFileSystem& files, ByteView input) {
  ByteReader in(input);
  std::vector<std::string> paths;
  for (const auto& [path, content] : files.contents()) paths.push_back(path);
  for (int edits = in.u8() % 4; edits >= 0 && in.remaining() >= 5; --edits) {
    const std::uint8_t what = in.u8();
    const std::string& path = paths[what % paths.size()];
    std::string& bytes = *files.contents().find(path)->second;
    const std::size_t position = bytes.empty() ? 0 : in.le<std::uint16_t>() % bytes.size();
    const std::uint8_t value = in.u8();
    const std::uint8_t mode = in.u8();
    if (bytes.empty()) continue;
    if (mode % 16 == 15) {
      bytes.resize(position);
      continue;
    }
    bytes[position] = static_cast<char>(value);
    if (mode % 2 == 0) {
      if (path == "checkpoint") mend_checkpoint(bytes);
      if (path.ends_with(".journal")) mend_group(bytes, position);
    }
  }
}

using Contents = std::vector<std::pair<std::string, std::string>>;

Contents read_partitions(Log& log) {
  Contents all;
  for (const Log::PartitionEntry& entry : log.partitions()) {
    std::string bytes;
    Offset at = entry.log->log_start();
    while (at < entry.log->high_watermark()) {
      const auto result = entry.log->read(at, 1'000);
      if (!result || result->batches.empty()) break;
      for (const SharedBytes& batch : result->batches) {
        const auto header = parse_batch_header(batch.view());
        MR_ASSERT(header && batch_crc_matches(batch.view()));
        MR_ASSERT(header->last_offset() >= at);
        bytes += as_text(batch.view());
        at = header->next_offset();
      }
    }
    (void)entry.log->find_timestamp(1'010);
    (void)entry.log->find_max_timestamp();
    all.emplace_back(entry.spec.name.to_string(), std::move(bytes));
  }
  return all;
}

}  // namespace
}  // namespace millrace::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::storage;
  static const MemoryFileSystem image = [] {
    log::set_level(log::Level::off);
    return make_image();
  }();
  MemoryFileSystem files(image);
  edit(files, {data, size});
  (void)verify_directory(files, {.deep = true});
  ManualClock clock;
  metrics::Registry metrics;
  Contents before;
  {
    auto opened = Log::open(files, clock, metrics, small_options());
    if (!opened) return 0;
    before = read_partitions(**opened);
    if (!(*opened)->close()) return 0;
  }
  auto again = Log::open(files, clock, metrics, small_options());
  MR_ASSERT(again);
  MR_ASSERT(read_partitions(**again) == before);
  return 0;
}

// Reading: from memory, from segments, by timestamp; waiting; sizes; many threads.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/endian.h"
#include "base/log.h"
#include "base/rng.h"
#include "codec/compression.h"
#include "storage/testing/log_on_disk.h"

namespace millrace::storage {
namespace {

class Posted final : public Executor {
 public:
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  std::size_t run() {
    const std::size_t count = tasks_.size();
    for (Task& task : std::exchange(tasks_, {})) task();
    return count;
  }

 private:
  std::vector<Task> tasks_;
};

void drain(LogOnDisk& disk) {
  disk.clock.advance(std::chrono::seconds(2));
  while (*disk.log->write_behind()) {
  }
}

// What a sender is given instead of bytes has the same bytes.
void expect_same_as_file(PartitionLog& partition, Offset from, std::size_t limit) {
  const auto wanted = partition.read(from, limit);
  const auto got = partition.read_file(from, limit);
  ASSERT_TRUE(wanted && got);
  const auto in_memory = partition.read_memory(from, limit);
  ASSERT_TRUE(in_memory);
  EXPECT_EQ(in_memory->has_value(), got->file.empty());
  EXPECT_EQ(got->bytes, wanted->bytes);
  Buffer bytes;
  bytes.resize(got->file.size);
  if (!got->file.empty()) {
    const auto count =
        ::pread(got->file.descriptor, bytes.data(), bytes.size(), static_cast<off_t>(got->file.position));
    ASSERT_EQ(static_cast<std::size_t>(count), bytes.size());
  }
  for (const SharedBytes& batch : got->batches) bytes.append(batch.view());
  Buffer expected;
  for (const SharedBytes& batch : wanted->batches) expected.append(batch.view());
  EXPECT_TRUE(as_text(bytes.view()) == as_text(expected.view()));
}

// Every start offset and several limits, with the tail in memory, partly written and evicted, and after a restart.
TEST(Read, FromEveryOffsetWhereverItStands) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 6'000;
  disk.options.write_piece_bytes = 1'000;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.segment_bytes = 5'000;
  config.index_interval_bytes = 500;
  ASSERT_TRUE(disk.create("t", 0, config));
  std::vector<std::string> values;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::string> some;
    for (int n = 0; n <= i % 3; ++n)
      some.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i * 13 % 90), 'r'));
    ASSERT_TRUE(disk.append(*disk.find("t"), batch_of(some)));
    values.insert(values.end(), some.begin(), some.end());
    if (i < 150) {
      ASSERT_TRUE(disk.log->write_behind());
    }
  }
  for (int state = 0; state < 3; ++state) {
    if (state == 1) drain(disk);
    if (state == 2) {
      ASSERT_TRUE(disk.stop());
      ASSERT_TRUE(disk.open());
    }
    const auto partition = disk.find("t");
    for (std::size_t from = 0; from < values.size(); from += 7) {
      for (const std::size_t limit : {std::size_t{0}, std::size_t{700}, std::size_t{1} << 40U}) {
        const auto found = read_all(*partition, Offset(static_cast<std::int64_t>(from)), limit);
        ASSERT_EQ(found, std::vector<std::string>(values.begin() + static_cast<std::ptrdiff_t>(from), values.end()));
        expect_same_as_file(*partition, Offset(static_cast<std::int64_t>(from)), limit);
      }
    }
    const auto end = partition->read(partition->high_watermark(), 100);
    ASSERT_TRUE(end);
    EXPECT_TRUE(end->batches.empty());
    EXPECT_EQ(end->high_watermark, partition->high_watermark());
  }
}

TEST(Read, TimestampsInMemoryAndInSegments) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.segment_bytes = 3'000;
  config.index_interval_bytes = 300;
  ASSERT_TRUE(disk.create("t", 0, config));
  std::vector<std::int64_t> timestamps;
  Rng rng(5);
  for (int i = 0; i < 100; ++i) {
    RecordBatchBuilder builder;
    for (int n = 0; n < 3; ++n) {
      timestamps.push_back(10'000 + i * 10 - static_cast<std::int64_t>(rng.below(60)));
      builder.append({.key = std::nullopt, .value = as_bytes("v"), .headers = {}, .timestamp_ms = timestamps.back()});
    }
    ASSERT_TRUE(disk.append(*disk.find("t"), builder.finish()));
    if (i == 50) drain(disk);
  }
  const auto check = [&](PartitionLog& partition) {
    const std::int64_t start = partition.log_start().value();
    for (std::int64_t at = 9'900; at < 11'020; at += 3) {
      std::optional<std::int64_t> expected;
      for (std::size_t i = static_cast<std::size_t>(start); i < timestamps.size() && !expected; ++i) {
        if (timestamps[i] >= at) expected = static_cast<std::int64_t>(i);
      }
      const auto found = partition.find_timestamp(at);
      ASSERT_TRUE(found) << found.error().message();
      ASSERT_EQ(found->has_value(), expected.has_value()) << at;
      if (expected) {
        EXPECT_EQ((*found)->offset, Offset(*expected)) << at;
        EXPECT_EQ((*found)->timestamp_ms, timestamps[static_cast<std::size_t>(*expected)]);
      }
    }
    const auto newest = partition.find_max_timestamp();
    ASSERT_TRUE(newest && *newest);
    EXPECT_EQ((*newest)->timestamp_ms,
              *std::max_element(timestamps.begin() + static_cast<std::ptrdiff_t>(start), timestamps.end()));
  };
  check(*disk.find("t"));
  PartitionChange trim = TrimPartition{{"t", PartitionIndex(0)}, Offset(100), {}};
  ASSERT_TRUE(disk.log->commit({&trim, 1}, {}));
  check(*disk.find("t"));
  ASSERT_TRUE(disk.stop());
  ASSERT_TRUE(disk.open());
  check(*disk.find("t"));
  ASSERT_TRUE(disk.create("empty"));
  EXPECT_FALSE(disk.find("empty")->find_max_timestamp()->has_value());
  EXPECT_FALSE(disk.find("empty")->find_timestamp(0)->has_value());
}

TEST(Read, TimestampsInsideACompressedBatch) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  const SharedBytes plain = batch_of({"a", "b", "c", "d"}, 5'000);
  Buffer bytes;
  bytes.append(plain.view().first(kBatchHeaderSize));
  ASSERT_TRUE(compress(CompressionCodec::zstd, plain.view().subspan(kBatchHeaderSize), bytes));
  store_be(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - kBatchOverhead));
  store_be(bytes.data() + 21, static_cast<std::int16_t>(CompressionCodec::zstd));
  store_be(bytes.data() + 17, compute_batch_crc(bytes.view()));
  ASSERT_TRUE(disk.append(*disk.find("t"), SharedBytes(std::move(bytes))));
  for (int state = 0; state < 2; ++state) {
    const auto found = disk.find("t")->find_timestamp(5'002);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->offset, Offset(2));
    EXPECT_EQ((*found)->timestamp_ms, 5'002);
    drain(disk);
  }
}

TEST(Read, LogAppendTimeIsStampedAndItsCrcHolds) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.log_append_time = true;
  ASSERT_TRUE(disk.create("t", 0, config));
  const std::int64_t now = disk.clock.wall().count();
  const auto appended = disk.append(*disk.find("t"), batch_of({"a"}, 1));
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->log_append_time_ms, now);
  const auto result = disk.find("t")->read(Offset(0), 1000);
  const auto header = parse_batch_header(result->batches.at(0).view());
  EXPECT_TRUE(header->log_append_time());
  EXPECT_EQ(header->max_timestamp, now);
  EXPECT_TRUE(batch_crc_matches(result->batches[0].view()));
}

TEST(Read, WaitersAreWokenOnceAndForgottenOnRequest) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  const auto partition = disk.find("t");
  Posted loop;
  Posted gone;
  int woken = 0;
  partition->when_beyond(Offset(0), loop, [&] { ++woken; });
  partition->when_beyond(Offset(1), loop, [&] { woken += 100; });
  partition->when_beyond(Offset(0), gone, [&] { woken += 10'000; });
  EXPECT_EQ(loop.run(), 0U);
  partition->cancel_waits(gone);
  ASSERT_TRUE(disk.append(*partition, batch_of({"a"})));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(woken, 1);
  ASSERT_TRUE(disk.append(*partition, batch_of({"a"})));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(woken, 101);
  partition->when_beyond(Offset(1), loop, [&] { woken = 7; });
  EXPECT_EQ(loop.run(), 1U);
  partition->when_beyond(Offset(2), loop, [&] { woken = 8; });
  PartitionChange removal = DeletePartition{{"t", PartitionIndex(0)}, {}};
  ASSERT_TRUE(disk.log->commit({&removal, 1}, {}));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(woken, 8);
  EXPECT_EQ(gone.run(), 0U);
}

TEST(Read, BatchesOfAnySizeUpToTheLimit) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  disk.options.journal_max_bytes = 32_MiB;
  disk.options.journal_file_bytes = 256_KiB;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.max_message_bytes = 5'000'000;
  ASSERT_TRUE(disk.create("big", 0, config));
  ASSERT_TRUE(disk.create("usual"));
  EXPECT_EQ(disk.append(*disk.find("usual"), batch_of({std::string(1'048'588, 'x')})).error().code,
            ErrorCode::too_large);
  std::vector<std::string> values;
  for (const std::size_t size : {std::size_t{1}, std::size_t{4'000}, std::size_t{65'536}, std::size_t{1'048'576},
                                 std::size_t{3}, std::size_t{4'900'000}, std::size_t{10}}) {
    values.emplace_back(size, 'b');
    const auto appended = disk.append(*disk.find("big"), batch_of({values.back()}));
    ASSERT_TRUE(appended) << size << ": " << appended.error().message();
  }
  ASSERT_TRUE(disk.append(*disk.find("usual"), batch_of({std::string(1'048'000, 'x')})));
  disk.crash();
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(read_all(*disk.find("big"), Offset(0)), values);
  ASSERT_TRUE(disk.stop());
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(read_all(*disk.find("big"), Offset(0)), values);
}

TEST(Read, AFullJournalRefusesUntilACheckpoint) {
  LogOnDisk disk;
  disk.options.journal_file_bytes = 64_KiB;
  disk.options.journal_max_bytes = 192_KiB;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  std::vector<std::string> values;
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    values.push_back(std::to_string(i) + std::string(10'000, 'j'));
    auto appended = disk.append(*disk.find("t"), batch_of({values.back()}));
    if (!appended) {
      ++refused;
      ASSERT_EQ(appended.error().code, ErrorCode::disk_full);
      EXPECT_TRUE(disk.log->checkpoint_due());
      ASSERT_TRUE(disk.log->checkpoint());
      appended = disk.append(*disk.find("t"), batch_of({values.back()}));
    }
    ASSERT_TRUE(appended) << appended.error().message();
    ASSERT_EQ(appended->base_offset, Offset(i));
  }
  EXPECT_GT(refused, 3);
  disk.crash();
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), values);
}

// A process that died with its journal full opens again all the same.
TEST(Read, AFullJournalOpens) {
  for (int records = 10; records < 20; ++records) {
    LogOnDisk disk;
    disk.options.journal_file_bytes = 64_KiB;
    disk.options.journal_max_bytes = 192_KiB;
    ASSERT_TRUE(disk.open());
    ASSERT_TRUE(disk.create("t"));
    std::vector<std::string> values;
    for (int i = 0; i < records; ++i) {
      std::string value = std::to_string(i) + std::string(10'000, 'j');
      if (disk.append(*disk.find("t"), batch_of({value}))) values.push_back(std::move(value));
    }
    disk.crash();
    ASSERT_TRUE(disk.open()) << records;
    EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), values);
    ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({"more"})));
  }
}

// The deletion that gives room finds some when records find none.
TEST(Read, AFullJournalTakesChanges) {
  LogOnDisk disk;
  disk.options.journal_file_bytes = 64_KiB;
  disk.options.journal_max_bytes = 192_KiB;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  ASSERT_TRUE(disk.create("going"));
  while (disk.append(*disk.find("t"), batch_of({std::string(3'000, 'j')}))) {
  }
  PartitionChange deletion = DeletePartition{{"going", PartitionIndex(0)}, {}};
  ASSERT_TRUE(disk.log->commit({&deletion, 1}, {}));
  EXPECT_EQ(disk.find("going"), nullptr);
}

// Larger than any file of a journal that is all used up: unused files make way.
TEST(Read, ALargeGroupAfterManySmallOnes) {
  LogOnDisk disk;
  disk.options.journal_file_bytes = 64_KiB;
  disk.options.journal_max_bytes = 512_KiB;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  std::vector<std::string> values;
  for (int i = 0; i < 39; ++i) {  // eight files of five, less one of the first, which also holds the topic
    values.push_back(std::to_string(i) + std::string(9'000, 's'));
    ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({values.back()})));
  }
  ASSERT_TRUE(disk.log->checkpoint());
  values.push_back(std::string(300'000, 'l'));
  const auto appended = disk.append(*disk.find("t"), batch_of({values.back()}));
  ASSERT_TRUE(appended) << appended.error().message();
  disk.crash();
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), values);
}

// The log thread, the segment writer and readers at once; under the thread sanitizer this is the test of the locks.
TEST(Read, ReadersAndTheSegmentWriterBesideTheLogThread) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 20'000;
  disk.options.write_piece_bytes = 2'000;
  disk.options.checkpoint_bytes = 64_KiB;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.segment_bytes = 20'000;
  for (int p = 0; p < 3; ++p) ASSERT_TRUE(disk.create("t", p, config));
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> read{0};
  std::vector<std::shared_ptr<PartitionLog>> partitions;
  for (int p = 0; p < 3; ++p) partitions.push_back(disk.find("t", p));

  std::thread writer([&] {
    while (!stop) {
      const auto more = disk.log->write_behind();
      ASSERT_TRUE(more) << more.error().message();
      if (disk.log->checkpoint_due()) {
        ASSERT_TRUE(disk.log->checkpoint());
      }
      if (!*more) std::this_thread::yield();
    }
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      Rng rng(static_cast<std::uint64_t>(r));
      while (!stop) {
        PartitionLog& partition = *partitions[rng.below(3)];
        const std::int64_t low = partition.log_start().value();
        const std::int64_t high = partition.high_watermark().value();
        if (low == high) continue;
        const std::int64_t from = rng.between(low, high - 1);
        const auto result = partition.read(Offset(from), 3'000);
        if (!result) {
          ASSERT_EQ(result.error().code, ErrorCode::out_of_range) << result.error().message();
          continue;
        }
        const auto header = parse_batch_header(result->batches.at(0).view());
        ASSERT_TRUE(header->base_offset.value() <= from && header->last_offset().value() >= from);
        RecordReader records = RecordReader::of_batch(*header, result->batches[0].view());
        const auto record = records.next();
        ASSERT_EQ(as_text(*record->record.value).substr(0, 6), "value ");
        (void)partition.find_timestamp(rng.between(0, 2'000'000'000'000));
        (void)partition.size_bytes();
        ++read;
      }
    });
  }
  for (int i = 0; i < 1'500; ++i) {
    std::vector<Append> appends;
    appends.reserve(3);
    for (const auto& partition : partitions) {
      appends.push_back({partition.get(), batch_of({"value " + std::to_string(i) + std::string(200, 'p')}), {}});
    }
    Append* const all[] = {&appends[0], &appends[1], &appends[2]};
    Result<void> done;
    do {
      done = disk.log->commit({}, all);
    } while (!done && done.error().code == ErrorCode::disk_full);
    ASSERT_TRUE(done) << done.error().message();
    if (i % 300 == 299) {
      PartitionChange trim = TrimPartition{{"t", PartitionIndex(1)}, Offset(i - 100), {}};
      ASSERT_TRUE(disk.log->commit({&trim, 1}, {}));
      ASSERT_TRUE(disk.log->enforce_retention());
    }
  }
  stop = true;
  writer.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(read, 0);
  disk.crash();
  ASSERT_TRUE(disk.open());
  for (int p = 0; p < 3; ++p) {
    const auto partition = disk.find("t", p);
    EXPECT_EQ(partition->high_watermark(), Offset(1'500));
    EXPECT_EQ(read_all(*partition, partition->log_start()).size(),
              static_cast<std::size_t>(1'500 - partition->log_start().value()));
  }
}

}  // namespace
}  // namespace millrace::storage

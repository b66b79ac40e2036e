// What Log::open() accepts, refuses, and leaves behind.
#include <gtest/gtest.h>

#include "base/log.h"
#include "codec/crc32c.h"
#include "io/fault_injecting_file_system.h"
#include "storage/durable_file.h"
#include "storage/format_file.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

void write_file(LogOnDisk& disk, const std::string& path, std::string_view content) {
  ASSERT_TRUE(replace_durably(disk.files(), path, as_bytes(content), {}));
}

TEST(Open, AnEmptyDirectoryIsReadyAtOnce) {
  LogOnDisk disk;
  disk.options = LogOptions{};  // the sizes of a real start
  io::FaultInjectingFileSystem counting(disk.files());
  LogOnDisk log(counting);
  log.options = LogOptions{};
  ASSERT_TRUE(log.open());
  EXPECT_FALSE(log.log->cluster_id().is_zero());
  // What start-up costs is syncs and zeros; the bound keeps it within the 60 ms that are planned for it.
  EXPECT_LE(counting.count(io::Operation::sync) + counting.count(io::Operation::sync_directory), 8U);
  EXPECT_LE(counting.count(io::Operation::write), 32U);
}

TEST(Open, TheSameDirectoryTwiceIsLocked) {
  LogOnDisk first;
  ASSERT_TRUE(first.open());
  LogOnDisk second(first.files());
  EXPECT_EQ(second.open().error().code, ErrorCode::locked);
  EXPECT_EQ(verify_directory(first.files(), {}).error().code, ErrorCode::locked);
  first.crash();
  EXPECT_TRUE(second.open());
}

TEST(Open, AClosedLogRefusesEverything) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  ASSERT_TRUE(disk.log->close());
  EXPECT_EQ(disk.append(*disk.find("t"), batch_of({"x"})).error().code, ErrorCode::closed);
  EXPECT_EQ(disk.log->write_behind().error().code, ErrorCode::closed);
  EXPECT_EQ(disk.log->checkpoint().error().code, ErrorCode::closed);
  EXPECT_EQ(disk.log->enforce_retention().error().code, ErrorCode::closed);
  EXPECT_EQ(disk.log->close().error().code, ErrorCode::closed);
}

// What is not written to segments before the log opens stays in the journal until it is.
TEST(Open, MuchToReplayIsWrittenBehind) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  disk.options.start_write_bytes = 0;
  disk.options.tail_memory_bytes = 1_MiB;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  std::vector<std::string> expected;
  for (int crash = 0; crash < 3; ++crash) {
    for (int i = 0; i < 20; ++i) {
      expected.push_back("record " + std::to_string(expected.size()));
      ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({expected.back()})));
    }
    disk.crash();
    ASSERT_TRUE(disk.open());
    EXPECT_EQ(disk.report.groups_replayed, expected.size() + 1);  // none was lost by the start before
    EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), expected);
    EXPECT_TRUE(disk.log->checkpoint_due());
    EXPECT_FALSE(disk.files().exists("topics/t-0/00000000000000000000.log"));
  }
  ASSERT_TRUE(disk.log->checkpoint());
  EXPECT_FALSE(disk.log->checkpoint_due());
  disk.crash();
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(disk.report.groups_replayed, 0U);
  EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), expected);
  ASSERT_TRUE(disk.stop());
  const auto report = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->good());
}

// Counts what a start reads, by the name of the file.
TEST(Open, ACleanStopIsBelievedWithoutReadingJournalOrSegments) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  io::FaultInjectingFileSystem counting(disk.files());
  LogOnDisk log(counting);
  ASSERT_TRUE(log.open());
  for (const char* topic : {"a", "b", "c"}) {
    ASSERT_TRUE(log.create(topic));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(log.append(*log.find(topic), batch_of({std::string(2'000, 'x')})));
  }
  ASSERT_TRUE(log.stop());
  const auto before = [&] {
    return std::pair(counting.count(io::Operation::read), counting.count(io::Operation::open_existing));
  };
  const auto [reads, opens] = before();
  ASSERT_TRUE(log.open());
  EXPECT_TRUE(log.report.clean);
  EXPECT_EQ(log.report.bytes_replayed, 0U);
  // The checkpoint and the format file; and opened besides: the journal file that comes next.
  EXPECT_LE(counting.count(io::Operation::read) - reads, 2U);
  EXPECT_LE(counting.count(io::Operation::open_existing) - opens, 3U);
  EXPECT_EQ(read_all(*log.find("b"), Offset(0)).size(), 50U);

  // The mark held for one start only: from then on the journal counts, with or without a commit.
  ASSERT_TRUE(log.append(*log.find("c"), batch_of({"later"})));
  log.crash();
  ASSERT_TRUE(log.open());
  EXPECT_FALSE(log.report.clean);
  EXPECT_EQ(read_all(*log.find("c"), Offset(50)), std::vector<std::string>{"later"});
}

// More partitions than files may be open: everything goes on, a checkpoint syncs the volume instead of each file, and a
// checkpoint that finds nothing changed writes no segment.
TEST(Open, ManyPartitionsWithFewOpenFiles) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  io::FaultInjectingFileSystem counting(disk.files());
  LogOnDisk log(counting);
  log.options.open_files = 12;
  log.options.sync_one_by_one = 8;
  log.options.tail_memory_bytes = 4_KiB;
  ASSERT_TRUE(log.open());
  constexpr int kPartitions = 60;
  for (int p = 0; p < kPartitions; ++p) ASSERT_TRUE(log.create("t", p));
  for (int round = 0; round < 3; ++round) {
    for (int p = 0; p < kPartitions; ++p) {
      ASSERT_TRUE(log.append(*log.find("t", p), batch_of({std::to_string(round) + std::string(1'500, 'r')})));
    }
    const std::uint64_t syncs = counting.count(io::Operation::sync);
    const std::uint64_t all = counting.count(io::Operation::sync_all);
    ASSERT_TRUE(log.log->checkpoint());
    EXPECT_EQ(counting.count(io::Operation::sync_all) - all, 1U);
    EXPECT_LE(counting.count(io::Operation::sync) - syncs, 3U);
    const std::uint64_t writes = counting.count(io::Operation::write);
    ASSERT_TRUE(log.log->checkpoint());
    EXPECT_LE(counting.count(io::Operation::write) - writes, 2U);
    log.crash();
    ASSERT_TRUE(log.open());
  }
  for (int p = 0; p < kPartitions; ++p) EXPECT_EQ(read_all(*log.find("t", p), Offset(0)).size(), 3U);
  ASSERT_TRUE(log.stop());
  const auto report = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->good());
}

TEST(Open, SomebodyElsesDirectoryIsLeftAlone) {
  LogOnDisk disk;
  write_file(disk, "letter.txt", "dear");
  const auto opened = disk.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(opened.error().detail.find("letter.txt"), std::string::npos);
  EXPECT_EQ(disk.files().list("")->size(), 1U);
  EXPECT_EQ(verify_directory(disk.files(), {}).error().code, ErrorCode::not_found);
}

TEST(Open, ANewerFormatSaysWhatToDo) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.stop());
  std::string text = *read_whole(disk.files(), "format", 1000);
  text.replace(text.find("version 1"), 9, "version 2");
  text = text.substr(0, text.find("crc32c"));
  write_file(disk, "format", text);
  EXPECT_EQ(disk.open().error().code, ErrorCode::corrupt);  // without its checksum
  const auto crc = [](const std::string& body) {
    char line[32];
    std::snprintf(line, sizeof line, "crc32c %08x\n", crc32c(as_bytes(body)));
    return body + line;
  };
  write_file(disk, "format", crc(text));
  auto opened = disk.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unsupported_version);
  EXPECT_NE(opened.error().detail.find("start the newer millrace"), std::string::npos) << opened.error().message();
  EXPECT_EQ(verify_directory(disk.files(), {}).error().code, ErrorCode::unsupported_version);

  text.replace(text.find("version 2"), 9, "version 1");
  text.replace(text.find("features -"), 10, "features tiered");
  write_file(disk, "format", crc(text));
  opened = disk.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unsupported_version);
  EXPECT_NE(opened.error().detail.find("tiered"), std::string::npos);
}

TEST(Open, AFirstStartThatWasInterruptedBeginsAgain) {
  std::uint64_t total = 0;
  for (std::uint64_t n = 0; n <= total; ++n) {
    LogOnDisk disk;
    io::FaultInjectingFileSystem faults(disk.files());
    LogOnDisk faulty(faults);
    faults.plan({.nth = n == 0 ? io::Fault::kForever : n, .torn_bytes = 10, .times = io::Fault::kForever});
    const auto opened = faulty.open();
    if (n == 0) {
      ASSERT_TRUE(opened);
      total = faults.count(io::mutating_operations());
      ASSERT_GT(total, 10U);
    }
    faulty.crash();
    const auto again = disk.open();
    ASSERT_TRUE(again) << "operation " << n << ": " << again.error().message();
    ASSERT_TRUE(disk.create("t"));
    ASSERT_TRUE(disk.stop());
  }
}

TEST(Open, ClusterIdStays) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  const Uuid id = disk.log->cluster_id();
  disk.crash();
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(disk.log->cluster_id(), id);
  const auto format = load_format(disk.files());
  ASSERT_TRUE(format);
  EXPECT_EQ(parse_format(encode_format(*format))->cluster_id, id);
}

TEST(Open, ProducerIdsAreNeverHandedOutTwice) {
  LogOnDisk disk;
  std::int64_t last = -1;
  for (int round = 0; round < 6; ++round) {
    const auto opened = disk.open();
    ASSERT_TRUE(opened) << opened.error().message();
    for (int i = 0; i < 700; ++i) {
      const auto id = disk.log->next_producer_id();
      ASSERT_TRUE(id);
      ASSERT_GT(id->value(), last);
      last = id->value();
      if (i == 350 && round % 2 == 0) {
        ASSERT_TRUE(disk.log->checkpoint());
      }
    }
    if (round % 3 == 0) {
      ASSERT_TRUE(disk.stop());
    }
    disk.crash();
  }
}

// Blocks that a write with no room left behind, groups of an older life, a torn group: what stands behind the last
// group is ignored.
TEST(Open, ATornLastGroupIsDroppedAndNothingOldComesBack) {
  log::set_level(log::Level::off);
  for (const std::size_t keep :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{300}, std::size_t{5'000}}) {
    LogOnDisk disk;
    io::FaultInjectingFileSystem faults(disk.files());
    LogOnDisk faulty(faults);
    std::vector<std::string> acknowledged;
    for (int round = 0; round < 5; ++round) {
      ASSERT_TRUE(faulty.open());
      if (round == 0) {
        ASSERT_TRUE(faulty.create("t"));
      }
      for (int i = 0; i < 8; ++i) {
        acknowledged.push_back(std::to_string(round * 100 + i) + std::string(3'000, 'a'));
        ASSERT_TRUE(faulty.append(*faulty.find("t"), batch_of({acknowledged.back()})));
      }
      faults.plan({.kinds = io::only(io::Operation::write), .torn_bytes = keep});
      EXPECT_EQ(faulty.append(*faulty.find("t"), batch_of({std::string(6'000, 'z')})).error().code,
                ErrorCode::io_error);
      EXPECT_EQ(faulty.append(*faulty.find("t"), batch_of({"later"})).error().code, ErrorCode::closed);
      faults.clear_plan();
      faulty.crash();
    }
    ASSERT_TRUE(faulty.open());
    EXPECT_EQ(read_all(*faulty.find("t"), Offset(0)), acknowledged) << keep;
  }
}

}  // namespace
}  // namespace millrace::storage

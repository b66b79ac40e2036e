#include "storage/log.h"

#include <gtest/gtest.h>

#include "storage/testing/log_on_disk.h"

namespace millrace::storage {
namespace {

std::string value(int i) {
  return "value-" + std::to_string(i) + std::string(static_cast<std::size_t>(i % 300), 'x');
}

std::vector<std::string> values(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; ++i) all.push_back(value(i));
  return all;
}

TEST(Log, AppendedIsReadBackFromMemory) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  const auto partition = disk.create("t");
  ASSERT_TRUE(partition) << partition.error().message();
  EXPECT_EQ((*partition)->high_watermark(), Offset(0));
  const auto first = disk.append(**partition, batch_of({"a", "b"}));
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->base_offset, Offset(0));
  const auto second = disk.append(**partition, batch_of({"c"}));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->base_offset, Offset(2));
  EXPECT_EQ((*partition)->high_watermark(), Offset(3));
  EXPECT_EQ(read_all(**partition, Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(read_all(**partition, Offset(1)), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ((*partition)->read(Offset(4), 100).error().code, ErrorCode::out_of_range);
}

TEST(Log, KilledAndOpenedAgainHasEverything) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({value(i)})));
    if (i == 50) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
  }
  disk.crash();
  const auto opened = disk.open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_FALSE(disk.report.clean);
  EXPECT_EQ(disk.report.groups_replayed, 49U);
  ASSERT_TRUE(disk.find("t"));
  EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), values(0, 100));
}

TEST(Log, StoppedAndOpenedAgainIsClean) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({value(i)})));
  const auto stopped = disk.stop();
  ASSERT_TRUE(stopped) << stopped.error().message();
  const auto opened = disk.open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_TRUE(disk.report.clean);
  EXPECT_EQ(disk.report.groups_replayed, 0U);
  EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), values(0, 100));
  EXPECT_EQ(read_all(*disk.find("t"), Offset(57)), values(57, 100));
}

TEST(Log, CountsWhatItDoes) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({value(i)})));
  ASSERT_TRUE(disk.log->checkpoint());
  const std::string text = disk.metrics.prometheus_text();
  EXPECT_NE(text.find("millrace_storage_commits_total 6"), std::string::npos) << text;
  EXPECT_NE(text.find("millrace_storage_batches_total 5"), std::string::npos);
  EXPECT_NE(text.find("millrace_storage_checkpoints_total 1"), std::string::npos);
  EXPECT_NE(text.find("millrace_storage_stopped 0"), std::string::npos);
}

// Enough to recycle every journal file several times, evict the tail and roll segments, with kills in between.
TEST(Log, LongRunWithRecycledJournalAndKills) {
  LogOnDisk disk;
  disk.options.journal_max_bytes = 512_KiB;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.segment_bytes = 40'000;
  ASSERT_TRUE(disk.create("t", 0, config));
  ASSERT_TRUE(disk.create("t", 1, config));
  int next = 0;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 150; ++i, ++next) {
      for (int p = 0; p < 2; ++p) {
        const auto appended = disk.append(*disk.find("t", p), batch_of({value(next)}));
        ASSERT_TRUE(appended) << appended.error().message();
        ASSERT_EQ(appended->base_offset, Offset(next));
      }
      disk.clock.advance(std::chrono::milliseconds(20));
      ASSERT_TRUE(disk.log->write_behind());
      if (disk.log->checkpoint_due()) {
        ASSERT_TRUE(disk.log->checkpoint());
      }
    }
    if (round % 3 == 2) {
      ASSERT_TRUE(disk.stop());
    }
    disk.crash();
    const auto opened = disk.open();
    ASSERT_TRUE(opened) << opened.error().message();
    for (int p = 0; p < 2; ++p)
      ASSERT_EQ(read_all(*disk.find("t", p), Offset(0)), values(0, next)) << "round " << round;
  }
}

// However the batches fall, what is left waits for less than a whole piece: no clock is needed to get it written.
TEST(Log, NoWholePieceIsLeftWaiting) {
  for (const std::size_t batch : {std::size_t{1'000}, std::size_t{3'000}, std::size_t{5'000}, std::size_t{9'000}}) {
    LogOnDisk disk;
    disk.options.tail_memory_bytes = 1_MiB;
    ASSERT_TRUE(disk.open());
    ASSERT_TRUE(disk.create("t"));
    std::uint64_t appended = 0;
    for (int round = 1; round < 12; ++round) {
      for (int i = 0; i < round; ++i) {
        const SharedBytes bytes = batch_of({std::string(batch, 'x')});
        appended += bytes.size();
        ASSERT_TRUE(disk.append(*disk.find("t"), bytes));
      }
      for (bool more = true; more;) {
        const auto step = disk.log->write_behind();
        ASSERT_TRUE(step);
        more = *step;
      }
      const std::string path = "topics/t-0/00000000000000000000.log";
      const std::uint64_t written = disk.files().exists(path) ? disk.files().file_size(path).value() : 0;
      EXPECT_LT(appended - written, disk.options.write_piece_bytes) << batch << " bytes, round " << round;
    }
  }
}

}  // namespace
}  // namespace millrace::storage

// Creating, configuring, trimming and deleting partitions, retention, and what of it survives a kill.
#include <gtest/gtest.h>

#include "base/log.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

TopicPartition name_of(const std::string& topic) {
  return {topic, PartitionIndex(0)};
}

template <class Change>
Result<void> change(LogOnDisk& disk, Change wanted) {
  PartitionChange one = std::move(wanted);
  MR_TRY(disk.log->commit({&one, 1}, {}));
  return std::get<Change>(one).outcome;
}

void reopen(LogOnDisk& disk, bool cleanly) {
  if (cleanly) {
    ASSERT_TRUE(disk.stop());
  }
  disk.crash();
  const auto opened = disk.open();
  ASSERT_TRUE(opened) << opened.error().message();
}

void drain(LogOnDisk& disk) {
  for (int i = 0; i < 1000; ++i) {
    const auto more = disk.log->write_behind();
    ASSERT_TRUE(more) << more.error().message();
    if (!*more) return;
  }
  FAIL() << "write_behind never ends";
}

TEST(PartitionChange, NameConfigAndPropertiesSurvive) {
  for (const bool cleanly : {false, true}) {
    LogOnDisk disk;
    ASSERT_TRUE(disk.open());
    LogConfig config;
    config.retention_ms = 1234;
    config.log_append_time = true;
    ASSERT_TRUE(disk.create("b", 2, config));
    ASSERT_TRUE(disk.create("a", 0));
    EXPECT_EQ(disk.create("a", 0).error().code, ErrorCode::already_exists);
    EXPECT_EQ(disk.create("../etc", 0).error().code, ErrorCode::invalid_argument);
    config.retention_bytes = 99;
    ASSERT_TRUE(change(disk, ConfigurePartition{{"b", PartitionIndex(2)}, config, "other", {}}));
    EXPECT_EQ(change(disk, ConfigurePartition{name_of("x"), config, "", {}}).error().code, ErrorCode::not_found);
    reopen(disk, cleanly);
    const auto all = disk.log->partitions();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].spec.name, name_of("a"));
    EXPECT_EQ(all[0].spec.properties, "properties");
    EXPECT_EQ(all[1].spec.name, (TopicPartition{"b", PartitionIndex(2)}));
    EXPECT_EQ(all[1].spec.config, config);
    EXPECT_EQ(all[1].spec.properties, "other");
    EXPECT_EQ(all[1].spec.topic_id, Uuid::from_random(1, 2));
  }
}

TEST(PartitionChange, ChangesOfOneCommitSeeEachOther) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  std::vector<PartitionChange> changes;
  changes.emplace_back(CreatePartition{{name_of("t"), {}, {}, ""}, {}});
  changes.emplace_back(DeletePartition{name_of("t"), {}});
  changes.emplace_back(DeletePartition{name_of("t"), {}});
  changes.emplace_back(CreatePartition{{name_of("t"), {}, {}, "second"}, {}});
  ASSERT_TRUE(disk.log->commit(changes, {}));
  EXPECT_TRUE(std::get<DeletePartition>(changes[1]).outcome);
  EXPECT_FALSE(std::get<DeletePartition>(changes[2]).outcome);
  ASSERT_EQ(disk.log->partitions().size(), 1U);
  reopen(disk, false);
  ASSERT_EQ(disk.log->partitions().size(), 1U);
  EXPECT_EQ(disk.log->partitions()[0].spec.properties, "second");
}

TEST(PartitionChange, ADeletedPartitionsNameCanBeUsedAgain) {
  log::set_level(log::Level::off);
  for (int when = 0; when < 4; ++when) {  // which steps happen between the delete and the end
    LogOnDisk disk;
    ASSERT_TRUE(disk.open());
    ASSERT_TRUE(disk.create("t"));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({"old " + std::to_string(i)})));
    ASSERT_TRUE(disk.log->checkpoint());
    const auto old = disk.find("t");
    Append late{old.get(), batch_of({"late"}), {}};
    Append* const one = &late;
    PartitionChange removal = DeletePartition{name_of("t"), {}};
    ASSERT_TRUE(disk.log->commit({&removal, 1}, {&one, 1}));
    EXPECT_EQ(late.outcome.error().code, ErrorCode::not_found);
    EXPECT_TRUE(old->deleted());
    EXPECT_EQ(old->read(Offset(0), 100).error().code, ErrorCode::closed);
    EXPECT_EQ(disk.append(*old, batch_of({"later"})).error().code, ErrorCode::not_found);
    if (when == 1) drain(disk);
    if (when == 2) reopen(disk, false);
    ASSERT_TRUE(disk.create("t"));
    EXPECT_EQ(disk.find("t")->high_watermark(), Offset(0));
    ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({"new"})));
    if (when == 3) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
    reopen(disk, when == 3);
    EXPECT_EQ(read_all(*disk.find("t"), Offset(0)), std::vector<std::string>{"new"});
    // The old files go when their delay has passed.
    disk.clock.advance(std::chrono::minutes(2));
    drain(disk);
    const auto names = disk.files().list("topics");
    for (const std::string& name : *names) EXPECT_FALSE(name.ends_with(".deleted")) << name;
    ASSERT_TRUE(disk.stop());
    const auto report = verify_directory(disk.files(), {.deep = true});
    ASSERT_TRUE(report && report->good());
    EXPECT_TRUE(report->remarks.empty()) << report->remarks.front();
  }
}

// The segment writer has a journal to keep ready: it takes directories of a large topic away some at a time.
TEST(PartitionChange, AThousandDeletedPartitionsGoInSteps) {
  log::set_level(log::Level::off);
  constexpr int kPartitions = 1'000;
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.file_delete_delay_ms = 0;
  std::vector<PartitionChange> creations;
  std::vector<PartitionChange> deletions;
  for (int i = 0; i < kPartitions; ++i) {
    creations.emplace_back(CreatePartition{{{"t", PartitionIndex(i)}, {}, config, ""}, {}});
    deletions.emplace_back(DeletePartition{{"t", PartitionIndex(i)}, {}});
  }
  ASSERT_TRUE(disk.log->commit(creations, {}));
  std::vector<Append> appends;
  std::vector<Append*> pointers;
  for (const Log::PartitionEntry& entry : disk.log->partitions())
    appends.push_back({entry.log.get(), batch_of({"x"}), {}});
  for (Append& append : appends) pointers.push_back(&append);
  ASSERT_TRUE(disk.log->commit({}, pointers));
  ASSERT_TRUE(disk.log->checkpoint());
  ASSERT_TRUE(disk.log->commit(deletions, {}));
  const auto directories = [&] { return disk.files().list("topics")->size(); };
  std::size_t left = directories();
  ASSERT_EQ(left, std::size_t{kPartitions});
  int steps = 0;
  while (left > 0) {
    ASSERT_TRUE(*disk.log->write_behind());
    const std::size_t now = directories();
    EXPECT_LE(left - now, 64U);
    left = now;
    ASSERT_LT(++steps, kPartitions);
  }
  ASSERT_TRUE(disk.log->checkpoint());
  ASSERT_TRUE(disk.stop());
  EXPECT_TRUE(verify_directory(disk.files(), {.deep = true})->good());
}

TEST(PartitionChange, ATrimSurvives) {
  for (const bool cleanly : {false, true}) {
    LogOnDisk disk;
    ASSERT_TRUE(disk.open());
    LogConfig config;
    config.segment_bytes = 2'000;
    ASSERT_TRUE(disk.create("t", 0, config));
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({std::string(100, 'x')})));
    ASSERT_TRUE(disk.log->checkpoint());
    const std::uint64_t before = disk.find("t")->size_bytes();
    ASSERT_TRUE(change(disk, TrimPartition{name_of("t"), Offset(55), {}}));
    EXPECT_EQ(change(disk, TrimPartition{name_of("t"), Offset(101), {}}).error().code, ErrorCode::out_of_range);
    EXPECT_EQ(change(disk, TrimPartition{name_of("x"), Offset(0), {}}).error().code, ErrorCode::not_found);
    EXPECT_TRUE(change(disk, TrimPartition{name_of("t"), Offset(10), {}}));  // never back
    EXPECT_EQ(disk.find("t")->log_start(), Offset(55));
    EXPECT_LT(disk.find("t")->size_bytes(), before / 2 + 2'000);
    EXPECT_EQ(disk.find("t")->read(Offset(54), 100).error().code, ErrorCode::out_of_range);
    EXPECT_EQ(read_all(*disk.find("t"), Offset(55)).size(), 45U);
    drain(disk);
    reopen(disk, cleanly);
    EXPECT_EQ(disk.find("t")->log_start(), Offset(55));
    EXPECT_EQ(read_all(*disk.find("t"), Offset(55)).size(), 45U);
    // Everything away: offsets go on where they were.
    ASSERT_TRUE(change(disk, TrimPartition{name_of("t"), Offset(100), {}}));
    drain(disk);
    reopen(disk, cleanly);
    EXPECT_EQ(disk.find("t")->log_start(), Offset(100));
    EXPECT_EQ(disk.append(*disk.find("t"), batch_of({"y"}))->base_offset, Offset(100));
    reopen(disk, cleanly);
    EXPECT_EQ(read_all(*disk.find("t"), Offset(100)), std::vector<std::string>{"y"});
  }
}

class Retention : public testing::Test {
 protected:
  void fill(const LogConfig& config, std::int64_t timestamp_shift = 0) {
    ASSERT_TRUE(disk_.open());
    ASSERT_TRUE(disk_.create("t", 0, config));
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(disk_.append(*disk_.find("t"),
                               batch_of({std::string(100, 'x')}, disk_.clock.wall().count() + timestamp_shift)));
      disk_.clock.advance(std::chrono::seconds(1));
      drain(disk_);
    }
    ASSERT_TRUE(disk_.log->checkpoint());
  }
  std::int64_t start_after_retention() {
    EXPECT_TRUE(disk_.log->enforce_retention());
    drain(disk_);
    return disk_.find("t")->log_start().value();
  }
  LogConfig small_segments() {
    LogConfig config;
    config.segment_bytes = 1'800;  // ten batches
    return config;
  }
  LogOnDisk disk_;
};

TEST_F(Retention, ByTime) {
  LogConfig config = small_segments();
  config.retention_ms = 50'000;
  fill(config);
  EXPECT_EQ(start_after_retention(), 50);
  EXPECT_EQ(read_all(*disk_.find("t"), Offset(50)).size(), 50U);
  disk_.clock.advance(std::chrono::seconds(20));
  EXPECT_EQ(start_after_retention(), 70);
  disk_.clock.advance(std::chrono::hours(1));  // of both clocks
  EXPECT_EQ(start_after_retention(), 100);
  reopen(disk_, false);
  EXPECT_EQ(disk_.find("t")->log_start(), Offset(100));
  EXPECT_EQ(disk_.find("t")->high_watermark(), Offset(100));
}

TEST_F(Retention, OneForwardJumpOfTheClockDeletesNothing) {
  LogConfig config = small_segments();
  config.retention_ms = 50'000;
  fill(config);
  EXPECT_EQ(start_after_retention(), 50);
  disk_.clock.set_wall(disk_.clock.wall() + std::chrono::hours(24 * 365));
  EXPECT_EQ(start_after_retention(), 50);
  reopen(disk_, false);  // nor when the jump comes while the log is closed
  EXPECT_EQ(start_after_retention(), 50);
  disk_.clock.set_wall(disk_.clock.wall() - std::chrono::hours(24 * 365));
  disk_.clock.advance(std::chrono::seconds(20));
  EXPECT_EQ(start_after_retention(), 70);  // mended: expiry goes on
}

TEST_F(Retention, AJumpThatLastsIsBelieved) {
  LogConfig config = small_segments();
  config.retention_ms = 24 * 3'600'000;
  fill(config);
  disk_.clock.set_wall(disk_.clock.wall() + std::chrono::hours(48));
  EXPECT_EQ(start_after_retention(), 0);
  disk_.clock.advance(std::chrono::minutes(59));
  EXPECT_EQ(start_after_retention(), 0);
  disk_.clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(start_after_retention(), 100);
}

TEST_F(Retention, ATimestampInTheFutureKeepsNothingForEver) {
  LogConfig config = small_segments();
  config.retention_ms = 50'000;
  fill(config, 1'000'000'000);
  EXPECT_EQ(start_after_retention(), 40);
}

TEST_F(Retention, BySize) {
  LogConfig config = small_segments();
  config.retention_bytes = 5'000;
  fill(config);
  const std::int64_t start = start_after_retention();
  EXPECT_GE(disk_.find("t")->size_bytes(), 5'000U);
  EXPECT_LT(disk_.find("t")->size_bytes(), 7'000U);
  EXPECT_EQ(read_all(*disk_.find("t"), Offset(start)).size(), static_cast<std::size_t>(100 - start));
  int logs = 0;
  const auto names = disk_.files().list("topics/t-0");
  for (const std::string& name : *names) logs += name.ends_with(".log") ? 1 : 0;
  EXPECT_LE(logs, 4);
}

TEST_F(Retention, ForEver) {
  LogConfig config = small_segments();
  config.retention_ms = -1;
  fill(config);
  disk_.clock.advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(start_after_retention(), 0);
}

TEST_F(Retention, CompactedTopicsKeepTheirRecords) {
  LogConfig config = small_segments();
  config.compact = true;
  config.delete_old = false;
  config.retention_ms = 10;
  fill(config);
  EXPECT_EQ(start_after_retention(), 0);
}

}  // namespace
}  // namespace millrace::storage

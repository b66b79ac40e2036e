// That the simulated disk keeps the contract of io::FileSystem, and that it forgets: a toy log that does everything
// right survives thousands of power cuts on it, and the same log with one mistake does not survive a few hundred.
#include "sim/sim_disk.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/byte_writer.h"
#include "base/endian.h"
#include "codec/crc32c.h"
#include "io/file_system_contract.h"

namespace millrace::io {
namespace {

struct MakeSimDisk {
  sim::SimDisk disk{1};
  FileSystem& files() { return disk; }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, FileSystemContract, MakeSimDisk);

}  // namespace
}  // namespace millrace::io

namespace millrace::sim {
namespace {

using io::OpenMode;

enum class Mistake {
  none,
  skip_sync,
  sync_after_ack,
  skip_file_name_sync,
  skip_directory_name_sync,
  skip_checksum,
  drop_last_good,
  keep_torn_tail_unsynced,
  retry_failed_sync,
};

// Records {length u32, crc32c u32, bytes} in one file.
class ToyLog {
 public:
  ToyLog(SimDisk& disk, Mistake mistake) : disk_(disk), mistake_(mistake) {}

  Result<void> open() {
    MR_TRY(disk_.make_directory("toy"));
    if (mistake_ != Mistake::skip_directory_name_sync) MR_TRY(disk_.sync_directory(""));
    MR_TRY_ASSIGN(file_, disk_.open("toy/log", OpenMode::create));
    if (mistake_ != Mistake::skip_file_name_sync) MR_TRY(disk_.sync_directory("toy"));
    MR_TRY_ASSIGN(const std::uint64_t size, file_->size());
    std::vector<std::uint8_t> bytes(size);
    MR_TRY(file_->read_at(0, bytes));
    std::uint64_t previous = 0;
    while (bytes.size() - end_ >= 8) {
      const auto length = load_be<std::uint32_t>(&bytes[end_]);
      if (length == 0 || bytes.size() - end_ - 8 < length) break;
      const ByteView body(&bytes[end_ + 8], length);
      if (mistake_ != Mistake::skip_checksum && crc32c(body) != load_be<std::uint32_t>(&bytes[end_ + 4])) break;
      records.emplace_back(as_text(body));
      previous = end_;
      end_ += 8 + length;
    }
    if (mistake_ == Mistake::drop_last_good && end_ != bytes.size() && !records.empty()) {
      records.pop_back();
      end_ = previous;
    }
    if (end_ != bytes.size()) MR_TRY(file_->truncate(end_));
    // What was read may be in the cache only (the process died, the machine did not): durable before anyone sees it.
    if (mistake_ != Mistake::keep_torn_tail_unsynced) MR_TRY(file_->sync_data());
    return {};
  }

  // True once the record is acknowledged.
  Result<void> append(std::string_view text) {
    std::vector<std::uint8_t> bytes(8 + text.size());
    store_be(&bytes[0], static_cast<std::uint32_t>(text.size()));
    store_be(&bytes[4], crc32c(as_bytes(text)));
    std::copy(text.begin(), text.end(), bytes.begin() + 8);
    if (mistake_ == Mistake::sync_after_ack) records.emplace_back(text);
    MR_TRY(file_->write_at(end_, bytes));
    end_ += bytes.size();
    if (mistake_ != Mistake::skip_sync) {
      auto synced = file_->sync_data();
      if (!synced && mistake_ == Mistake::retry_failed_sync && disk_.running()) synced = file_->sync_data();
      MR_TRY(std::move(synced));
    }
    if (mistake_ != Mistake::sync_after_ack) records.emplace_back(text);
    return {};
  }

  std::vector<std::string> records;  // acknowledged or found

 private:
  SimDisk& disk_;
  Mistake mistake_;
  std::unique_ptr<io::File> file_;
  std::uint64_t end_ = 0;
};

// Several lives of a toy log; what is wrong with it, or nothing.
std::optional<std::string> live_and_die(std::uint64_t seed, Mistake mistake, std::uint64_t& cuts) {
  Rng rng(seed);
  SimDisk disk(rng());
  std::vector<std::string> promised;  // what every later life must find first
  for (int life = 0; life < 6; ++life) {
    if (rng.chance(1, 8)) disk.fail_sync_after(1 + rng.below(6), true);
    if (rng.chance(3, 4)) disk.stop_after(1 + rng.below(30));
    ToyLog log(disk, mistake);
    std::vector<std::string> tried;
    if (log.open()) {
      if (log.records.size() < promised.size()) return "lost: " + promised[log.records.size()];
      for (std::size_t i = 0; i < promised.size(); ++i) {
        if (log.records[i] != promised[i]) return "changed: " + promised[i];
      }
      for (const auto& record : log.records) {
        if (record != std::string(record.size(), record.empty() ? ' ' : record[0])) return "torn: " + record;
      }
      for (int i = 0; i < 8; ++i) {
        const std::string text(1 + rng.below(1500), static_cast<char>('a' + rng.below(26)));
        if (!log.append(text)) break;
      }
      promised = log.records;
    }
    if (rng.chance(1, 2)) {
      ++cuts;
      disk.restart_after_power_cut();
    } else {
      disk.restart_process();
    }
  }
  return std::nullopt;
}

TEST(SimDisk, ARightLogSurvivesThousandsOfPowerCuts) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    const auto wrong = live_and_die(seed, Mistake::none, cuts);
    ASSERT_FALSE(wrong) << "seed " << seed << ": " << wrong->substr(0, 80);
  }
  EXPECT_GT(cuts, 5'000U);
}

TEST(SimDisk, EveryMistakeIsPunished) {
  for (const Mistake mistake : {Mistake::skip_sync, Mistake::sync_after_ack, Mistake::skip_file_name_sync,
                                Mistake::skip_directory_name_sync, Mistake::skip_checksum, Mistake::drop_last_good,
                                Mistake::keep_torn_tail_unsynced, Mistake::retry_failed_sync}) {
    std::uint64_t cuts = 0;
    std::uint64_t seed = 1;
    while (seed <= 300 && !live_and_die(seed, mistake, cuts)) ++seed;
    EXPECT_LE(seed, 300U) << "mistake " << static_cast<int>(mistake) << " was not seen";
  }
}

TEST(SimDisk, ReplaceFileIsOldOrNewAndNewOnceItSaidSo) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    SimDisk disk(seed);
    ASSERT_TRUE(disk.make_directory("d"));
    ASSERT_TRUE(disk.sync_directory(""));
    const std::string before(700, 'b');
    const std::string after(1'900, 'a');
    ASSERT_TRUE(io::replace_file(disk, "d/f", as_bytes(before)));
    disk.stop_after(1 + seed % 8);
    const bool said_so = io::replace_file(disk, "d/f", as_bytes(after)).has_value();
    disk.restart_after_power_cut();
    const std::string found = io::read_file(disk, "d/f", 10'000).value();
    ASSERT_TRUE(found == after || (found == before && !said_so)) << "seed " << seed;
  }
}

TEST(SimDisk, RenameWithoutSyncOfTheContentLosesIt) {
  std::uint64_t damaged = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SimDisk disk(seed);
    ASSERT_TRUE(disk.open("f.tmp", OpenMode::create).value()->write_at(0, as_bytes(std::string(2'000, 'x'))));
    ASSERT_TRUE(disk.rename("f.tmp", "f"));
    ASSERT_TRUE(disk.sync_directory(""));
    disk.restart_after_power_cut();
    damaged += io::read_file(disk, "f", 10'000).value() == std::string(2'000, 'x') ? 0 : 1;
  }
  EXPECT_GT(damaged, 30U);
  EXPECT_LT(damaged, 100U);
}

TEST(SimDisk, SectorsAreAtomicAndIndependent) {
  std::uint64_t mixtures = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SimDisk disk(seed);
    auto file = disk.open("f", OpenMode::create).value();
    ASSERT_TRUE(disk.sync_directory(""));
    ASSERT_TRUE(file->write_at(0, as_bytes(std::string(8 * 512, 'o'))));
    ASSERT_TRUE(file->sync_data());
    ASSERT_TRUE(file->write_at(0, as_bytes(std::string(8 * 512, 'n'))));
    disk.restart_after_power_cut();
    const std::string found = io::read_file(disk, "f", 10'000).value();
    ASSERT_EQ(found.size(), 8U * 512);
    for (std::size_t sector = 0; sector < 8; ++sector) {
      const std::string part = found.substr(sector * 512, 512);
      ASSERT_EQ(part, std::string(512, part[0]));
    }
    mixtures += found.find('o') != std::string::npos && found.find('n') != std::string::npos ? 1 : 0;
  }
  EXPECT_GT(mixtures, 50U);
}

TEST(SimDisk, FailedSyncIsNotHealedByTheNextOne) {
  std::uint64_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimDisk disk(seed);
    auto file = disk.open("f", OpenMode::create).value();
    ASSERT_TRUE(disk.sync_directory(""));
    disk.fail_sync_after(1, false);
    ASSERT_TRUE(file->write_at(0, as_bytes("text")));
    EXPECT_EQ(file->sync_data().error().code, ErrorCode::io_error);
    EXPECT_TRUE(file->sync_data());
    EXPECT_EQ(io::read_file(disk, "f", 10).value(), "text");
    disk.restart_after_power_cut();
    lost += io::read_file(disk, "f", 10).value() == "text" ? 0 : 1;
  }
  EXPECT_GT(lost, 10U);
}

TEST(SimDisk, FullDiskKeepsAPartOfTheWriteAndOverwritingNeedsNoRoom) {
  SimDisk disk(1, {.capacity = 16_KiB}, nullptr, nullptr);
  auto file = disk.open("f", OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, as_bytes(std::string(12'288, 'x'))));
  EXPECT_EQ(file->write_at(12'288, as_bytes(std::string(8'192, 'y'))).error().code, ErrorCode::disk_full);
  EXPECT_EQ(file->size().value(), 16_KiB);
  EXPECT_EQ(disk.free_bytes().value(), 0U);
  EXPECT_TRUE(file->write_at(0, as_bytes(std::string(16'384, 'z'))));
  EXPECT_EQ(disk.open("g", OpenMode::create).value()->reserve(0, 1).error().code, ErrorCode::disk_full);
  file.reset();
  ASSERT_TRUE(disk.remove_file("f"));
  EXPECT_EQ(disk.free_bytes().value(), 16_KiB);
}

TEST(SimDisk, ProcessDeathKeepsTheCacheAndFreesTheLock) {
  SimDisk disk(1);
  auto lock = disk.lock("lock").value();
  auto file = disk.open("f", OpenMode::create).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("text")));
  EXPECT_EQ(disk.open_files(), 2);
  disk.restart_process();
  EXPECT_EQ(disk.open_files(), 0);
  EXPECT_FALSE(file->write_at(0, as_bytes("dead")));
  EXPECT_EQ(io::read_file(disk, "f", 10).value(), "text");
  EXPECT_TRUE(disk.lock("lock"));
}

TEST(SimDisk, OperationsCanBeInterleaved) {
  SimDisk disk(1);
  int calls = 0;
  disk.on_operation([&](io::Operation) {
    if (++calls == 2) return;  // the open below
    EXPECT_TRUE(disk.open("from-the-hook", OpenMode::create));
  });
  ASSERT_TRUE(disk.open("f", OpenMode::create));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(disk.list("").value(), (std::vector<std::string>{"f", "from-the-hook"}));
}

}  // namespace
}  // namespace millrace::sim

// Damage at rest: every byte of a small directory is flipped in turn. Opening, verifying or reading must report it, or
// everything must still read as it was written; wrong bytes are never served.
#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "storage/journal_format.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

constexpr int kRecords = 60;

std::string record(int i) {
  return "record " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 40), '#');
}

// Two partitions, several segments, index entries, a producer snapshot, groups in the journal when it is not closed.
void fill(LogOnDisk& disk, bool close, int records = kRecords, bool seal = false) {
  disk.options.journal_file_bytes = 256_KiB;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.segment_bytes = 3'000;
  config.index_interval_bytes = 200;
  ASSERT_TRUE(disk.create("t", 0, config));
  ASSERT_TRUE(disk.create("u", 0, config));
  for (int i = 0; i < records; ++i) {
    ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({record(i)}, 1'700'000'000'000 + i, ProducerId(5), 0, i)));
    ASSERT_TRUE(disk.append(*disk.find("u"), batch_of({record(i), record(i + 1)})));
    if (i == records / 2) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
  }
  if (close) {
    ASSERT_TRUE(disk.stop());
  } else if (seal) {
    ASSERT_TRUE(disk.log->seal());
    ASSERT_TRUE(disk.log->seal());  // says nothing new
  }
  disk.crash();
}

std::vector<std::string> expected(const std::string& topic) {
  std::vector<std::string> values;
  for (int i = 0; i < kRecords; ++i) {
    values.push_back(record(i));
    if (topic == "u") values.push_back(record(i + 1));
  }
  return values;
}

struct FoundFile {
  std::string path;
  std::uint64_t size = 0;
};

void list_files(io::FileSystem& files, const std::string& directory, std::vector<FoundFile>& found) {
  const auto names = files.list(directory);
  ASSERT_TRUE(names);
  for (const std::string& name : *names) {
    const std::string path = directory.empty() ? name : directory + '/' + name;
    if (files.list(path)) {
      list_files(files, path, found);
      continue;
    }
    const auto file = files.open(path, io::OpenMode::read_only);
    ASSERT_TRUE(file) << path;
    found.push_back({path, *(*file)->size()});
  }
}

void flip(io::FileSystem& files, const std::string& path, std::uint64_t at, std::uint8_t mask) {
  const auto file = files.open(path, io::OpenMode::read_write);
  ASSERT_TRUE(file);
  std::uint8_t byte = 0;
  ASSERT_EQ(*(*file)->read_at(at, {&byte, 1}), 1U);
  byte ^= mask;
  ASSERT_TRUE((*file)->write_at(at, ByteView(&byte, 1)));
}

// Reads everything that can be read; true when all of it came. What came must be right.
bool read_everything(LogOnDisk& disk, const std::string& topic) {
  const auto partition = disk.find(topic);
  if (!partition) return false;
  const std::vector<std::string> wanted = expected(topic);
  std::size_t at = 0;
  while (Offset(static_cast<std::int64_t>(at)) < partition->high_watermark()) {
    const auto result = partition->read(Offset(static_cast<std::int64_t>(at)), 1000);
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::corrupt);
      EXPECT_NE(result.error().detail.find("position"), std::string::npos) << result.error().message();
      return false;
    }
    for (const SharedBytes& batch : result->batches) {
      const auto header = parse_batch_header(batch.view());
      EXPECT_TRUE(header && batch_crc_matches(batch.view()));
      RecordReader reader = RecordReader::of_batch(*header, batch.view());
      while (!reader.done()) {
        const auto next = reader.next();
        EXPECT_TRUE(next);
        if (next->offset.value() < static_cast<std::int64_t>(at)) continue;
        EXPECT_EQ(next->offset.value(), static_cast<std::int64_t>(at));
        EXPECT_EQ(as_text(*next->record.value), wanted.at(at)) << topic << " at " << at;
        ++at;
      }
    }
  }
  return at == wanted.size();
}

TEST(Damage, EveryByteOfAClosedDirectory) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  fill(disk, true);
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  std::vector<FoundFile> found;
  list_files(disk.files(), "", found);
  ASSERT_GT(found.size(), 10U);
  std::uint64_t flipped = 0;
  for (const FoundFile& file : found) {
    if (file.path.starts_with("journal/")) continue;       // nothing in it is needed after a clean stop
    const std::uint64_t step = file.size > 1'000 ? 7 : 1;  // coprime with 8, so every bit gets its turn
    for (std::uint64_t at = 0; at < file.size; at += step) {
      const auto mask = static_cast<std::uint8_t>(1U << (at % 8));
      flip(disk.files(), file.path, at, mask);
      const auto report = verify_directory(disk.files(), {.deep = true});
      const bool reported = !report || !report->good();
      EXPECT_TRUE(reported) << file.path << " at " << at;
      if (report && !report->good() && file.path.ends_with(".log")) {
        EXPECT_NE(report->damage.front().file.find(file.path), std::string::npos);
        EXPECT_LE(report->damage.front().position, at);
      }
      flip(disk.files(), file.path, at, mask);
      ++flipped;
    }
  }
  const auto whole = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(whole && whole->good());
  EXPECT_EQ(whole->records, static_cast<std::uint64_t>(3 * kRecords));
  std::printf("%llu bytes flipped, each found\n", static_cast<unsigned long long>(flipped));
}

// Opening changes a directory (indexes are mended, files cut), so each flip gets a fresh copy.
TEST(Damage, FlippedBytesAreNeverServed) {
  log::set_level(log::Level::off);
  LogOnDisk original;
  fill(original, true);
  std::vector<FoundFile> found;
  list_files(original.files(), "", found);
  int refused = 0;
  int reported = 0;
  int harmless = 0;
  for (const FoundFile& file : found) {
    if (file.path.starts_with("journal/")) continue;
    for (std::uint64_t at = 0; at < file.size; at += 13) {
      LogOnDisk copy;
      std::filesystem::copy(original.path(), copy.path(), std::filesystem::copy_options::recursive);
      flip(copy.files(), file.path, at, static_cast<std::uint8_t>(1U << (at % 8)));
      if (!copy.open()) {
        ++refused;
        continue;
      }
      const bool whole = read_everything(copy, "t") && read_everything(copy, "u");
      (whole ? harmless : reported) += 1;
      EXPECT_FALSE(whole && file.path.ends_with(".log")) << file.path << " at " << at;
      // A time index that lies must not make a look-up wrong without a word.
      for (int i = 0; i < kRecords; i += 7) {
        const auto match = copy.find("t")->find_timestamp(1'700'000'000'000 + i);
        if (match && *match) {
          EXPECT_EQ((*match)->offset, Offset(i)) << file.path << " at " << at;
        }
      }
    }
  }
  std::printf("%d refused at open, %d reported by a read, %d harmless\n", refused, reported, harmless);
}

struct Judged {
  std::uint64_t groups = 0;
  std::uint64_t refused = 0;    // flips that verify reports
  std::uint64_t shortened = 0;  // flips that look like a torn last group
};

// End of the last group: every group of these tests is one block.
std::uint64_t end_of_groups(LogOnDisk& disk, const std::string& path) {
  const auto bytes = io::read_file(disk.files(), path, 1_MiB);
  EXPECT_TRUE(bytes);
  const std::size_t last = bytes->find_last_not_of('\0');
  return last == std::string::npos ? 0 : round_to_block(last + 1);
}

// A journal that still has to be replayed, with one bit flipped at a time in the last groups.
void flip_live_journal(bool seal, std::uint64_t last_groups, Judged& judged) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  fill(disk, false, 14, seal);
  std::vector<FoundFile> found;
  list_files(disk.files(), "journal", found);
  const auto before = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(before && before->good()) << before.error().message();
  judged.groups = before->journal_groups;
  for (const FoundFile& file : found) {
    const std::uint64_t end = std::min(file.size, end_of_groups(disk, file.path));
    const std::uint64_t begin = end - std::min(end, last_groups * kJournalBlock);
    for (std::uint64_t at = begin; at < end; at += at % 4096 < 300 ? 1 : 5) {
      if (at % 4096 > 300 && at % 4096 < 4080) continue;  // padding: every group of this test ends before
      const auto mask = static_cast<std::uint8_t>(0x80U >> (at % 8));
      flip(disk.files(), file.path, at, mask);
      const auto report = verify_directory(disk.files(), {.deep = true});
      ASSERT_TRUE(report);
      if (!report->good()) {
        ++judged.refused;
      } else if (report->journal_groups != judged.groups) {
        EXPECT_EQ(report->journal_groups, judged.groups - 1) << at;
        ++judged.shortened;
      }
      flip(disk.files(), file.path, at, mask);
    }
  }
}

// Flips are found, except in the very last group, which looks like a torn one.
TEST(Damage, EveryByteOfALiveJournal) {
  Judged judged;
  flip_live_journal(false, 64, judged);
  ASSERT_GT(judged.groups, 10U);
  EXPECT_GT(judged.refused, (judged.groups - 1) * 150);
  EXPECT_GT(judged.shortened, 100U);
  EXPECT_LT(judged.shortened, 302U);
}

// Behind a seal the last group with records is not the last: what can be lost without a word holds nothing.
TEST(Damage, ASealTellsDamageFromATornGroup) {
  Judged open;
  flip_live_journal(false, 1, open);
  EXPECT_GT(open.shortened, 100U);
  Judged sealed;
  flip_live_journal(true, 2, sealed);
  EXPECT_EQ(sealed.groups, open.groups + 1);
  EXPECT_LE(sealed.shortened, kGroupHeaderSize);
  EXPECT_GT(sealed.refused, open.shortened);
}

TEST(Damage, AMissingFileIsNamed) {
  log::set_level(log::Level::off);
  for (const char* name : {"checkpoint", "topics/t-0/00000000000000000000.log", "topics/t-0/00000000000000000000.index",
                           "topics/u-0/00000000000000000000.timeindex"}) {
    LogOnDisk disk;
    fill(disk, true);
    ASSERT_TRUE(disk.files().remove_file(name));
    const auto opened = disk.open();
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
    EXPECT_NE(opened.error().detail.find(name), std::string::npos) << opened.error().message();
    const auto report = verify_directory(disk.files(), {});
    ASSERT_TRUE(report);
    ASSERT_FALSE(report->good());
    EXPECT_NE(report->damage.front().file.find(name), std::string::npos);
  }
}

TEST(Damage, AMissingJournalFileIsNamed) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  disk.options.journal_file_bytes = 64_KiB;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t"));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), batch_of({record(i)})));
  disk.crash();
  std::vector<FoundFile> found;
  list_files(disk.files(), "journal", found);
  ASSERT_GT(found.size(), 2U);
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    ASSERT_TRUE(disk.files().rename(found[i].path, "kept"));
    const auto opened = disk.open();
    ASSERT_FALSE(opened) << found[i].path;
    EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
    ASSERT_TRUE(disk.files().rename("kept", found[i].path));
  }
  ASSERT_TRUE(disk.open());
  EXPECT_EQ(read_all(*disk.find("t"), Offset(0)).size(), 60U);
}

}  // namespace
}  // namespace millrace::storage

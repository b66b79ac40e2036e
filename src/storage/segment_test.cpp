// Appending to a segment in whole blocks: whatever the pieces are, the file is the batches one behind the other.
#include "storage/segment.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify_segment.h"

namespace millrace::storage {
namespace {

StoredBatch batch_at(Offset base, std::size_t size) {
  SharedBytes bytes = batch_of({std::string(size, static_cast<char>('a' + base.value() % 26))});
  patch_base_offset({bytes.mutable_data(), bytes.size()}, base, LeaderEpoch(0));
  const auto header = parse_batch_header(bytes.view());
  return {bytes, header->base_offset, header->last_offset(), header->max_timestamp, header->base_timestamp};
}

class SegmentAppend : public testing::TestWithParam<std::uint64_t> {
 protected:
  SegmentAppend() { EXPECT_TRUE(disk_.files().make_directory("s")); }
  std::string content() {
    auto text = io::read_file(disk_.files(), segment_.path(".log"), 64_MiB);
    EXPECT_TRUE(text);
    return text ? *text : std::string();
  }

  LogOnDisk disk_;
  Segment segment_{disk_.files(), "s", Offset(0)};
};

TEST_P(SegmentAppend, TheFileIsTheBatchesOneBehindTheOther) {
  Rng rng(GetParam());
  SegmentState state;
  io::BlockBuffer blocks;
  std::string expected;
  std::vector<StoredBatch> waiting;
  Offset next(0);
  for (int round = 0; round < 60; ++round) {
    while (waiting.size() < 1 + rng.below(12)) {
      waiting.push_back(batch_at(next, 1 + rng.below(rng.chance(1, 8) ? 40'000 : 3'000)));
      next = next + 1;
    }
    const Segment::AppendRules rules{.index_interval = 2'000,
                                     .segment_limit = 8_MiB,
                                     .direct_bytes = rng.chance(1, 4) ? 1_MiB : 4_KiB,
                                     .index_bytes = rng.below(3) * 20'000,
                                     .all = rng.chance(1, 3),
                                     .pad = rng.chance(1, 3)};
    const auto appended = segment_.append(state, waiting, rules, blocks);
    ASSERT_TRUE(appended) << appended.error().message();
    ASSERT_GE(appended->batches, 1U);
    ASSERT_TRUE(!(rules.all || rules.pad) || appended->batches == waiting.size());
    for (std::size_t i = 0; i < appended->batches; ++i) expected += as_text(waiting[i].bytes.view());
    ASSERT_EQ(appended->state.size, expected.size());
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(appended->batches));
    state = appended->state;
    ASSERT_EQ(content().substr(0, expected.size()), expected) << "round " << round;
    if (rng.chance(1, 6)) {
      ASSERT_TRUE(segment_.begin_sync());
      ASSERT_TRUE(segment_.sync());
      segment_.close_files();
    }
    if (rng.chance(1, 8)) {
      ASSERT_TRUE(segment_.trim(state));
      ASSERT_EQ(content(), expected) << "round " << round;
    }
    if (rng.chance(1, 8)) (void)segment_.give_back_files();
  }
  const auto read = segment_.read(state, Offset(0), 16_MiB, false);
  ASSERT_TRUE(read) << read.error().message();
  const auto sealed = segment_.seal(state);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(content(), expected);
  EXPECT_GT(sealed->index_entries, 10U);
  VerifyReport report;
  ASSERT_TRUE(verify_segment(disk_.files(), "s", *sealed, true, true, [](const BatchHeader&) {}, report));
  for (const auto& damage : report.damage)
    ADD_FAILURE() << damage.file << " at " << damage.position << ": " << damage.what;
}

INSTANTIATE_TEST_SUITE_P(Seeds, SegmentAppend, testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace millrace::storage

// Who gives its files back when too many are open.
#include "storage/open_files.h"

#include <gtest/gtest.h>

#include "model/record_batch_builder.h"
#include "storage/segment.h"
#include "storage/testing/memory_file_system.h"

namespace millrace::storage {
namespace {

class OpenFilesOf : public testing::Test {
 protected:
  // A segment with one batch; its files stay open as long as the limit lets them.
  std::unique_ptr<Segment> written(const std::string& directory) {
    auto segment = std::make_unique<Segment>(files_, directory, Offset(0), open_);
    RecordBatchBuilder builder;
    builder.append({.key = std::nullopt, .value = as_bytes("v"), .headers = {}, .timestamp_ms = 1});
    StoredBatch batch{builder.finish(kNoProducer, kNoProducerEpoch, kNoSequence), Offset(0), Offset(0), 1, 1};
    const auto appended = segment->append(state_, {&batch, 1}, {}, blocks_);
    EXPECT_TRUE(appended);
    if (appended) state_of_[directory] = appended->state;
    return segment;
  }
  bool readable(Segment& segment) {
    const auto read = segment.read(state_of_[segment.directory()], Offset(0), 1000, false);
    return read && read->batches.size() == 1;
  }

  MemoryFileSystem files_;
  io::BlockBuffer blocks_;
  SegmentState state_{.base = Offset(0), .next = Offset(0)};
  std::map<std::string, SegmentState> state_of_;
  std::shared_ptr<OpenFiles> open_ = std::make_shared<OpenFiles>(8);
};

TEST_F(OpenFilesOf, SegmentsStayBelowTheLimitAndReadable) {
  std::vector<std::unique_ptr<Segment>> segments;
  for (int i = 0; i < 20; ++i) {
    segments.push_back(written("p" + std::to_string(i)));
    EXPECT_LE(open_->count(), 8U);
  }
  for (auto& segment : segments) {
    EXPECT_TRUE(readable(*segment));
    EXPECT_LE(open_->count(), 8U);
  }
  segments.clear();
  EXPECT_EQ(open_->count(), 0U);
}

// A checkpoint goes through them in the same order every time: most of them must find their files open.
TEST_F(OpenFilesOf, GoingAroundAFewTooManyKeepsMostOfThem) {
  open_ = std::make_shared<OpenFiles>(90);
  std::vector<std::unique_ptr<Segment>> segments;
  for (int i = 0; i < 100; ++i) segments.push_back(written("p" + std::to_string(i)));
  int opened = 0;
  for (int round = 0; round < 20; ++round) {
    for (auto& segment : segments) {
      const std::uint64_t before = files_.opened();
      EXPECT_TRUE(readable(*segment));
      if (round > 0 && files_.opened() > before) ++opened;
    }
  }
  EXPECT_LT(opened, 19 * 100 / 2);
}

// Its sync would ask a new descriptor about what an old one wrote.
TEST_F(OpenFilesOf, ASegmentThatGaveBackUnsyncedFilesAsksForASyncOfEverything) {
  const auto kept = written("kept");
  EXPECT_TRUE(kept->sync().value());
  EXPECT_FALSE(kept->dirty());
  const auto given = written("given");
  EXPECT_FALSE(given->give_back_files());  // used lately
  EXPECT_TRUE(given->give_back_files());
  EXPECT_FALSE(given->sync().value());
  EXPECT_TRUE(given->dirty());
  given->synced();
  EXPECT_FALSE(given->dirty());
  EXPECT_TRUE(given->sync().value());
}

}  // namespace
}  // namespace millrace::storage

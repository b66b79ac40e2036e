// What sinks keep on disk: it comes back as it was, its place is used again, its limit holds, nothing is left behind,
// and no failing operation changes what was there before.
#include "connect/runtime/spill.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "base/rng.h"
#include "connect/sinks/s3/kept_bytes.h"
#include "io/fault_injecting_file_system.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"

namespace millrace::connect {
namespace {

using s3::KeptBytes;

class SpillTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string text(std::size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>('a' + rng_.below(26));
    return text;
  }

  Rng rng_{7};
  io::TemporaryDirectory directory_;
  std::unique_ptr<io::FileSystem> posix_ = io::PosixFileSystem::open(directory_.path()).value();
  io::FaultInjectingFileSystem files_{*posix_};
};

TEST_F(SpillTest, ExtentsComeBackAndTheirPlaceIsUsedAgain) {
  SpillFolder folder(files_, "spill", 1 << 20);
  auto file = folder.make_file().value();
  EXPECT_TRUE(files_.list("spill")->empty()) << "a kill leaves nothing behind";
  struct Kept {
    SpillExtent extent;
    std::string text;
  };
  std::deque<Kept> kept;
  std::uint64_t most = 0;
  std::uint64_t live = 0;
  for (int i = 0; i < 3000; ++i) {
    if (kept.size() < 20 || (kept.size() < 60 && rng_.chance(1, 2))) {
      std::string written = text(1 + rng_.below(300));
      const SpillExtent extent = file->write(as_bytes(written)).value();
      live += written.size();
      most = std::max(most, live);
      kept.push_back({extent, std::move(written)});
    } else {
      const std::size_t at = rng_.below(kept.size());
      Buffer back;
      back.append("before ");
      ASSERT_TRUE(file->read(kept[at].extent, back));
      EXPECT_EQ(as_text(back.view()), "before " + kept[at].text);
      file->release(kept[at].extent);
      live -= kept[at].text.size();
      kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(at));
    }
    ASSERT_EQ(folder.used(), static_cast<std::int64_t>(file->size()));
  }
  EXPECT_LT(file->size(), 3 * most) << "what was released is used again";
  for (const Kept& one : kept) file->release(one.extent);
  EXPECT_EQ(file->size(), 0U);
  EXPECT_EQ(folder.used(), 0);
}

TEST_F(SpillTest, TheLimitIsForAllFilesTogether) {
  SpillFolder folder(files_, "spill", 1000);
  auto one = folder.make_file().value();
  auto other = folder.make_file().value();
  const std::string bytes = text(600);
  const SpillExtent kept = one->write(as_bytes(bytes)).value();
  EXPECT_EQ(other->write(as_bytes(bytes)).error().code, ErrorCode::disk_full);
  EXPECT_EQ(folder.used(), 600);
  one->release(kept);
  EXPECT_TRUE(other->write(as_bytes(bytes)));
  other.reset();
  EXPECT_EQ(folder.used(), 0) << "a file that goes gives its room back";
  SpillFolder none(files_, "spill", 0);
  EXPECT_EQ(none.make_file().error().code, ErrorCode::disk_full);
}

/// Flips a bit of what is read.
class Lying final : public io::File {
 public:
  explicit Lying(std::unique_ptr<io::File> below) : below_(std::move(below)) {}
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) override {
    auto read = below_->read_at(offset, into);
    if (read && *read > 0) into[*read / 2] ^= 1U;
    return read;
  }
  Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) override {
    return below_->write_at(offset, pieces);
  }
  Result<void> sync_data() override { return below_->sync_data(); }
  Result<void> truncate(std::uint64_t size) override { return below_->truncate(size); }
  Result<void> reserve(std::uint64_t offset, std::uint64_t length) override { return below_->reserve(offset, length); }
  void start_writeback(std::uint64_t offset, std::uint64_t length) override { below_->start_writeback(offset, length); }
  Result<std::uint64_t> size() override { return below_->size(); }

 private:
  std::unique_ptr<io::File> below_;
};

TEST_F(SpillTest, DamageIsNoticed) {
  MemoryBudget room(1 << 20);
  SpillFile file(std::make_unique<Lying>(posix_->open("lying", io::OpenMode::create).value()), room);
  const SpillExtent extent = file.write(as_bytes(text(100))).value();
  Buffer back;
  EXPECT_EQ(file.read(extent, back).error().code, ErrorCode::corrupt);
  EXPECT_TRUE(back.empty());
}

TEST_F(SpillTest, NoFailingOperationChangesWhatIsKept) {
  std::uint64_t nth = 1;
  for (; nth < 200; ++nth) {
    files_.clear_plan();
    SpillFolder folder(files_, "spill", 1 << 20);
    const std::uint64_t before = files_.injected();
    files_.plan({.kinds = io::all_operations(), .nth = nth, .error = ErrorCode::disk_full});
    std::unique_ptr<SpillFile> file;
    std::string expected;
    {
      KeptBytes kept;
      for (int i = 0; i < 6; ++i) {
        const std::string more = text(50 + rng_.below(200));
        kept.memory().append(more);
        expected += more;
        if (!file) {
          if (auto made = folder.make_file()) file = std::move(*made);
        }
        if (file && i % 3 != 2) static_cast<void>(kept.spill(*file));
        ASSERT_EQ(kept.size(), expected.size()) << "operation " << nth;
        if (i == 3) static_cast<void>(kept.gather());
      }
      if (!kept.gather()) {
        ASSERT_TRUE(kept.gather()) << "tried again, operation " << nth;
      }
      ASSERT_EQ(as_text(kept.memory().view()), expected) << "operation " << nth;
    }
    file.reset();
    ASSERT_EQ(folder.used(), 0) << "operation " << nth;
    if (files_.injected() == before) break;
  }
  EXPECT_GT(nth, 8U);
  EXPECT_LT(nth, 200U) << "every operation has failed once";
}

}  // namespace
}  // namespace millrace::connect

// The contract over the real disk and the fault injector; a short write; a fault at every operation of replace_file.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>

#include "io/fault_injecting_file_system.h"
#include "io/file_system_contract.h"
#include "io/posix_error.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"

namespace millrace::io {
namespace {

struct MakePosix {
  TemporaryDirectory directory;
  std::unique_ptr<PosixFileSystem> posix = PosixFileSystem::open(directory.path() + "/made/on/the/way").value();
  FileSystem& files() { return *posix; }
};
struct MakeFaultless {
  MakePosix below;
  FaultInjectingFileSystem faults{below.files()};
  FileSystem& files() { return faults; }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Posix, FileSystemContract, MakePosix);
INSTANTIATE_TYPED_TEST_SUITE_P(Faultless, FileSystemContract, MakeFaultless);

TEST(PosixFileSystem, ErrorsNameThePathAndTheReason) {
  MakePosix made;
  const Error error = made.files().open("no/such", OpenMode::read_only).error();
  EXPECT_EQ(error.message(), "open: " + made.files().describe("no/such") + ": No such file or directory (not_found)");
  EXPECT_EQ(posix_failure("write", "f", ENOSPC).error().code, ErrorCode::disk_full);
  EXPECT_EQ(posix_failure("write", "f", EDQUOT).error().code, ErrorCode::disk_full);
  EXPECT_EQ(posix_failure("write", "f", EIO).error().code, ErrorCode::io_error);
  EXPECT_EQ(posix_failure("write", "f", EROFS).error().code, ErrorCode::io_error);
}

TEST(PosixFileSystem, RootThatIsAFileIsRefused) {
  const TemporaryDirectory directory;
  auto outer = PosixFileSystem::open(directory.path());
  ASSERT_TRUE(outer);
  ASSERT_TRUE((*outer)->open("file", OpenMode::create));
  EXPECT_FALSE(PosixFileSystem::open(directory.path() + "/file"));
}

TEST(PosixFileSystem, ShortWriteIsReportedNotHidden) {
  // RLIMIT_FSIZE makes the kernel write a part first and then answer EFBIG.
  MakePosix made;
  auto file = made.files().open("a", OpenMode::create);
  ASSERT_TRUE(file);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 10'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text(20'000, 'x');
  const auto wrote = (*file)->write_at(0, as_bytes(text));
  const auto size = (*file)->size();
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(wrote);
  EXPECT_EQ(wrote.error().code, ErrorCode::io_error);
  EXPECT_EQ(size.value(), 10'000U);
}

// Every failing N of a small script: replace_file leaves the old content or the new one, and says when it failed.
TEST(FaultInjectingFileSystem, ReplaceFileIsWholeForEveryNthFailure) {
  std::uint64_t total = 0;
  for (std::uint64_t nth = 0; nth <= total; ++nth) {
    for (const std::size_t torn : {std::size_t{0}, std::size_t{3}}) {
      MakePosix made;
      FaultInjectingFileSystem faults(made.files());
      ASSERT_TRUE(replace_file(faults, "a", as_bytes("before")));
      const auto start = faults.count(mutating_operations());
      if (nth != 0) faults.plan({.nth = nth, .torn_bytes = torn});
      const auto replaced = replace_file(faults, "a", as_bytes("after"));
      if (nth == 0) total = faults.count(mutating_operations()) - start;
      EXPECT_EQ(replaced.has_value(), nth == 0);
      EXPECT_EQ(faults.injected(), nth == 0 ? 0U : 1U);
      const std::string text = read_file(made.files(), "a", 100).value();
      EXPECT_TRUE(text == "before" || text == "after") << nth << ": " << text;
      faults.clear_plan();
      ASSERT_TRUE(replace_file(faults, "a", as_bytes("last")));
      EXPECT_EQ(read_file(made.files(), "a", 100).value(), "last");
    }
  }
  EXPECT_EQ(total, 6U);  // open, truncate, write, sync, rename, directory sync
}

TEST(FaultInjectingFileSystem, TornWriteLeavesItsFirstBytes) {
  MakePosix made;
  FaultInjectingFileSystem faults(made.files());
  auto file = faults.open("a", OpenMode::create);
  ASSERT_TRUE(file);
  faults.plan({.kinds = only(Operation::write), .nth = 2, .error = ErrorCode::disk_full, .torn_bytes = 5});
  ASSERT_TRUE((*file)->write_at(0, as_bytes("..")));
  const ByteView pieces[] = {as_bytes("abc"), as_bytes("defg"), as_bytes("h")};
  EXPECT_EQ((*file)->write_at(2, pieces).error().code, ErrorCode::disk_full);
  EXPECT_EQ(read_file(made.files(), "a", 100).value(), "..abcde");
  ASSERT_TRUE((*file)->write_at(2, pieces));
  EXPECT_EQ(faults.count(Operation::write), 3U);
}

TEST(FaultInjectingFileSystem, EverythingFailsAfterwardsWhenAsked) {
  MakePosix made;
  FaultInjectingFileSystem faults(made.files());
  auto file = faults.open("a", OpenMode::create);
  ASSERT_TRUE(file);
  faults.plan({.kinds = all_operations(), .nth = 2, .times = Fault::kForever});
  EXPECT_TRUE((*file)->sync_data());
  EXPECT_FALSE((*file)->sync_data());
  EXPECT_FALSE((*file)->write_at(0, as_bytes("x")));
  EXPECT_FALSE(faults.open("a", OpenMode::read_only));
  EXPECT_FALSE(faults.list(""));
  EXPECT_EQ(faults.injected(), 4U);
  EXPECT_EQ(faults.count(Operation::sync), 2U);
}

}  // namespace
}  // namespace millrace::io

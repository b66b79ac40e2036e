// Calls that wait for the disk, side by side.
#include "io/write_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace millrace::io {
namespace {

TEST(WriteThreads, EveryCallIsMadeOnce) {
  WriteThreads threads;
  for (std::size_t count = 0; count < 200; ++count) {
    std::vector<std::atomic<int>> calls(count);
    threads.run(count, [&](std::size_t i) { ++calls[i]; });
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(calls[i], 1) << i << " of " << count;
  }
}

// It would wait for ever otherwise.
TEST(WriteThreads, CallsGoOnSideBySide) {
  WriteThreads threads;
  std::latch met(3);
  threads.run(3, [&](std::size_t) { met.arrive_and_wait(); });
}

TEST(WriteThreads, ThoseThatNeverHadWorkEnd) {
  const WriteThreads unused;
  WriteThreads used;
  used.run(2, [](std::size_t) {});
}

}  // namespace
}  // namespace millrace::io

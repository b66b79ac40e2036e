// Results, identifiers, clocks, gates, readers and writers of base, one small group of cases each.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "base/buffer.h"
#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/clock.h"
#include "base/event_limit.h"
#include "base/gate.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/strong_id.h"
#include "base/thread_priority.h"

namespace millrace {
namespace {

using Apples = StrongId<struct ApplesTag, std::int64_t>;
using Pears = StrongId<struct PearsTag, std::int64_t>;
static_assert(!std::is_convertible_v<Apples, Pears>);
static_assert(!std::is_convertible_v<std::int64_t, Apples>);
static_assert(Apples(3) + 2 == Apples(5));
static_assert(Apples(5) - Apples(3) == 2);

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::invalid_argument, "half of an odd number", std::to_string(n));
  return n / 2;
}
Result<int> quarter(int n) {
  MR_TRY_ASSIGN(const int h, half(n));
  return half(h);
}

TEST(Result, TryReturnsTheErrorToTheCaller) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message(), "half of an odd number: 3 (invalid_argument)");
}

TEST(ByteReader, ErrorsStick) {
  const std::uint8_t bytes[] = {0x01, 0x02, 0x03};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.be<std::uint16_t>(), 0x0102);
  EXPECT_EQ(reader.be<std::uint32_t>(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
}

TEST(ByteReader, VarintsRoundTripAndOverlongFails) {
  Rng rng(7);
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<std::int64_t>(rng() >> rng.below(64));
    Buffer buffer;
    ByteWriter(buffer).varint(i % 2 == 0 ? value : -value);
    ByteReader reader(buffer.view());
    EXPECT_EQ(reader.varint(), i % 2 == 0 ? value : -value);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0U);
    EXPECT_EQ(buffer.size(), varint_size(i % 2 == 0 ? value : -value));
  }
  const std::uint8_t overlong[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
  ByteReader reader(overlong);
  reader.uvarint(5);
  EXPECT_FALSE(reader.ok());
}

TEST(Buffer, ConsumeKeepsTheRest) {
  Buffer buffer;
  buffer.append(std::string_view("hello world"));
  buffer.consume(6);
  EXPECT_EQ(as_text(buffer.view()), "world");
}

TEST(SharedBytes, SliceKeepsTheOwnerAlive) {
  SharedBytes part;
  {
    const SharedBytes whole = SharedBytes::copy_of(as_bytes("0123456789"));
    part = whole.slice(3, 4);
  }
  EXPECT_EQ(as_text(part.view()), "3456");
}

TEST(Gate, CloseWaitsForThoseInside) {
  Gate gate;
  ASSERT_TRUE(gate.enter());
  std::thread closer([&] { gate.close(); });
  while (!gate.closed()) std::this_thread::yield();
  EXPECT_FALSE(gate.enter());
  gate.leave();
  closer.join();
}

TEST(ThreadPriority, OneThreadGivesWayAndTheOthersDoNot) {
  const int before = getpriority(PRIO_PROCESS, 0);
  int lowered = 0;
  std::thread([&lowered] {
    lower_this_thread(3);
    lowered = getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_EQ(lowered, std::min(before + 3, 19));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

TEST(Rng, SameSeedSameNumbers) {
  Rng a(42);
  Rng b(42);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a(), b());
}

TEST(EventLimit, LetsABurstThroughAndTellsWhatItLeftOut) {
  EventLimit limit(3, 2);
  MonoTime now{std::chrono::seconds(5)};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.take(now).value().left_out, 0U);
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(limit.take(now));
  now += std::chrono::milliseconds(500);
  EXPECT_EQ(limit.take(now).value().left_out, 7U);
  EXPECT_FALSE(limit.take(now));
  now += std::chrono::seconds(60);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.take(now)) << "no more than a burst is saved up";
  EXPECT_FALSE(limit.take(now));
}

TEST(ManualClock, WallFollowsMonotonicTime) {
  ManualClock clock;
  const auto wall = clock.wall();
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(clock.wall() - wall, std::chrono::seconds(2));
}

}  // namespace
}  // namespace millrace

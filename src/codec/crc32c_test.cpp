#include "codec/crc32c.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace millrace {
namespace {

TEST(Crc32c, KnownVectors) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);
  const std::vector<std::uint8_t> zeros(32, 0);
  EXPECT_EQ(crc32c(zeros), 0x8A9136AAU);  // RFC 3720 B.4
  const std::vector<std::uint8_t> ones(32, 0xFF);
  EXPECT_EQ(crc32c(ones), 0x62A8AB43U);
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, HardwareEqualsPortableAtEveryLengthAndAlignment) {
  Rng rng(1);
  std::vector<std::uint8_t> bytes(20'000);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng());
  for (int i = 0; i < 3'000; ++i) {
    const std::size_t from = rng.below(64);
    const std::size_t size = i < 300 ? static_cast<std::size_t>(i) : rng.below(bytes.size() - from);
    const ByteView view(bytes.data() + from, size);
    const auto start = static_cast<std::uint32_t>(rng());
    ASSERT_EQ(crc32c(view, start), crc32c_portable(view, start)) << from << ' ' << size;
  }
}

TEST(Crc32c, Continues) {
  const ByteView all = as_bytes("the quick brown fox");
  EXPECT_EQ(crc32c(all.subspan(7), crc32c(all.first(7))), crc32c(all));
}

}  // namespace
}  // namespace millrace

#include "codec/hex.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Hex, ThereAndBack) {
  const std::vector<std::uint8_t> bytes = {0x00, 0x7F, 0xA5, 0xFF};
  EXPECT_EQ(to_hex(bytes), "007fa5ff");
  EXPECT_EQ(from_hex("007fA5FF"), bytes);
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(from_hex(""), std::vector<std::uint8_t>{});
}

TEST(Hex, RefusesEverythingElse) {
  for (const char* text : {"0", "0g", " 00", "0x00", "00 ", "-1"}) EXPECT_EQ(from_hex(text), std::nullopt) << text;
}

}  // namespace
}  // namespace millrace

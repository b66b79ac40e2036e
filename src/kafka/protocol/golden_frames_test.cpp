// Bodies of every message at every version, encoded by another implementation (tests/golden/kafka/make.py): ours
// decodes them and encodes them back to the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "kafka/testing/message_case.h"

namespace millrace::kafka::testing {
namespace {

Buffer from_hex(std::string_view hex) {
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(GoldenFrames, DecodeAndEncodeToTheSameBytes) {
  std::ifstream file(MILLRACE_SOURCE_DIR "/tests/golden/kafka/frames.txt");
  ASSERT_TRUE(file);
  std::size_t frames = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    std::string name;
    std::int16_t version = 0;
    std::string hex;
    fields >> name >> version >> hex;
    SCOPED_TRACE(name + " v" + std::to_string(version));
    const auto message = std::ranges::find(message_cases(), name, &MessageCase::name);
    ASSERT_NE(message, message_cases().end());
    const Buffer bytes = from_hex(hex);
    const auto value = message->make();
    const auto decoded = value->decode(bytes.view(), version);
    ASSERT_TRUE(decoded) << decoded.error().message();
    Buffer again;
    ASSERT_TRUE(value->encode(again, version));
    EXPECT_EQ(as_text(again.view()), as_text(bytes.view()));
    ++frames;
  }
  std::size_t expected = 0;
  for (const MessageCase& message : message_cases())
    expected += static_cast<std::size_t>(message.last - message.first + 1);
  EXPECT_EQ(frames, expected);
}

}  // namespace
}  // namespace millrace::kafka::testing

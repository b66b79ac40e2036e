// parse_time against Joda-Time, time_to_epoch against the JDK: 100,000 random patterns, zones and instants each, with
// what those libraries made of them (tests/data/time).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "codec/compression.h"
#include "sql/time_parser.h"
#include "sql/time_pattern.h"

namespace millrace::sql {
namespace {

/// Lines of tab-separated fields.
std::vector<std::vector<std::string>> table(const char* name) {
  const std::filesystem::path path = std::filesystem::path(MILLRACE_SOURCE_DIR) / "tests/data/time" / name;
  std::ifstream in(path, std::ios::binary);
  const std::string packed(std::istreambuf_iterator<char>(in), {});
  Buffer text;
  constexpr std::size_t kMost = 64_MiB;
  EXPECT_TRUE(decompress(CompressionCodec::zstd, as_bytes(packed), kMost, text)) << path;
  std::vector<std::vector<std::string>> out;
  std::vector<std::string> line(1);
  for (const char c : as_text(text.view())) {
    if (c == '\n') {
      out.push_back(std::move(line));
      line.assign(1, "");
    } else if (c == '\t') {
      line.emplace_back();
    } else {
      line.back() += c;
    }
  }
  return out;
}

constexpr std::size_t kTriples = 100'000;

TEST(TimeOracle, FormatsAsJodaTimeDoes) {
  const auto lines = table("joda.tsv.zst");
  ASSERT_EQ(lines.size(), kTriples);
  Arena arena;
  for (const auto& line : lines) {
    ASSERT_EQ(line.size(), 4U);
    const auto pattern = TimePattern::compile(line[0]);
    const TimeZone* const zone = TimeZone::find(line[1]);
    ASSERT_TRUE(pattern && zone != nullptr) << line[0] << " " << line[1];
    arena.reset();
    TextWriter out(arena);
    pattern->format(out, *zone, std::stoll(line[2]));
    ASSERT_EQ(out.view(), line[3]) << line[0] << " " << line[1] << " " << line[2];
  }
}

TEST(TimeOracle, ParsesAsTheJdkDoes) {
  const auto lines = table("jdk.tsv.zst");
  ASSERT_EQ(lines.size(), kTriples);
  for (const auto& line : lines) {
    ASSERT_EQ(line.size(), 3U);
    const auto parser = TimeParser::compile(line[0]);
    ASSERT_TRUE(parser) << line[0];
    const auto time = parser->parse(line[1]);
    ASSERT_EQ(time ? std::to_string(*time) : "-", line[2]) << line[0] << " | " << line[1];
  }
}

}  // namespace
}  // namespace millrace::sql

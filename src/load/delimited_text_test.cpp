#include "load/delimited_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

namespace millrace::load {
namespace {

std::vector<std::string> cells(const DelimitedText& table, std::size_t row) {
  Row cells;
  table.read_row(row, cells);
  std::vector<std::string> out;
  for (const Cell& cell : cells.cells) out.emplace_back(cell.text);
  return out;
}

TEST(DelimitedText, QuotesDelimitersAndLineBreaks) {
  const auto table = DelimitedText::parse("a,b,c\r\n1,\"x, \"\"y\"\"\nz\",\r\n\r\n\"\",,3", "t");
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_THAT(table->columns(), testing::ElementsAre("a", "b", "c"));
  ASSERT_EQ(table->rows(), 2U);
  EXPECT_THAT(cells(*table, 0), testing::ElementsAre("1", "x, \"y\"\nz", ""));
  EXPECT_THAT(cells(*table, 1), testing::ElementsAre("", "", "3"));
  EXPECT_EQ(table->line_of(1), 5U);
  Row row;
  table->read_row(1, row);
  EXPECT_TRUE(row.cells[0].quoted);
  EXPECT_FALSE(row.cells[1].quoted);
}

TEST(DelimitedText, FindsTheDelimiterAndSkipsTheByteOrderMark) {
  for (const char delimiter : {',', ';', '\t', '|'}) {
    const std::string text =
        std::string("\xEF\xBB\xBF") + "time" + delimiter + "value" + '\n' + "1,5" + delimiter + "2\n";
    const auto table = DelimitedText::parse(text, "t");
    ASSERT_TRUE(table);
    if (delimiter != ',') {
      EXPECT_EQ(table->delimiter(), delimiter);
      EXPECT_THAT(cells(*table, 0), testing::ElementsAre("1,5", "2"));
    }
    EXPECT_EQ(table->columns()[0], "time");
  }
}

TEST(DelimitedText, BrokenFilesAreRefusedWithTheirPlace) {
  EXPECT_FALSE(DelimitedText::parse("", "empty.csv"));
  EXPECT_FALSE(DelimitedText::parse("\n1,2\n", "no-header.csv"));
  const auto open = DelimitedText::parse("a,b\n1,2\n3,\"never\n", "open.csv");
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().detail, "open.csv:3");
  const auto absent = DelimitedText::load("/nonexistent/file.csv");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::not_found);
}

TEST(DelimitedText, ReadsGzipAndNoticesACutFile) {
  const std::string path = testing::TempDir() + "delimited_text_test.csv.gz";
  std::string body = "a,b\n";
  for (int i = 0; i < 100'000; ++i) body += std::to_string(i) + ",x\n";
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, body.data(), static_cast<unsigned>(body.size())), static_cast<int>(body.size()));
  gzclose(file);
  const auto table = DelimitedText::load(path);
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->rows(), 100'000U);
  EXPECT_THAT(cells(*table, 99'999), testing::ElementsAre("99999", "x"));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_FALSE(DelimitedText::load(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace millrace::load

// Rows in COPY's text format (PostgreSQL documentation, COPY, "Text Format").
#include "connect/sinks/postgres/table_rows.h"

#include <gtest/gtest.h>

#include "connect/json_members.h"

namespace millrace::connect::postgres {
namespace {

std::string written(const TableRows& rows) {
  Buffer out;
  rows.write(out);
  return std::string(as_text(out.view()));
}

TEST(TableRows, EscapesAtEveryPlace) {
  const std::pair<char, std::string> kSpecial[] = {
      {'\\', "\\\\"}, {'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}, {'\0', ""}};
  for (const auto& [special, escaped] : kSpecial) {
    for (std::size_t at = 0; at < 20; ++at) {
      // Beside characters that look alike to a search of eight at a time.
      const std::string before = std::string("\x0B\x0C\x01[]\x7F\xC3\xA9 0123456789ab").substr(0, at);
      TableRows rows;
      rows.begin_row();
      rows.add_text("t", before + special + "x" + special);
      EXPECT_EQ(written(rows), before + escaped + "x" + escaped + "\t0\n") << at;
    }
  }
}

TEST(TableRows, ValuesStayAsTheyCame) {
  sql::JsonDocument document;
  ASSERT_TRUE(
      document.parse(R"({"n":1.50,"big":12345678901234567890,"s":"a\tb","o":{"x": [1,null]},"t":true,"z":null})"));
  TableRows rows;
  rows.begin_row();
  for (const char* name : {"n", "big", "s", "o", "t", "z"}) rows.add(name, root_of(document).member(name));
  rows.begin_row();
  rows.add("t", root_of(document).member("t"));
  rows.add_integer("i", -7);
  EXPECT_EQ(written(rows),
            "1.50\t12345678901234567890\ta\\tb\t{\"x\": [1,null]}\ttrue\t\\N\t0\n"
            "\\N\t\\N\t\\N\t\\N\ttrue\t-7\t1\n");
}

}  // namespace
}  // namespace millrace::connect::postgres

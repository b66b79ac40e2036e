// Rows as ClickHouse's documentation says they are; each expected byte by hand.
#include "connect/sinks/clickhouse/row_binary.h"

#include <gtest/gtest.h>

#include "connect/json_members.h"

namespace millrace::connect::clickhouse {
namespace {

/// The row of one object in hexadecimal, or the error.
std::string row(const std::string& described, const std::string& json, bool skip_unknown = false) {
  auto table = RowBinary::of_table(described);
  if (!table) return table.error().message();
  sql::JsonDocument document;
  EXPECT_TRUE(document.parse(json)) << json;
  sql::Arena arena;
  Buffer out;
  const auto written = table->append(root_of(document), skip_unknown, arena, out);
  if (!written) {
    EXPECT_EQ(out.size(), 0U);
    return written.error().message();
  }
  std::string hex;
  for (const std::uint8_t byte : out.view()) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::string of(const std::string& type, const std::string& value) {
  return row(R"({"name":"v","type":")" + type + R"(","default_type":""})", "{\"v\":" + value + "}");
}

TEST(RowBinary, Types) {
  const struct {
    std::string type;
    std::string value;
    std::string bytes;
  } kCases[] = {
      {"Int8", "-1", "ff"},
      {"Int16", "-2", "feff"},
      {"Int32", "\"305419896\"", "78563412"},
      {"Int64", "-9223372036854775808", "0000000000000080"},
      {"UInt8", "255", "ff"},
      {"UInt64", "18446744073709551615", "ffffffffffffffff"},
      {"Float32", "1.5", "0000c03f"},
      {"Float64", "-2", "00000000000000c0"},
      {"Bool", "true", "01"},
      {"Bool", "0", "00"},
      {"String", R"("é\n")", "03c3a90a"},
      {"String", R"({"a":[1]})", "097b2261223a5b315d7d"},
      {"String", "12.50", "0531322e3530"},
      {"FixedString(4)", R"("ab")", "61620000"},
      {"Date", R"("1970-01-02")", "0100"},
      {"Date", "20000", "204e"},
      {"DateTime", "1700000000", "00f15365"},
      {"DateTime('UTC')", R"("2023-11-14 22:13:20")", "00f15365"},
      {"DateTime('Asia/Seoul')", R"("2023-11-14T22:13:20Z")", "00f15365"},
      {"DateTime64(3)", "1700000000.25", "fa68e5cf8b010000"},
      {"DateTime64(3, 'UTC')", R"("1970-01-01 00:00:01.5")", "dc05000000000000"},
      {"UUID", R"("00112233-4455-6677-8899-aabbccddeeff")", "7766554433221100ffeeddccbbaa9988"},
      {"Nullable(Int8)", "null", "01"},
      {"Nullable(Int8)", "7", "0007"},
      {"LowCardinality(Nullable(String))", R"("a")", "000161"},
      {"Array(Nullable(UInt8))", "[1,null]", "02000101"},
      {"Int32", "null", "00000000"},
      {"Array(String)", "null", "00"},
  };
  for (const auto& [type, value, bytes] : kCases) EXPECT_EQ(of(type, value), bytes) << type << " " << value;
}

TEST(RowBinary, WhatDoesNotFitIsRefused) {
  const std::pair<std::string, std::string> kCases[] = {
      {"Int8", "128"},
      {"Int8", "1.5"},
      {"Int64", "\"\""},
      {"UInt8", "-1"},
      {"UInt32", "true"},
      {"Float64", "\"x\""},
      {"Bool", "2"},
      {"FixedString(1)", "\"ab\""},
      {"Date", "\"2026-02-30\""},
      {"DateTime", "\"2023-11-14 22:13:20\""},
      {"DateTime", "-1"},
      {"UUID", "\"0011\""},
      {"Array(Int8)", "1"},
      {"Array(Int8)", "[1000]"},
  };
  for (const auto& [type, value] : kCases) {
    EXPECT_NE(of(type, value).find("not of the column's type"), std::string::npos) << type << " " << value;
  }
  EXPECT_NE(of("Decimal(9, 2)", "1").find("JSONEachRow"), std::string::npos) << of("Decimal(9, 2)", "1");
}

TEST(RowBinary, ColumnsOfTheTable) {
  const std::string table =
      "{\"name\":\"a\",\"type\":\"UInt8\",\"default_type\":\"\"}\n"
      "{\"name\":\"m\",\"type\":\"UInt8\",\"default_type\":\"MATERIALIZED\"}\n"
      "{\"name\":\"b`\",\"type\":\"UInt8\",\"default_type\":\"DEFAULT\"}\n";
  const auto read = RowBinary::of_table(table);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->format(), "RowBinaryWithDefaults");
  EXPECT_EQ(read->columns(), "`a`, `b\\``");
  EXPECT_EQ(row(table, R"({"b`":2,"a":1})"), "00010002") << "in any order";
  EXPECT_EQ(row(table, R"({"a":1})"), "000101") << "the DEFAULT";
  EXPECT_EQ(row(table, R"({"b`":2})"), "00000002") << "the type's zero";
  EXPECT_NE(row(table, R"({"a":1,"zzz":2})").find("zzz"), std::string::npos);
  EXPECT_EQ(row(table, R"({"zzz":2,"a":1})", true), "000101");
  EXPECT_EQ(row(table, R"({"a":1,"a":2})"), "000201") << "the last counts";
}

}  // namespace
}  // namespace millrace::connect::clickhouse

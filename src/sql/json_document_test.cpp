#include "sql/json_document.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace millrace::sql {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string found(const JsonDocument& document, std::string_view key) {
  const std::uint32_t index = document.find(JsonDocument::kRoot, key);
  return index == JsonDocument::kAbsent ? "absent" : std::string(document.source_of(document.node(index)));
}

// Where the standard leaves the choice (i_*): numbers of any size and lone surrogates written as escapes are JSON; a
// byte order mark, other encodings, invalid UTF-8 and more than 64 levels are not.
const std::map<std::string, bool>& choices() {
  static const std::map<std::string, bool> kAccepted = {
      {"i_string_UTF-16LE_with_BOM.json", false},
      {"i_string_UTF-8_invalid_sequence.json", false},
      {"i_string_UTF8_surrogate_U+D800.json", false},
      {"i_string_invalid_utf-8.json", false},
      {"i_string_iso_latin_1.json", false},
      {"i_string_lone_utf8_continuation_byte.json", false},
      {"i_string_not_in_unicode_range.json", false},
      {"i_string_overlong_sequence_2_bytes.json", false},
      {"i_string_overlong_sequence_6_bytes.json", false},
      {"i_string_overlong_sequence_6_bytes_null.json", false},
      {"i_string_truncated-utf-8.json", false},
      {"i_string_utf16BE_no_BOM.json", false},
      {"i_string_utf16LE_no_BOM.json", false},
      {"i_structure_500_nested_arrays.json", false},
      {"i_structure_UTF-8_BOM_empty_object.json", false},
  };
  return kAccepted;
}

TEST(JsonDocument, JsonTestSuite) {
  const std::filesystem::path folder = std::filesystem::path(MILLRACE_SOURCE_DIR) / "tests/data/json-test-suite";
  std::size_t files = 0;
  JsonDocument document;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".json") continue;
    ++files;
    const auto choice = choices().find(name);
    const bool expected = name[0] == 'y' || (name[0] == 'i' && (choice == choices().end() || choice->second));
    const std::string text = read_file(entry.path());
    EXPECT_EQ(document.parse(text), expected) << name << ": " << document.fault_text();
  }
  EXPECT_GT(files, 300U);
}

TEST(JsonDocument, FindsMembersAndKeepsTheirText) {
  JsonDocument document;
  const std::string text = R"( {"a" : 1.50, "b\u0063":{"a":[1,2 , {"x":null}]}, "s":"q\"uote", "e":{}, "u":"가"} )";
  ASSERT_TRUE(document.parse(text)) << document.fault_text();
  EXPECT_EQ(found(document, "a"), "1.50");
  EXPECT_EQ(found(document, "bc"), R"({"a":[1,2 , {"x":null}]})");
  EXPECT_EQ(found(document, "s"), R"("q\"uote")");
  EXPECT_EQ(found(document, "e"), "{}");
  EXPECT_EQ(found(document, "u"), "\"가\"");
  EXPECT_EQ(found(document, "x"), "absent");
  const std::uint32_t inner = document.find(JsonDocument::kRoot, "bc");
  const std::uint32_t array = document.find(inner, "a");
  ASSERT_NE(array, JsonDocument::kAbsent);
  EXPECT_EQ(document.node(array).end, array + 5);
  EXPECT_EQ(document.find(array, "x"), JsonDocument::kAbsent);
}

TEST(JsonDocument, OfDuplicateMembersTheLastCounts) {
  JsonDocument document;
  ASSERT_TRUE(document.parse(R"({"a":1,"\u0061":2,"b":0})"));
  EXPECT_EQ(found(document, "a"), "2");
}

TEST(JsonDocument, DepthIsCapped) {
  JsonDocument document;
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(document.parse(nested(64)));
  EXPECT_FALSE(document.parse(nested(65)));
  EXPECT_EQ(document.fault(), JsonFault::too_deep);
  EXPECT_EQ(document.fault_at(), 64U);
  document.set_max_depth(2);
  EXPECT_FALSE(document.parse("[[[]]]"));
  EXPECT_TRUE(document.parse("[[]]"));
}

TEST(JsonDocument, NamesTheFaultAndItsPlace) {
  JsonDocument document;
  const auto fault = [&](std::string_view text) {
    EXPECT_FALSE(document.parse(text)) << text;
    return document.fault_text();
  };
  EXPECT_EQ(fault(""), "empty text at byte 0");
  EXPECT_EQ(fault("{\"a\":tru}"), "unexpected character at byte 5");
  EXPECT_EQ(fault("{\"a\":"), "unexpected end at byte 5");
  EXPECT_EQ(fault("\"abc"), "unexpected end at byte 4");
  EXPECT_EQ(fault("{\"a\":1} x"), "characters behind the document at byte 8");
  EXPECT_EQ(fault("[01]"), "malformed number at byte 2");
  EXPECT_EQ(fault("[\"\xC0\x80\"]"), "invalid UTF-8 at byte 2");
  EXPECT_EQ(fault(std::string_view("[\"a\0b\"]", 7)), "control character in a string at byte 3");
  EXPECT_EQ(fault(std::string_view("[1]\0", 4)), "characters behind the document at byte 3");
  EXPECT_EQ(fault("[\"\\x\"]"), "bad escape sequence at byte 3");
}

// Every prefix of a valid document is refused and every byte of it may be damaged without reading outside (run with
// sanitizers).
TEST(JsonDocument, PrefixesAndDamage) {
  const std::string text =
      R"({"key":"v\u00e9\n é가😀","n":[-1.5e+10,true,false,null,{}],"long text beyond sixteen":"0123456789abcdef0"})";
  JsonDocument document;
  ASSERT_TRUE(document.parse(text));
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string prefix = text.substr(0, size);
    EXPECT_FALSE(document.parse(prefix)) << prefix;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(byte);
      if (document.parse(damaged)) {
        EXPECT_EQ(document.node(0).end, document.nodes().size());
      }
    }
  }
}

TEST(JsonDocument, DecodesStrings) {
  const auto decoded = [](std::string_view raw) {
    std::string out(raw.size(), '\0');
    out.resize(decode_json_string(raw, out.data()));
    return out;
  };
  EXPECT_EQ(decoded(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(decoded(R"(\u0041\u00e9\uac00\uD83D\uDE00)"), "Aé가😀");
  EXPECT_EQ(decoded(R"(\ud800x)"), "\xEF\xBF\xBDx");
  EXPECT_EQ(decoded(R"(\udc00\ud800\u0041)"),
            "\xEF\xBF\xBD\xEF\xBF\xBD"
            "A");
  EXPECT_TRUE(json_string_equals(R"(\u0061b)", "ab"));
  EXPECT_FALSE(json_string_equals(R"(\u0061b)", "a"));
  EXPECT_FALSE(json_string_equals("a", "ab"));
}

TEST(JsonDocument, GivesBackTheMemoryOfALargeDocument) {
  JsonDocument document;
  std::string large = "[1";
  for (int i = 0; i < 300'000; ++i) large += ",1";
  large += "]";
  ASSERT_TRUE(document.parse(large));
  EXPECT_EQ(document.nodes().size(), 300'002U);
  ASSERT_TRUE(document.parse("[1]"));
  EXPECT_EQ(document.nodes().size(), 2U);
}

}  // namespace
}  // namespace millrace::sql

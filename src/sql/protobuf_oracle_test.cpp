// decode(…, 'proto', …) against Google's own library: 2,000 random messages of every field type, with what that library
// read out of them (tests/data/protobuf).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "codec/base64.h"
#include "codec/compression.h"
#include "sql/json_document.h"
#include "sql/protobuf_schema.h"

namespace millrace::sql {
namespace {

std::string file(const char* name) {
  const std::filesystem::path path = std::filesystem::path(MILLRACE_SOURCE_DIR) / "tests/data/protobuf" / name;
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string unbase64(std::string_view text) {
  std::string out(text.size(), '\0');
  const auto size = decode_base64(text, reinterpret_cast<std::uint8_t*>(out.data()));
  EXPECT_TRUE(size);
  out.resize(size.value_or(0));
  return out;
}

/// Members in any order, numbers by value, strings by their characters.
bool same(const JsonDocument& a, std::uint32_t x, const JsonDocument& b, std::uint32_t y) {
  const JsonNode& one = a.node(x);
  const JsonNode& two = b.node(y);
  if (one.type != two.type) return false;
  const std::string left(a.span_of(one));
  const std::string right(b.span_of(two));
  switch (one.type) {
    case JsonType::number:
      return left == right || (left.find_first_of(".eE") + right.find_first_of(".eE") != 2 * std::string::npos &&
                               std::strtod(left.c_str(), nullptr) == std::strtod(right.c_str(), nullptr));
    case JsonType::string: {
      std::string characters(right.size(), '\0');
      characters.resize(decode_json_string(right, characters.data()));
      return json_string_equals(left, characters);
    }
    case JsonType::array:
    case JsonType::object:
      break;
    default:
      return left == right;
  }
  std::size_t counts[2] = {0, 0};
  for (std::uint32_t at = x + 1; at < one.end; at = a.node(at).end) ++counts[0];
  for (std::uint32_t at = y + 1; at < two.end; at = b.node(at).end) ++counts[1];
  if (counts[0] != counts[1]) return false;
  std::uint32_t other = y + 1;
  for (std::uint32_t at = x + 1; at < one.end; at = a.node(at).end) {
    std::uint32_t partner = other;
    if (one.type == JsonType::object) {
      const std::string_view key = a.key_of(a.node(at));
      std::string name(key.size(), '\0');
      name.resize(decode_json_string(key, name.data()));
      partner = b.find(y, name);
      if (partner == JsonDocument::kAbsent) return false;
    } else {
      other = b.node(other).end;
    }
    if (!same(a, at, b, partner)) return false;
  }
  return true;
}

TEST(ProtobufOracle, ReadsWhatGooglesLibraryReads) {
  std::string coded = file("descriptor.b64");
  while (!coded.empty() && coded.back() == '\n') coded.pop_back();
  const auto schema = ProtobufSchema::parse(as_bytes(unbase64(coded)));
  ASSERT_TRUE(schema) << schema.error().message();
  Buffer text;
  ASSERT_TRUE(decompress(CompressionCodec::zstd, as_bytes(file("cases.tsv.zst")), 64_MiB, text));
  std::string_view rest = as_text(text.view());
  std::size_t cases = 0;
  Arena arena;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const std::size_t tab = line.find('\t');
    arena.reset();
    TextWriter out(arena);
    ASSERT_TRUE((*schema)->write_json("car.Trip", unbase64(line.substr(0, tab)), arena, out)) << line;
    JsonDocument ours;
    JsonDocument theirs;
    ASSERT_TRUE(ours.parse(out.view())) << out.view();
    ASSERT_TRUE(theirs.parse(line.substr(tab + 1))) << line;
    ASSERT_TRUE(same(ours, 0, theirs, 0)) << out.view() << "\n" << line;
    ++cases;
  }
  EXPECT_EQ(cases, 2000U);
}

}  // namespace
}  // namespace millrace::sql

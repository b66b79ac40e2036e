// Documents, the nearest key, and quantities.
#include <gtest/gtest.h>

#include "config/node.h"
#include "config/quantity.h"
#include "config/yaml_writer.h"

namespace millrace::config {
namespace {

std::string refused(std::string_view text) {
  const auto node = parse_yaml(text, "x.yaml");
  return node ? "accepted" : node.error().detail;
}

TEST(Yaml, keeps_kinds_quotes_order_and_lines) {
  const auto root = parse_yaml(
      "# comment\n"
      "b: 5\n"
      "a:\n"
      "  - \"5\"\n"
      "  - {x: null, y: ~}\n"
      "text: |\n"
      "  line one\n"
      "  line two\n"
      "empty:\n",
      "x.yaml");
  ASSERT_TRUE(root.has_value()) << root.error().message();
  ASSERT_EQ(root->entries.size(), 4U);
  EXPECT_EQ(root->entries[0].first, "b");
  const Node& b = *root->find("b");
  EXPECT_EQ(b.text, "5");
  EXPECT_FALSE(b.quoted);
  EXPECT_EQ(b.line, 2);
  const Node& a = *root->find("a");
  ASSERT_EQ(a.items.size(), 2U);
  EXPECT_TRUE(a.items[0].quoted);
  EXPECT_EQ(a.items[0].line, 4);
  EXPECT_EQ(a.items[0].column, 5);
  EXPECT_EQ(a.items[1].find("x")->kind, Node::Kind::null);
  EXPECT_EQ(a.items[1].find("y")->kind, Node::Kind::null);
  EXPECT_EQ(root->find("text")->text, "line one\nline two\n");
  EXPECT_EQ(root->find("text")->line, 6);
  EXPECT_EQ(root->find("empty")->kind, Node::Kind::null);
}

TEST(Yaml, json_is_yaml) {
  const auto root =
      parse_yaml(R"({"sql": "SELECT \"x\" \u00e9", "actions": [{"kafka": {"topic": "t"}}], "n": 1.5e3})", "x");
  ASSERT_TRUE(root.has_value()) << root.error().message();
  EXPECT_EQ(root->find("sql")->text, "SELECT \"x\" \u00e9");
  EXPECT_EQ(root->find("actions")->items[0].find("kafka")->find("topic")->text, "t");
}

TEST(Yaml, nothing_is_null) {
  EXPECT_EQ(parse_yaml("", "x")->kind, Node::Kind::null);
  EXPECT_EQ(parse_yaml("# only a comment\n", "x")->kind, Node::Kind::null);
}

TEST(Yaml, refuses_with_line_and_column) {
  EXPECT_EQ(refused("a: 1\nb: 2\na: 3\n"), "x.yaml:3:1: 'a' is already set in line 1");
  EXPECT_EQ(refused("a: &n 1\n"), "x.yaml:1:4: anchors are not supported");
  EXPECT_EQ(refused("a: {x: &n {}}\n"), "x.yaml:1:8: anchors are not supported");
  EXPECT_NE(refused("a: *n\n"), "accepted");
  EXPECT_EQ(refused("a: !!str 1\n"), "x.yaml:1:4: tags are not supported: tag:yaml.org,2002:str");
  EXPECT_EQ(refused("a: 1\n---\nb: 1\n"), "x.yaml: more than one document");
  EXPECT_EQ(refused("? [a, b]\n: 1\n"), "x.yaml:1:3: a key must be a plain word");
  EXPECT_TRUE(refused("a: [1, 2\nb: 3\n").starts_with("x.yaml:")) << refused("a: [1, 2\nb: 3\n");
  EXPECT_TRUE(refused("a:\n\t- 1\n").starts_with("x.yaml:2:"));
  EXPECT_TRUE(refused(std::string(5U << 20U, '#')).find("larger than") != std::string::npos);
}

TEST(Yaml, depth_is_bounded) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(refused(nested(64)), "accepted");
  EXPECT_NE(refused(nested(65)).find("nested deeper"), std::string::npos);
  EXPECT_NE(refused(nested(100'000)), "accepted");
  std::string maps;
  for (int i = 0; i < 10'000; ++i) maps += "{a: ";
  EXPECT_NE(refused(maps), "accepted");
}

TEST(Yaml, what_is_written_reads_back_the_same) {
  const std::string text =
      "a: [1, \"2\", null, [], {}]\nb: {c: \"x: y # z\", \"k k\": \"line\\nline \\\\ \\\" \\x01\"}\nc: \"\"\nd: '- "
      "no'\ne: \"true\"\n";
  const auto root = parse_yaml(text, "x");
  ASSERT_TRUE(root.has_value()) << root.error().message();
  const std::string written = yaml_block(*root);
  const auto again = parse_yaml(written, "y");
  ASSERT_TRUE(again.has_value()) << again.error().message() << "\n" << written;
  EXPECT_EQ(yaml_block(*again), written);
  EXPECT_EQ(again->find("b")->find("k k")->text, "line\nline \\ \" \x01");
  EXPECT_EQ(again->find("d")->text, "- no");
  EXPECT_EQ(again->find("a")->items.size(), 5U);
  EXPECT_EQ(again->find("c")->text, "");
  EXPECT_EQ(again->find("c")->kind, Node::Kind::scalar);
}

TEST(Nearest, finds_the_likely_key_and_nothing_else) {
  const std::vector<std::string> keys{"retention.ms", "retention.bytes", "segment.bytes", "port", "host"};
  EXPECT_EQ(nearest("retntion.ms", keys), "retention.ms");
  EXPECT_EQ(nearest("retention.byte", keys), "retention.bytes");
  EXPECT_EQ(nearest("prot", keys), "port");
  EXPECT_EQ(nearest("port", keys), "port");
  EXPECT_EQ(nearest("zzzzzzzz", keys), "");
  EXPECT_EQ(nearest("", keys), "");
  EXPECT_EQ(nearest(std::string(100'000, 'a'), keys), "");
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(Quantity, sizes_and_durations) {
  EXPECT_EQ(parse_size("1024"), 1024);
  EXPECT_EQ(parse_size("64MiB"), 64 << 20);
  EXPECT_EQ(parse_size("64 MiB"), 64 << 20);
  EXPECT_EQ(parse_size("500kB"), 500'000);
  EXPECT_EQ(parse_size("-1"), -1);
  for (const auto* bad : {"", "MiB", "1.5MiB", "1mib", "64M", "1MiB ", " 1", "9999999999TiB", "0x10", "1  MiB"}) {
    EXPECT_FALSE(parse_size(bad).has_value()) << bad;
  }
  EXPECT_EQ(parse_duration_ms("5s"), 5000);
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("48h"), 172'800'000);
  EXPECT_EQ(parse_duration_ms("1500"), 1500);
  EXPECT_FALSE(parse_duration_ms("5 sec").has_value());
  EXPECT_FALSE(parse_integer("5s").has_value());
  for (const std::int64_t n : {-1LL, 0LL, 1LL, 1023LL, 1024LL, 1LL << 20, (1LL << 40) * 3, 1'048'588LL}) {
    EXPECT_EQ(parse_size(format_size(n)), n) << format_size(n);
    EXPECT_EQ(parse_duration_ms(format_duration_ms(n)), n) << format_duration_ms(n);
  }
  EXPECT_EQ(format_size(64 << 20), "64MiB");
  EXPECT_EQ(format_duration_ms(172'800'000), "2d");
}

}  // namespace
}  // namespace millrace::config

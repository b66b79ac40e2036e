#include "config/schema.h"

#include <gtest/gtest.h>

namespace millrace::config {
namespace {

struct Sample {
  bool enabled = true;
  std::int32_t threads = 4;
  std::uint64_t memory = 64U << 20U;
  std::chrono::milliseconds timeout{5000};
  std::optional<std::int64_t> retention;
  std::string level = "info";
  std::string password = "default-secret";
  std::string name = "a b: c";
  std::vector<std::string> words;
};

const Schema<Sample>& schema() {
  static const Schema<Sample> rows({
      boolean<Sample>(
          "feature.enabled", [](Sample& s) -> auto& { return s.enabled; }, "Switches the feature."),
      integer<Sample>(
          "feature.threads", [](Sample& s) -> auto& { return s.threads; }, {1, 64}, "Threads."),
      bytes<Sample>(
          "memory.bytes", [](Sample& s) -> auto& { return s.memory; }, {1024, 1LL << 40}, "Memory."),
      duration<Sample>(
          "timeout.ms", [](Sample& s) -> auto& { return s.timeout; }, {1, 60'000}, "Timeout."),
      duration<Sample>(
          "retention.ms", [](Sample& s) -> auto& { return s.retention; }, {-1}, "Retention."),
      choice<Sample>(
          "level", [](Sample& s) -> auto& { return s.level; }, {"debug", "info"}, "Level."),
      text<Sample>(
          "login.password", [](Sample& s) -> auto& { return s.password; }, "Password.")
          .hidden(),
      text<Sample>(
          "name", [](Sample& s) -> auto& { return s.name; }, "Name."),
      custom<Sample>(
          "words", "list of words",
          [](Sample& s, const Node& node, Problems& problems) {
            for (const Node& item : node.items) {
              if (item.text == "bad") problems.add(item, "'bad' is not a word");
              s.words.push_back(item.text);
            }
          },
          [](const Sample& s) {
            std::string out = "[";
            for (const auto& word : s.words) out += (out.size() > 1 ? ", " : "") + word;
            return out + "]";
          },
          "Words."),
  });
  return rows;
}

/// The problems of a document as lines, or "ok".
std::string problems_of(std::string_view document, const std::vector<std::string>& sets = {},
                        Sample* result = nullptr) {
  const auto root = parse_yaml(document, "millrace.yaml");
  if (!root) return root.error().detail;
  Sample sample;
  Problems problems;
  schema().read(sample, *root, problems);
  for (const auto& set : sets) schema().set(sample, set, problems);
  if (result != nullptr) *result = sample;
  return problems.empty() ? "ok" : to_error(problems, "millrace.yaml").detail;
}

TEST(Schema, dotted_and_nested_keys_are_the_same) {
  for (const auto* document :
       {"feature.enabled: false\nfeature.threads: 8\n", "feature:\n  enabled: false\n  threads: 8\n",
        "feature: {enabled: false}\nfeature.threads: 8\n"}) {
    Sample sample;
    EXPECT_EQ(problems_of(document, {}, &sample), "ok");
    EXPECT_FALSE(sample.enabled);
    EXPECT_EQ(sample.threads, 8);
    EXPECT_EQ(sample.level, "info");
  }
}

TEST(Schema, every_kind_is_read) {
  Sample sample;
  EXPECT_EQ(
      problems_of("memory.bytes: 2GiB\ntimeout.ms: 7s\nretention.ms: -1\nlevel: debug\nlogin.password: p\nname: \"5\"\n"
                  "words: [a, b]\n",
                  {}, &sample),
      "ok");
  EXPECT_EQ(sample.memory, 2ULL << 30U);
  EXPECT_EQ(sample.timeout, std::chrono::seconds(7));
  EXPECT_EQ(sample.retention, -1);
  EXPECT_EQ(sample.level, "debug");
  EXPECT_EQ(sample.password, "p");
  EXPECT_EQ(sample.name, "5");
  EXPECT_EQ(sample.words, (std::vector<std::string>{"a", "b"}));
}

TEST(Schema, problems_name_line_key_value_and_what_is_allowed) {
  EXPECT_EQ(problems_of("\n\nretntion.ms: 5\n"),
            "millrace.yaml:3: 'retntion.ms' is not a known key, did you mean 'retention.ms'?");
  EXPECT_EQ(problems_of("feature:\n  thread: 5\n"),
            "millrace.yaml:2: 'feature.thread' is not a known key, did you mean 'feature.threads'?");
  EXPECT_EQ(problems_of("featur:\n  threads: 5\n"),
            "millrace.yaml:1: 'featur' is not a known key, did you mean 'feature'?");
  EXPECT_EQ(problems_of("qqqqqqqqqqqqq: 5\n"), "millrace.yaml:1: 'qqqqqqqqqqqqq' is not a known key");
  EXPECT_EQ(problems_of("somewhere.else.threads: 5\n"),
            "millrace.yaml:1: 'somewhere.else.threads' is not a known key; there are feature.threads");
  EXPECT_EQ(problems_of("feature.threads: 65\n"), "millrace.yaml:1: 'feature.threads' is 65, allowed: 1 to 64");
  EXPECT_EQ(problems_of("feature.threads: many\n"), "millrace.yaml:1: 'feature.threads' is many, allowed: 1 to 64");
  EXPECT_EQ(problems_of("feature.threads:\n"), "millrace.yaml:1: 'feature.threads' has no value, allowed: 1 to 64");
  EXPECT_EQ(problems_of("feature.threads: [1]\n"),
            "millrace.yaml:1: 'feature.threads' is a single value, allowed: 1 to 64");
  EXPECT_EQ(problems_of("memory.bytes: 1\n"),
            "millrace.yaml:1: 'memory.bytes' is 1, allowed: 1KiB to 1TiB (bytes, or with a unit: 64MiB)");
  EXPECT_EQ(problems_of("timeout.ms: 2m\n"),
            "millrace.yaml:1: 'timeout.ms' is 2m, allowed: 1ms to 1m (milliseconds, or with a unit: 5s)");
  EXPECT_EQ(problems_of("feature.enabled: yes\n"), "millrace.yaml:1: 'feature.enabled' is yes, allowed: true or false");
  EXPECT_EQ(problems_of("level: trace\n"), "millrace.yaml:1: 'level' is trace, allowed: debug, info");
  EXPECT_EQ(problems_of("feature: 5\n"), "millrace.yaml:1: 'feature' is a group of keys, not a value");
  EXPECT_EQ(problems_of("words:\n  - a\n  - bad\n"), "millrace.yaml:3: 'bad' is not a word");
  EXPECT_EQ(problems_of("feature.threads: 5\nfeature:\n  threads: 6\n"),
            "millrace.yaml:3: 'feature.threads' is already set in line 1");
  EXPECT_EQ(problems_of("- a\n"), "millrace.yaml:1: a map of keys is expected here");
}

TEST(Schema, all_problems_are_named_at_once) {
  EXPECT_EQ(problems_of("levl: info\nfeature.threads: 0\n"),
            "millrace.yaml:1: 'levl' is not a known key, did you mean 'level'?\n"
            "millrace.yaml:2: 'feature.threads' is 0, allowed: 1 to 64");
}

TEST(Schema, overrides_come_on_top) {
  Sample sample;
  EXPECT_EQ(problems_of("feature.threads: 5\n", {"feature.threads=6", "name=x=y: z", "words=[a, b]"}, &sample), "ok");
  EXPECT_EQ(sample.threads, 6);
  EXPECT_EQ(sample.name, "x=y: z");
  EXPECT_EQ(sample.words.size(), 2U);
  EXPECT_EQ(problems_of("", {"levle=info"}), "--set: 'levle' is not a known key, did you mean 'level'?");
  EXPECT_EQ(problems_of("", {"feature=1"}), "--set: 'feature' is a group of keys, not a value");
  EXPECT_EQ(problems_of("", {"level"}), "--set level: key=value is expected");
  EXPECT_EQ(problems_of("", {"feature.threads=x"}), "'feature.threads' is x, allowed: 1 to 64");
  EXPECT_EQ(problems_of("", {"words=[a"}).substr(0, 12), "--set words:");
}

TEST(Schema, printing_can_be_read_back_and_hides_secrets) {
  Sample sample;
  sample.memory = 1'048'588;
  sample.retention = 1500;
  sample.words = {"a", "b"};
  const std::string text = schema().print(sample);
  EXPECT_EQ(text.find("default-secret"), std::string::npos);
  EXPECT_NE(text.find("login.password: (hidden)"), std::string::npos);
  Sample again;
  EXPECT_EQ(problems_of(text, {}, &again), "ok") << text;
  EXPECT_EQ(again.name, sample.name);
  EXPECT_EQ(again.memory, sample.memory);
  EXPECT_EQ(again.retention, sample.retention);
  EXPECT_EQ(again.words, sample.words);
}

TEST(Schema, a_wrong_secret_is_not_repeated) {
  EXPECT_EQ(problems_of("login.password: [hunter2]\n").find("hunter2"), std::string::npos);
}

TEST(Schema, reference_has_a_row_per_key_and_no_secret) {
  const std::string page = schema().reference();
  for (const std::string& key : schema().keys()) EXPECT_NE(page.find("| `" + key + "` |"), std::string::npos) << key;
  EXPECT_NE(page.find("| `memory.bytes` | size | `64MiB` | 1KiB to 1TiB"), std::string::npos) << page;
  EXPECT_EQ(page.find("default-secret"), std::string::npos);
}

}  // namespace
}  // namespace millrace::config

// Definitions as they are written and shown, and what a cache of rows forgets.
#include <gtest/gtest.h>

#include "references/definition.h"
#include "references/row_cache.h"

namespace millrace::references {
namespace {

Result<Definition> parsed(Kind kind, std::string_view text) {
  const auto node = config::parse_yaml(text, "test");
  EXPECT_TRUE(node);
  return parse_definition(kind, "n", *node);
}

std::string problem(Kind kind, std::string_view text) {
  const auto result = parsed(kind, text);
  return result ? "" : result.error().detail;
}

TEST(Definition, IsWhatItWasWritten) {
  for (const auto& [kind, text] :
       {std::pair(Kind::table, R"({"topic":"t","maxBytes":2048})"),
        std::pair(Kind::table, R"({"postgres":"jdbc:postgresql://h:1/d","user":"u","passwordFile":"/p","table":"s.t",)"
                               R"("key":"k","sortKey":"y","ttl":5,"cacheBytes":4096})"),
        std::pair(Kind::function,
                  R"({"url":"http://127.0.0.1:1/f","headers":{"A":"b"},"timeout":1500,"connections":2})")}) {
    const auto definition = parsed(kind, text);
    ASSERT_TRUE(definition) << definition.error().message();
    EXPECT_EQ(to_json(*definition, false), text);
    EXPECT_EQ(*parsed(kind, to_json(*definition, false)), *definition);
  }
}

TEST(Definition, SecretsAreNotShown) {
  const auto function = parsed(Kind::function, R"({"url":"http://h/f","headers":{"Authorization":"Bearer abc"}})");
  ASSERT_TRUE(function);
  EXPECT_EQ(to_json(*function, true).find("abc"), std::string::npos);
  EXPECT_NE(problem(Kind::table, R"({"postgres":"jdbc:postgresql://h/d?password=x","table":"t"})").find("passwordFile"),
            std::string::npos);
}

TEST(Definition, WhatIsWrongIsNamed) {
  EXPECT_NE(problem(Kind::table, "{}").find("either a topic or"), std::string::npos);
  EXPECT_NE(problem(Kind::table, "{topik: t}").find("did you mean topic?"), std::string::npos);
  EXPECT_NE(problem(Kind::table, "{topic: t, maxBytes: 12x}").find("maxBytes"), std::string::npos);
  EXPECT_NE(problem(Kind::function, "{url: 'ftp://x'}").find("url"), std::string::npos);
  EXPECT_NE(problem(Kind::function, "{url: 'http://h/', timeout: 3s}").find("timeout: expected 1 to 2000"),
            std::string::npos);
  EXPECT_NE(problem(Kind::function, "{url: 'http://h/', headers: {'A b': c}}").find("headers"), std::string::npos);
  EXPECT_NE(problem(Kind::function, "{url: 'http://169.254.169.254/'}").find("url"), std::string::npos);
  EXPECT_NE(problem(Kind::descriptor, "{descriptorSet: 'AAAA'}").find("protoc"), std::string::npos);
}

TEST(RowCache, ForgetsByAgeAndForRoom) {
  RowCache cache(1000, std::chrono::seconds(10));
  const MonoTime start{1};
  cache.put("a", {State::known, "1"}, start);
  cache.put("b", {State::absent, ""}, start);
  EXPECT_EQ(cache.find("a", start)->text, "1");
  EXPECT_EQ(cache.find("b", start)->state, State::absent);
  EXPECT_FALSE(cache.find("a", start + std::chrono::seconds(10)));
  EXPECT_EQ(cache.size(), 1U);
  for (char key = 'c'; key < 'k'; ++key) {
    cache.find("b", start);  // used: stays
    cache.put(std::string(1, key), {State::known, "x"}, start);
    EXPECT_LE(cache.bytes(), 1000U);
  }
  EXPECT_TRUE(cache.find("b", start));
  EXPECT_FALSE(cache.find("c", start));
  cache.put("large", {State::known, std::string(2000, 'x')}, start);
  EXPECT_FALSE(cache.find("large", start));
}

}  // namespace
}  // namespace millrace::references

// Rules and messages made to hurt, each within what is allowed: what one of them may cost at most is tested
// (hostile_test.cpp) and measured (evaluator_bench.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::rules::testing {

struct HostileCase {
  std::string name;
  std::string sql;
  std::string payload;
};

inline constexpr std::size_t kHostilePayload = 128 * 1024;

inline std::string repeated(std::string_view unit, std::size_t bytes) {
  std::string out;
  while (out.size() + unit.size() <= bytes) out += unit;
  return out;
}

/// Messages: a plain rule looks into each.
inline std::vector<HostileCase> hostile_messages() {
  constexpr std::size_t kBytes = kHostilePayload;
  const std::string merge = "SELECT *, a + 1 AS a FROM 't' WHERE NOT a = 'x'";
  const std::string equal = "SELECT VALUE a = b FROM 't'";
  std::string members = "{\"a\":0";
  for (int i = 0; members.size() < kBytes / 2; ++i) members += ",\"k" + std::to_string(i) + "\":1";
  members += "}";
  std::string doubled = "0";
  for (int i = 0; i < 50; ++i) doubled = "{\"x\":0,\"x\":" + doubled + "}";
  const auto member = [](const std::string& value) { return "{\"a\":" + value + "}"; };
  return {
      {"an array opened 131,072 times", merge, repeated("[", kBytes)},
      {"a number of 131,072 digits", merge, member(std::string(kBytes, '9'))},
      {"as many behind its point", merge, member("0." + std::string(kBytes, '0') + "1")},
      {"as many in its exponent", merge, member("1E" + std::string(kBytes, '9'))},
      {"escapes alone", merge, member("\"" + repeated("\\u0061", kBytes) + "\"")},
      {"letters of three bytes", merge, member("\"" + repeated("가", kBytes) + "\"")},
      {"10,000 members", merge, members},
      {"an array of objects", merge, "[" + repeated("{\"a\":0},", kBytes) + "0]"},
      {"two objects of 10,000 members compared", equal, "{\"a\":" + members + ",\"b\":" + members + "}"},
      {"two nests of doubled names compared", equal, "{\"a\":" + doubled + ",\"b\":" + doubled + "}"},
      {"a text replaced by itself", "SELECT replace(a, 'a', a) AS x FROM 't'",
       member("\"" + std::string(kBytes, 'a') + "\"")},
  };
}

/// Rules: each wants very much of one message.
inline std::vector<HostileCase> hostile_rules() {
  const std::string text = "{\"a\":\"" + std::string(kHostilePayload, 'a') + "\"}";
  const std::string items = "{\"l\":[" + repeated("{\"v\":1},", kHostilePayload) + "0]}";
  std::string doubling = "SET @v0 = [1, 1]";
  std::string joining = "SET @v0 = a";
  for (int i = 1; i < 60; ++i) {
    const std::string before = "@v" + std::to_string(i - 1);
    doubling += ", @v" + std::to_string(i) + " = [" + before + ", " + before + "]";
    joining += ", @v" + std::to_string(i) + " = concat(" + before + ", " + before + ")";
  }
  std::string gets = "SELECT 0 AS z";
  for (int i = 0; i < 2000; ++i) gets += ", get(l, 10000) AS g" + std::to_string(i);
  std::string lengths = " SELECT 0 AS z";
  std::string joins;
  std::string codes;
  std::string swaps;
  std::string copies;
  for (int i = 0; i < 100; ++i) swaps += ", length(replace(a, 'a', a)) AS s" + std::to_string(i);
  for (int i = 0; i < 64; ++i) copies += ", a AS a" + std::to_string(i);
  for (int i = 0; i < 100; ++i) lengths += ", length(@v59) AS l" + std::to_string(i);
  for (int i = 0; i < 500; ++i) joins += ", length(concat(a, a)) AS j" + std::to_string(i);
  for (int i = 0; i < 1000; ++i) codes += ", length(encode(a, 'base64')) AS c" + std::to_string(i);
  std::vector<HostileCase> out = {
      {"2 to the 60 elements, written", doubling + " SELECT @v59 AS x FROM 't'", "{}"},
      {"compared", doubling + " SELECT 1 AS x FROM 't' WHERE @v59 = @v59", "{}"},
      {"as a text", doubling + " SELECT length(@v59) AS x FROM 't'", "{}"},
      {"a text doubled 60 times", joining + " SELECT @v59 AS x FROM 't'", text},
      {"an array doubled 60 times", joining + " SELECT @v59 AS x FROM 't'", "{\"a\":[1]}"},
      {"20,000 sums of texts", "SELECT a" + repeated(" + a", 20'000) + " AS x FROM 't'", text},
      {"LIKE with seven %", "SELECT 1 AS x FROM 't' WHERE a LIKE '%a%a%a%a%a%a%aab'", text},
      {"md2", "SELECT md2(a) AS x FROM 't'", text},
      {"two nested SELECTs", "SET @l = l SELECT (SELECT (SELECT VALUE v FROM @l) AS x FROM @l) AS y FROM 't'", items},
      {"FOREACH with the whole message each time", "FOREACH l AS s DO *, s AS one FROM 't'", items},
      {"transform", "SELECT VALUE transform('enrichArray', {'a': 1, 'b': 2}, l) FROM 't'", items},
      {"2,000 looks at the end of an array", gets + " FROM 't'", items},
      {"100 lengths of 2 to the 60 elements", doubling + lengths + " FROM 't'", "{}"},
      {"FOREACH with a long text each time", "FOREACH l AS s DO *, s AS one FROM 't'",
       "{\"a\":\"" + std::string(kHostilePayload, 'a') + "\",\"l\":[" + repeated("1,", 4000) + "1]}"},
      {"500 times a long text joined to itself", "SELECT 0 AS z" + joins + " FROM 't'", text},
      {"1,000 base64 of a long text", "SELECT 0 AS z" + codes + " FROM 't'", text},
      {"100 times a text replaced by itself", "SELECT 0 AS z" + swaps + " FROM 't'", text},
      {"a long text that is nearly found", "SELECT indexof(a, b) AS x, replace(a, b, '') AS y FROM 't'",
       "{\"a\":\"" + std::string(kHostilePayload / 2, 'a') + "\",\"b\":\"" + std::string(kHostilePayload / 4, 'a') +
           "b" + std::string(kHostilePayload / 4, 'a') + "\"}"},
      {"an output of 64 long texts", "SELECT 0 AS z" + copies + " FROM 't'", text},
  };
  for (const char* const expression : {
           "regexp_matches(a, '(a?){300}b')",
           "regexp_replace(a, '(a*)*b|(a)', '$1$2')",
           "regexp_replace(a, 'a.*b|a', 'x')",
           "regexp_matches(a, '(.*a){20}b')",
           "regexp_substr(a, '((a{0,30}){0,30})b')",
           "regexp_matches(a, '[^b]*[^c]*[^d]*[^e]*=')",
           "regexp_matches(a, '(a|aa|aaa|aaaa)+$b')",
           "regexp_matches(a, a)",
       }) {
    out.push_back({expression, "SELECT " + std::string(expression) + " AS x FROM 't'", text});
  }
  return out;
}

}  // namespace millrace::rules::testing

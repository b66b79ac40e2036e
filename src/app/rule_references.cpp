// millrace rules tables|functions|descriptors: what rules may name on a running server.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "app/rules_verb.h"
#include "app/server_call.h"
#include "connect/json_members.h"
#include "net/http/client.h"

namespace millrace::app {
namespace {

using connect::member_text;

struct Kind {
  std::string_view word;
  std::string_view path;
  /// What of one is shown behind its name.
  std::span<const std::string_view> shown;
};
constexpr std::string_view kTable[] = {"topic", "postgres", "table", "rowsInMemory", "problem"};
constexpr std::string_view kFunction[] = {"url", "timeout", "connections"};
constexpr std::string_view kDescriptor[] = {"file"};
constexpr Kind kKinds[] = {{"tables", "/rule-tables", kTable},
                           {"functions", "/rule-functions", kFunction},
                           {"descriptors", "/rule-descriptors", kDescriptor}};

Result<void> list(const Options& options, const Kind& kind) {
  MR_TRY_ASSIGN(const std::string answer, call_server(options, {.path = std::string(kind.path)}));
  if (options.has("--json")) {
    fmt::print("{}", answer);
    return {};
  }
  sql::JsonDocument document;
  document.parse(answer);
  sql::ArrayItems rows(connect::root_of(document));
  while (const auto row = rows.next()) {
    std::string line = fmt::format("{:<32}", member_text(*row, "name"));
    for (const std::string_view member : kind.shown) {
      const std::string text = member_text(*row, member);
      if (!text.empty()) line += fmt::format(" {}={}", member, text);
    }
    fmt::print("{}\n", line);
  }
  return {};
}

}  // namespace

bool is_reference_kind(std::string_view word) {
  return std::ranges::find(kKinds, word, &Kind::word) != std::end(kKinds);
}

Result<void> run_reference_verb(const Options& options) {
  const Kind& kind = *std::ranges::find(kKinds, options.rest.front(), &Kind::word);
  const std::vector<std::string>& words = options.rest;
  const std::string action = words.size() > 1 ? words[1] : "list";
  if (action == "list" && words.size() <= 2) return list(options, kind);
  const std::string path =
      std::string(kind.path) + (words.size() > 2 ? "/" + net::http::percent_encode(words[2]) : std::string());
  if (action == "get" && words.size() == 3) {
    MR_TRY_ASSIGN(const std::string answer, call_server(options, {.path = path}));
    fmt::print("{}", answer);
    return {};
  }
  if (action == "row" && kind.word == "tables" && (words.size() == 4 || words.size() == 5)) {
    std::string query = "/row?key=" + net::http::percent_encode(words[3]);
    if (words.size() == 5) query += "&sort=" + net::http::percent_encode(words[4]);
    MR_TRY_ASSIGN(const std::string answer, call_server(options, {.path = path + query}));
    fmt::print("{}", answer);
    return {};
  }
  if (action == "put" && words.size() == 4) {
    MR_TRY_ASSIGN(const std::string body, content_of(words[3]));
    MR_TRY(call_server(options, {.method = "PUT", .path = path, .body = body}));
    fmt::print("put {}\n", words[2]);
    return {};
  }
  if (action == "delete" && words.size() == 3) {
    MR_TRY(call_server(options, {.method = "DELETE", .path = path}));
    fmt::print("deleted {}\n", words[2]);
    return {};
  }
  return fail(ErrorCode::invalid_argument, "",
              fmt::format("{0} takes list, get NAME, put NAME FILE|-, delete NAME{1}", kind.word,
                          kind.word == "tables" ? " or row NAME KEY [SORT]" : ""));
}

}  // namespace millrace::app

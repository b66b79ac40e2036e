// millrace connectors, millrace failures: what a running server's connectors do, over its REST interface.
#include <fmt/format.h>

#include "app/options.h"
#include "app/server_call.h"
#include "app/verb.h"
#include "connect/json_members.h"
#include "net/http/client.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--url", "URL", "the connectors' listener (default http://127.0.0.1:8083)"},
    {"--user", "NAME:PASSWORD", "for a server with connect.authentication (default: the variable MILLRACE_USER)"},
    {"--ca", "FILE", "authorities that the server's certificate is checked against (default: the system's)"},
};

struct Asked {
  sql::JsonDocument document;
  std::string body;
};

bool ask(const Options& options, const std::string& path, Asked& asked, const std::string& method = "GET") {
  auto answer = call_server(options, {.method = method, .path = path, .server = "http://127.0.0.1:8083"});
  if (!answer) {
    const Error& error = answer.error();
    fmt::print(stderr, "millrace: {}\n", error.context[0] == '\0' ? error.detail : error.message());
    return false;
  }
  asked.body = std::move(*answer);
  if (asked.document.parse(asked.body)) return true;
  fmt::print(stderr, "millrace: the server answered with something else than JSON: {}\n", asked.body);
  return false;
}

std::string name_of(const sql::JsonDocument& document, std::uint32_t at) {
  const sql::JsonNode& node = document.node(at);
  std::string name(node.key_size, '\0');
  name.resize(sql::decode_json_string(document.key_of(node), name.data()));
  return name;
}

int usage(const Result<Options>& options, std::string_view verb, std::string_view words) {
  if (options && options->has("--help")) {
    fmt::print("usage: millrace {} {}\n\n{}", verb, words, help_lines(kOptions));
    return kExitOk;
  }
  fmt::print(stderr, "millrace {}: {}\n", verb,
             options ? fmt::format("usage: millrace {} {}", verb, words) : options.error().message());
  return kExitUsage;
}

}  // namespace

int connectors_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (!options || options->has("--help") || !options->rest.empty()) return usage(options, "connectors", "[--url URL]");
  Asked asked;
  if (!ask(*options, "/connectors?expand=status", asked)) return kExitFailure;
  const sql::JsonDocument& document = asked.document;
  for (std::uint32_t at = 1; at < document.node(0).end; at = document.node(at).end) {
    const sql::Value status = sql::Value::of(document, at).member("status");
    fmt::print("{:<32} {}\n", name_of(document, at), connect::member_text(status.member("connector"), "state"));
    sql::ArrayItems tasks(status.member("tasks"));
    while (const auto task = tasks.next()) {
      fmt::print("  task {:<3} {:<12} {}\n", connect::member_text(*task, "id"), connect::member_text(*task, "state"),
                 connect::member_text(*task, "trace"));
    }
  }
  return kExitOk;
}

namespace {

constexpr std::string_view kFailuresUse =
    "list CONNECTOR | show CONNECTOR TOPIC PARTITION OFFSET | replay CONNECTOR [TOPIC [PARTITION [OFFSET]]] [--url "
    "URL]";

std::string failures_of(const std::string& connector) {
  return "/connectors/" + net::http::percent_encode(connector) + "/failures";
}

/// How many there were.
std::size_t print_failures(const sql::Value& root, bool with_count) {
  if (with_count) fmt::print("{} failed records\n", connect::member_text(root, "count"));
  std::size_t shown = 0;
  sql::ArrayItems failures(root.member("failures"));
  while (const auto failure = failures.next()) {
    ++shown;
    fmt::print("{}-{} offset {} {} times: {} {}\n", connect::member_text(*failure, "topic"),
               connect::member_text(*failure, "partition"), connect::member_text(*failure, "offset"),
               connect::member_text(*failure, "count"), connect::member_text(*failure, "stage"),
               connect::member_text(*failure, "message"));
  }
  return shown;
}

int list_failures(const Options& options) {
  for (std::size_t skip = 0, shown = 1; shown != 0; skip += shown) {
    Asked asked;
    if (!ask(options, fmt::format("{}?skip={}", failures_of(options.rest[1]), skip), asked)) return kExitFailure;
    shown = print_failures(connect::root_of(asked.document), skip == 0);
  }
  return kExitOk;
}

std::string shown(const sql::Value& value) {
  if (value.is_null()) return "(null)";
  const std::string base64 = value.type() == sql::Value::Type::object ? connect::member_text(value, "base64") : "";
  return base64.empty() ? connect::scalar_text(value).value_or("") : "base64 " + base64;
}

int show_failure(const Options& options) {
  const auto& words = options.rest;
  Asked asked;
  const std::string place = net::http::percent_encode(words[2]) + "/" + net::http::percent_encode(words[3]) + "/" +
                            net::http::percent_encode(words[4]);
  if (!ask(options, failures_of(words[1]) + "/" + place, asked)) return kExitFailure;
  const sql::Value root = connect::root_of(asked.document);
  for (const std::string_view name :
       {"topic", "partition", "offset", "stage", "error_class", "message", "count", "first_seen_ms", "last_seen_ms"}) {
    fmt::print("{:<14} {}\n", name, connect::member_text(root, name));
  }
  const sql::Value record = root.member("record");
  if (record.is_null()) {
    fmt::print("record         gone: neither the log nor the archive has it\n");
    return kExitOk;
  }
  fmt::print("{:<14} {}\n{:<14} {}\n{:<14} {}\n", "timestamp_ms", connect::member_text(record, "timestamp_ms"), "key",
             shown(record.member("key")), "value", shown(record.member("value")));
  sql::ArrayItems headers(record.member("headers"));
  while (const auto header = headers.next()) {
    fmt::print("{:<14} {}: {}\n", "header", connect::member_text(*header, "key"), shown(header->member("value")));
  }
  return kExitOk;
}

int replay_failures(const Options& options) {
  static constexpr std::string_view kFilters[] = {"topic", "partition", "offset"};
  std::string query;
  for (std::size_t i = 2; i < options.rest.size(); ++i) {
    query +=
        fmt::format("{}{}={}", query.empty() ? "?" : "&", kFilters[i - 2], net::http::percent_encode(options.rest[i]));
  }
  Asked asked;
  if (!ask(options, failures_of(options.rest[1]) + "/replay" + query, asked, "POST")) return kExitFailure;
  fmt::print("{} records are delivered again\n", connect::member_text(connect::root_of(asked.document), "replaying"));
  return kExitOk;
}

}  // namespace

int failures_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (!options || options->has("--help") || options->rest.size() < 2) return usage(options, "failures", kFailuresUse);
  const std::string& verb = options->rest[0];
  const std::size_t words = options->rest.size();
  if (verb == "list" && words == 2) return list_failures(*options);
  if (verb == "show" && words == 5) return show_failure(*options);
  if (verb == "replay" && words <= 5) return replay_failures(*options);
  return usage(options, "failures", kFailuresUse);
}

}  // namespace millrace::app

// millrace connectors, millrace failures: what a running server's connectors do, over its REST interface.
#include <fmt/format.h>

#include "app/options.h"
#include "app/verb.h"
#include "connect/json_members.h"
#include "net/http/client.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--url", "URL", "the connectors' listener (default http://127.0.0.1:8083)"},
};

struct Asked {
  sql::JsonDocument document;
  std::string body;
  bool answered = false;
};

bool ask(const Options& options, const std::string& path, Asked& asked, const std::string& method = "GET") {
  net::http::Client client({});
  const auto response = client.perform({.method = method, .url = options.get("--url", "http://127.0.0.1:8083") + path});
  if (!response) {
    fmt::print(stderr, "millrace: {}\n", response.error().message());
    return false;
  }
  asked.body = response->body;
  if (!response->ok() || !asked.document.parse(asked.body)) {
    fmt::print(stderr, "millrace: the server answered {}: {}\n", response->status, asked.body);
    return false;
  }
  return true;
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

int failures_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (!options || options->has("--help") || options->rest.size() != 2 ||
      (options->rest[0] != "list" && options->rest[0] != "replay")) {
    return usage(options, "failures", "list|replay CONNECTOR [--url URL]");
  }
  Asked asked;
  const std::string path = "/connectors/" + net::http::percent_encode(options->rest[1]) + "/failures";
  if (options->rest[0] == "replay") {
    if (!ask(*options, path + "/replay", asked, "POST")) return kExitFailure;
    fmt::print("{} records are delivered again\n", connect::member_text(connect::root_of(asked.document), "replaying"));
    return kExitOk;
  }
  if (!ask(*options, path, asked)) return kExitFailure;
  const sql::Value root = connect::root_of(asked.document);
  fmt::print("{} failed records\n", connect::member_text(root, "count"));
  sql::ArrayItems failures(root.member("failures"));
  while (const auto failure = failures.next()) {
    fmt::print("{}-{} offset {} {} times: {} {}\n", connect::member_text(*failure, "topic"),
               connect::member_text(*failure, "partition"), connect::member_text(*failure, "offset"),
               connect::member_text(*failure, "count"), connect::member_text(*failure, "stage"),
               connect::member_text(*failure, "message"));
  }
  return kExitOk;
}

}  // namespace millrace::app

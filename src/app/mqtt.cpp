// millrace mqtt: clients and sessions of a running server, messages to devices, and their answers, over the HTTP
// interface (app/mqtt_routes.h).
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "app/options.h"
#include "app/server_call.h"
#include "app/verb.h"
#include "connect/json_members.h"
#include "net/http/client.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--url", "URL", "the HTTP interface (default http://127.0.0.1:8080)"},
    kUserOption,
    kAuthorityOption,
    {"--prefix", "TEXT", "clients, sessions, subscriptions: client ids that begin so"},
    {"--limit", "N", "the same: at most so many clients (default 1000)"},
    {"--session", "", "disconnect: end the session, too"},
    {"--qos", "0|1|2", "publish, request (default 1)"},
    {"--retain", "", "publish: keep it for later subscribers"},
    {"--payload", "TEXT", "publish, request: instead of standard input"},
    {"--content-type", "TEXT", "publish, request: told to the receivers"},
    {"--response-topic", "TOPIC", "request: where the answer is expected; one is made up otherwise"},
    {"--timeout", "MS", "request: how long to wait for the answer (default 10000)"},
    {"--for", "SECONDS", "trace: how long (default 60); 0 stops it"},
};

constexpr std::string_view kUsage =
    "usage: millrace mqtt clients|sessions|subscriptions [--prefix TEXT] [--limit N]\n"
    "       millrace mqtt session CLIENT\n"
    "       millrace mqtt disconnect CLIENT [--session]\n"
    "       millrace mqtt publish TOPIC [--payload TEXT] [--qos N] [--retain]\n"
    "       millrace mqtt request TOPIC [--payload TEXT] [--timeout MS]\n"
    "       millrace mqtt trace client CLIENT | trace topic FILTER [--for SECONDS]\n\n{}\n"
    "request sends a message with an MQTT 5 Response Topic and prints what the device answers there:\n"
    "  echo '{{\"lock\":true}}' | millrace mqtt request commands/truck-7 --timeout 5000\n";

class Call {
 public:
  explicit Call(const Options& options) : options_(options) {}

  void add(std::string_view key, const std::string& value) {
    query_ += (query_.empty() ? '?' : '&') + std::string(key) + "=" + net::http::percent_encode(value);
  }
  void add_option(std::string_view option, std::string_view key) {
    if (options_.has(option)) add(key, options_.get(option));
  }
  Result<std::string> perform(const std::string& method, const std::string& path, std::string_view body = {}) {
    return call_server(options_, {.method = method,
                                  .path = "/api/v1/mqtt" + path + query_,
                                  .body = body,
                                  .content_type = "application/octet-stream",
                                  .timeout = std::chrono::seconds(330)});
  }

 private:
  const Options& options_;
  std::string query_;
};

std::string payload(const Options& options) {
  if (options.has("--payload")) return options.get("--payload");
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

/// One line per object, with these members.
Result<std::string> table(const std::string& body, std::initializer_list<std::string_view> columns) {
  sql::JsonDocument document;
  if (!document.parse(body)) return fail(ErrorCode::corrupt, "the answer is no JSON");
  std::string lines;
  sql::ArrayItems rows(connect::root_of(document));
  while (const auto row = rows.next()) {
    std::string line = connect::member_text(*row, "client_id");
    for (const std::string_view column : columns)
      line += fmt::format(" {}={}", column, connect::member_text(*row, column));
    lines += line + '\n';
  }
  return lines;
}

Result<std::string> list(const Options& options, const std::string& what) {
  Call call(options);
  call.add_option("--prefix", "prefix");
  call.add_option("--limit", "limit");
  MR_TRY_ASSIGN(const std::string body, call.perform("GET", "/" + what));
  if (what == "subscriptions") return table(body, {"filter", "qos"});
  if (what == "clients")
    return table(body, {"address", "user", "protocol", "in_flight", "backlog", "subscription_count"});
  return table(body, {"connected", "persistent", "expiry_s", "in_flight", "backlog", "subscription_count"});
}

Result<std::string> send(const Options& options, const std::string& what, const std::string& topic) {
  Call call(options);
  call.add("topic", topic);
  call.add_option("--qos", "qos");
  call.add_option("--content-type", "content_type");
  if (options.has("--retain")) call.add("retain", "true");
  if (what == "request") {
    call.add_option("--response-topic", "response_topic");
    call.add_option("--timeout", "timeout_ms");
  }
  MR_TRY_ASSIGN(std::string answer, call.perform("POST", "/" + what, payload(options)));
  if (what == "publish") return std::string();
  if (!answer.ends_with('\n')) answer += '\n';
  return answer;
}

Result<std::string> trace(const Options& options) {
  Call call(options);
  const std::string& kind = options.rest[1];
  if (kind != "client" && kind != "topic")
    return fail(ErrorCode::invalid_argument, "trace client or trace topic", kind);
  call.add(kind == "client" ? "client" : "filter", options.rest[2]);
  call.add_option("--for", "for_s");
  return call.perform("POST", "/trace");
}

std::optional<Result<std::string>> run(const Options& options) {
  const std::vector<std::string>& words = options.rest;
  const std::string& action = words.front();
  if (words.size() == 1 && (action == "clients" || action == "sessions" || action == "subscriptions")) {
    return list(options, action);
  }
  if (words.size() == 3 && action == "trace") return trace(options);
  if (words.size() != 2) return std::nullopt;
  const std::string id = "/" + net::http::percent_encode(words[1]);
  if (action == "session") return Call(options).perform("GET", "/sessions" + id);
  if (action == "disconnect") {
    return Call(options).perform("DELETE", (options.has("--session") ? "/sessions" : "/clients") + id);
  }
  if (action == "publish" || action == "request") return send(options, action, words[1]);
  return std::nullopt;
}

}  // namespace

int mqtt_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  const bool asked = options && options->has("--help");
  std::optional<Result<std::string>> done;
  if (options && !asked && !options->rest.empty()) done = run(*options);
  if (!done) {
    if (!options) fmt::print(stderr, "millrace mqtt: {}\n", options.error().message());
    fmt::print(asked ? stdout : stderr, fmt::runtime(kUsage), help_lines(kOptions));
    return asked ? kExitOk : kExitUsage;
  }
  if (!*done) {
    fmt::print(stderr, "millrace mqtt: {}\n", done->error().message());
    return kExitFailure;
  }
  fmt::print("{}", **done);
  return kExitOk;
}

}  // namespace millrace::app

// millrace rules: the rules of a running server, over its HTTP interface; and `millrace rules test`, offline.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>

#include "app/options.h"
#include "app/rules_verb.h"
#include "app/server_call.h"
#include "connect/json_members.h"
#include "connect/json_writer.h"
#include "load/time_text.h"
#include "net/http/client.h"

namespace millrace::app {
namespace {

using connect::member_number;
using connect::member_text;

constexpr OptionRow kOptions[] = {
    {"--url", "URL", "the server's HTTP listener (default http://127.0.0.1:8080)"},
    kUserOption,
    kAuthorityOption,
    {"--json", "", "the server's answer as it came"},
    {"--filter", "FILTER", "list: those whose FROM names this topic filter"},
    {"--topic", "TOPIC", "dry-run: whose stored records are looked at"},
    {"--from", "TIME", "dry-run: from this time on: milliseconds since 1970, or 2026-11-21T09:00:00Z"},
    {"--to", "TIME", "dry-run: up to this time"},
    {"--mqtt-topic", "TOPIC", "dry-run: what topic() answers (the rule's FROM)"},
    {"--rule", "FILE", "dry-run: this rule instead of the stored one"},
    {"--against", "VERSION|FILE", "dry-run: a second version, to see what differs"},
    {"--samples", "N", "dry-run: messages shown of each kind (5)"},
    {"--limit", "N", "dry-run: records looked at (10000000)"},
};

void print_help() {
  fmt::print(
      "usage: millrace rules test ...                        a statement on a message, offline; see rules test --help\n"
      "       millrace rules list [--filter FILTER]\n"
      "       millrace rules get|versions|enable|disable|delete RULE\n"
      "       millrace rules create|replace RULE FILE|-       FILE holds the rule as JSON or YAML\n"
      "       millrace rules tables|functions|descriptors list | get NAME | put NAME FILE|- | delete NAME\n"
      "       millrace rules tables row NAME KEY [SORT]       what a rule would be told\n"
      "       millrace rules dry-run RULE --topic TOPIC [--from TIME] [--to TIME] [--against VERSION|FILE]\n\n{}\n"
      "Exit status: 0 done, 1 the server refuses or is not there.\n",
      help_lines(kOptions));
}

/// One action under way, and how it asks.
struct Session {
  const Options& options;
  std::string name;
  std::string file;

  Result<std::string> ask(const std::string& method, const std::string& path, std::string_view body = {}) const {
    // A dry run answers when it is over.
    return call_server(options, {.method = method, .path = path, .body = body, .timeout = std::chrono::hours(1)});
  }
  [[nodiscard]] std::string path(std::string_view what = {}) const {
    return "/rules/" + net::http::percent_encode(name) + std::string(what);
  }
};

}  // namespace

Result<std::string> content_of(const std::string& file) {
  if (file == "-") {
    std::string text;
    char piece[4096];
    for (std::size_t count = 0; (count = std::fread(piece, 1, sizeof piece, stdin)) != 0;) text.append(piece, count);
    return text;
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::not_found, "", file + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

namespace {

Result<void> done(const Session& session, Result<std::string> answer, std::string_view what) {
  if (!answer) return std::unexpected<Error>(std::move(answer).error());
  if (session.options.has("--json")) {
    fmt::print("{}", *answer);
  } else {
    fmt::print("{} {}\n", what, session.name);
  }
  return {};
}

Result<void> list(Session& session) {
  std::string path = "/rules";
  if (session.options.has("--filter")) path += "?topic=" + net::http::percent_encode(session.options.get("--filter"));
  MR_TRY_ASSIGN(const std::string answer, session.ask("GET", path));
  if (session.options.has("--json")) {
    fmt::print("{}", answer);
    return {};
  }
  sql::JsonDocument document;
  document.parse(answer);
  sql::ArrayItems rules(connect::root_of(document).member("rules"));
  while (const auto rule = rules.next()) {
    fmt::print("{:<40} {:<8} {}\n", member_text(*rule, "ruleName"),
               member_text(*rule, "ruleDisabled") == "true" ? "off" : "on", member_text(*rule, "topicPattern"));
  }
  return {};
}

Result<void> show(Session& session, std::string_view what) {
  MR_TRY_ASSIGN(const std::string answer, session.ask("GET", session.path(what)));
  fmt::print("{}", answer);
  return {};
}
Result<void> get(Session& session) {
  return show(session, "");
}
Result<void> versions(Session& session) {
  return show(session, "/versions");
}

Result<void> create(Session& session) {
  MR_TRY_ASSIGN(const std::string rule, content_of(session.file));
  return done(session, session.ask("POST", session.path(), rule), "created");
}
Result<void> replace(Session& session) {
  MR_TRY_ASSIGN(const std::string rule, content_of(session.file));
  return done(session, session.ask("PATCH", session.path(), rule), "replaced");
}
Result<void> enable(Session& session) {
  return done(session, session.ask("POST", session.path("/enable")), "enabled");
}
Result<void> disable(Session& session) {
  return done(session, session.ask("POST", session.path("/disable")), "disabled");
}
Result<void> remove(Session& session) {
  return done(session, session.ask("DELETE", session.path()), "deleted");
}

/// A rule in a file as a member's value. The server reads YAML too, but only JSON can stand inside JSON.
Result<std::string> rule_in(const std::string& file) {
  MR_TRY_ASSIGN(const std::string text, content_of(file));
  sql::JsonDocument document;
  if (!document.parse(text))
    return fail(ErrorCode::invalid_argument, "", file + " is not JSON: " + document.fault_text());
  const sql::Value wrapped = connect::root_of(document).member("topicRulePayload");
  if (wrapped.is_undefined()) return text;
  sql::Arena arena;
  sql::TextWriter out(arena);
  sql::write_json(out, arena, wrapped);
  return std::string(out.view());
}

void print_counts(std::string_view title, const sql::Value& counts) {
  fmt::print("{:<8} matched {}, not passed {}, failed {}; {} outputs, {} actions failed\n", title,
             member_text(counts, "matched"), member_text(counts, "notPassed"), member_text(counts, "failed"),
             member_text(counts, "outputs"), member_text(counts, "actionsFailed"));
}

std::string json_of(const sql::Value& value) {
  sql::Arena arena;
  sql::TextWriter out(arena);
  sql::write_json(out, arena, value);
  return std::string(out.view());
}

void print_report(const sql::Value& report) {
  const double seconds = std::strtod(member_text(report, "seconds").c_str(), nullptr);
  const std::int64_t messages = member_number(report, "messages");
  fmt::print("{} messages in {:.3f} s ({:.0f} a second){}\n", messages, seconds,
             seconds > 0 ? static_cast<double>(messages) / seconds : 0.0,
             member_text(report, "limited") == "true" ? "; there are more (--limit)" : "");
  print_counts("rule", report.member("first"));
  if (const sql::Value second = report.member("second"); !second.is_undefined()) {
    print_counts("against", second);
    const sql::Value diff = report.member("diff");
    fmt::print("diff     same {}, changed {}, only rule {}, only against {}\n", member_text(diff, "same"),
               member_text(diff, "changed"), member_text(diff, "onlyFirst"), member_text(diff, "onlySecond"));
  }
  if (const std::string reasons = json_of(report.member("reasons")); reasons != "{}")
    fmt::print("reasons  {}\n", reasons);
  sql::ArrayItems samples(report.member("samples"));
  while (const auto sample = samples.next()) {
    fmt::print("\n{} at {}-{}: {}\n  {}\n", member_text(*sample, "kind"), member_text(*sample, "partition"),
               member_text(*sample, "offset"), json_of(sample->member("payload")), json_of(sample->member("first")));
    if (const sql::Value second = sample->member("second"); !second.is_undefined())
      fmt::print("  {}\n", json_of(second));
  }
}

Result<void> dry_run(Session& session) {
  const Options& options = session.options;
  if (!options.has("--topic")) return fail(ErrorCode::invalid_argument, "", "dry-run needs --topic TOPIC");
  connect::JsonWriter body;
  body.begin_object().member("topic", options.get("--topic"));
  for (const auto& [option, key] : {std::pair("--from", "from"), std::pair("--to", "to")}) {
    if (!options.has(option)) continue;
    MR_TRY_ASSIGN(const std::int64_t time, load::parse_time_ms(options.get(option)));
    body.member(key, time);
  }
  if (options.has("--mqtt-topic")) body.member("mqttTopic", options.get("--mqtt-topic"));
  for (const auto& [option, key] : {std::pair("--samples", "samples"), std::pair("--limit", "limit")}) {
    if (options.has(option)) body.member(key, options.get(option));
  }
  if (options.has("--rule")) {
    MR_TRY_ASSIGN(const std::string rule, rule_in(options.get("--rule")));
    body.key("rule").raw(rule);
  }
  if (options.has("--against")) {
    const std::string against = options.get("--against");
    body.key("against");
    if (std::ranges::all_of(against, [](char c) { return c >= '0' && c <= '9'; })) {
      body.raw(against);
    } else {
      MR_TRY_ASSIGN(const std::string rule, rule_in(against));
      body.raw(rule);
    }
  }
  MR_TRY_ASSIGN(const std::string answer, session.ask("POST", session.path("/dry-run"), body.end_object().take()));
  sql::JsonDocument document;
  document.set_max_depth(sql::JsonDocument::kMaxDepth);
  if (options.has("--json") || !document.parse(answer)) {
    fmt::print("{}", answer);
  } else {
    print_report(connect::root_of(document));
  }
  return {};
}

struct Action {
  std::string_view name;
  Result<void> (*run)(Session& session);
  std::size_t words;  // behind it
  std::string_view needs;
};
constexpr Action kActions[] = {
    {"list", list, 0, "nothing"},         {"get", get, 1, "RULE"},           {"create", create, 2, "RULE FILE"},
    {"replace", replace, 2, "RULE FILE"}, {"enable", enable, 1, "RULE"},     {"disable", disable, 1, "RULE"},
    {"delete", remove, 1, "RULE"},        {"versions", versions, 1, "RULE"}, {"dry-run", dry_run, 1, "RULE"},
};

}  // namespace

int rules_main(Arguments arguments) {
  if (!arguments.empty() && arguments.front() == "test") return rule_trial_main(arguments.subspan(1));
  const Result<Options> options = parse_options(arguments, kOptions);
  if (options && (options->has("--help") || options->rest.empty())) {
    print_help();
    return options->has("--help") ? kExitOk : kExitUsage;
  }
  const auto usage_error = [](std::string_view what) {
    fmt::print(stderr, "millrace rules: {}\n", what);
    return kExitUsage;
  };
  if (!options) return usage_error(options.error().message());
  const auto report = [](const Result<void>& outcome) {
    if (outcome) return kExitOk;
    const Error& error = outcome.error();
    fmt::print(stderr, "millrace rules: {}\n", error.context[0] == '\0' ? error.detail : error.message());
    return kExitFailure;
  };
  if (is_reference_kind(options->rest.front())) return report(run_reference_verb(*options));
  const auto action = std::ranges::find(kActions, options->rest.front(), &Action::name);
  if (action == std::end(kActions)) {
    return usage_error("there is no '" + options->rest.front() +
                       "'; test, list, get, create, replace, enable, disable, delete, versions, dry-run, tables, "
                       "functions and descriptors are");
  }
  if (options->rest.size() != action->words + 1)
    return usage_error(fmt::format("{} takes {}", action->name, action->needs));
  Session session{*options, action->words > 0 ? options->rest[1] : "", action->words > 1 ? options->rest[2] : ""};
  return report(action->run(session));
}

}  // namespace millrace::app

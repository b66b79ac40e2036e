// `millrace rules test`: tries rules on messages, offline.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "app/options.h"
#include "app/rules_verb.h"
#include "base/clock.h"
#include "config/quantity.h"
#include "rules/rule_trial.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--sql", "STATEMENT", "the rule's SQL"},
    {"--topic", "TOPIC", "topic of the message; without it FROM is taken to match"},
    {"--payload", "TEXT", "payload of the message, {} without it; @FILE reads it from a file"},
    {"--client-id", "ID", "who sent it"},
    {"--timestamp", "MS", "when it was received, milliseconds since 1970 (now)"},
    {"--sql-version", "VERSION", "2016-03-23 or 2015-10-08"},
    {"--strict", "", "refuse what AWS's language does not have"},
    {"--json", "", "one line of JSON with the trace, instead of a page"},
    {"--batch", "FILE", "cases as JSON lines, one answer a line; - reads standard input"},
};

void print_trial_help() {
  fmt::print(
      "usage: millrace rules test --sql STATEMENT [--topic TOPIC] [--payload TEXT]\n"
      "       millrace rules test --batch FILE|-\n\n{}\n"
      "A line of a batch: {{\"sql\",\"topic\",\"payload\"|\"payloadBase64\",\"clientId\"?,\"timestamp\"?}}; its "
      "answer:\n"
      "{{\"matched\",\"output\",\"records\"?,\"error\"?:{{\"message\",\"line\",\"column\"}}}}.\n"
      "Exit status: 0 tried, 1 the statement is wrong; of a batch 1 when a line is no case (errors of statements are "
      "answers).\n",
      help_lines(kOptions));
}

std::int64_t now_ms() {
  return SystemClock().wall().count();
}

int run_batch(std::istream& in) {
  bool fine = true;
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto message = rules::parse_trial(line, now_ms());
    if (message) {
      fmt::print("{}\n", rules::to_json(rules::try_rule(*message), false));
    } else {
      rules::RuleTrial refused;
      refused.error = rules::TrialError{"this line: " + message.error().detail, {}, 0, 0};
      fmt::print("{}\n", rules::to_json(refused, false));
      fine = false;
    }
  }
  return fine ? kExitOk : kExitFailure;
}

int run_batch(const std::string& file) {
  if (file == "-") return run_batch(std::cin);
  std::ifstream in(file);
  if (in) return run_batch(in);
  fmt::print(stderr, "millrace rules test: {} cannot be read\n", file);
  return kExitUsage;
}

std::string show(const std::string& json) {
  return json.empty() ? "undefined" : json;
}

void print_page(const rules::RuleTrial& trial) {
  for (const rules::TrialStep& step : trial.steps) {
    const bool names = step.clause == "SET" || step.clause == "SELECT" || step.clause == "FOREACH";
    fmt::print("{:<7} {}  {}", step.clause, names ? "   " : step.held ? "yes" : "NO ", step.text);
    if (names || step.clause == "WHERE" || step.clause == "OR") fmt::print("  is {}", show(step.value));
    const char* lead = "   with ";
    for (const auto& member : step.members) {
      fmt::print("{}{} = {}", lead, member.name, show(member.value));
      lead = ", ";
    }
    fmt::print("\n");
  }
  if (trial.error) {
    const auto& error = *trial.error;
    if (error.line > 0) fmt::print("line {}, column {}: ", error.line, error.column);
    fmt::print("{}\n", error.message);
    if (!error.picture.empty()) fmt::print("{}\n", error.picture);
  } else if (!trial.matched) {
    fmt::print("no output\n");
  }
  for (const std::string& output : trial.outputs) fmt::print("output  {}\n", output);
}

int run_test(const Options& options) {
  if (options.has("--batch")) return run_batch(options.get("--batch"));
  if (!options.has("--sql")) {
    fmt::print(stderr, "millrace rules test: needs --sql STATEMENT, or --batch FILE\n");
    return kExitUsage;
  }
  rules::TrialMessage message;
  message.sql = options.get("--sql");
  message.sql_version = options.get("--sql-version", message.sql_version);
  message.strict = options.has("--strict");
  message.client_id = options.get("--client-id");
  message.timestamp = now_ms();
  if (options.has("--timestamp")) {
    const auto given = config::parse_integer(options.get("--timestamp"));
    if (!given) {
      fmt::print(stderr, "millrace rules test: --timestamp is in whole milliseconds since 1970, not '{}'\n",
                 options.get("--timestamp"));
      return kExitUsage;
    }
    message.timestamp = *given;
  }
  if (options.has("--topic")) message.topic = options.get("--topic");
  message.payload = options.get("--payload", "{}");
  if (message.payload.starts_with('@')) {
    std::ifstream in(message.payload.substr(1), std::ios::binary);
    if (!in) {
      fmt::print(stderr, "millrace rules test: {} cannot be read\n", message.payload.substr(1));
      return kExitUsage;
    }
    message.payload.assign(std::istreambuf_iterator<char>(in), {});
  }
  const rules::RuleTrial trial = rules::try_rule(message);
  if (options.has("--json")) {
    fmt::print("{}\n", rules::to_json(trial, true));
  } else {
    print_page(trial);
  }
  return trial.error ? kExitFailure : kExitOk;
}

}  // namespace

int rule_trial_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (options && options->has("--help")) {
    print_trial_help();
    return kExitOk;
  }
  if (!options || !options->rest.empty()) {
    fmt::print(stderr, "millrace rules test: {}\n",
               options ? "unexpected argument '" + options->rest.front() + "'" : options.error().message());
    return kExitUsage;
  }
  return run_test(*options);
}

}  // namespace millrace::app

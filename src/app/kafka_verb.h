// KafkaVerb: a verb of the command line that asks a running server over the Kafka protocol (`millrace topics`,
// `millrace groups`): its actions, options and words. Session is an aggregate of the connection, the options and the
// names given.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "app/server_address.h"
#include "app/verb.h"

namespace millrace::app {

template <class Session>
struct KafkaAction {
  std::string_view name;
  Result<void> (*run)(Session& session);
  bool needs_name;
};

template <class Session>
struct KafkaVerb {
  std::string_view name;   // "topics"
  std::string_view named;  // what an action that needs a name needs: "topic"
  std::string_view usage;  // with {} for the options
  std::span<const OptionRow> options;
  std::span<const KafkaAction<Session>> actions;
  std::string_view error;  // what a failure's line begins with
};

/// Runs the action that `arguments` name; returns the exit status.
template <class Session>
int run_kafka_verb(const KafkaVerb<Session>& verb, Arguments arguments) {
  const auto help = [&] { return fmt::format(fmt::runtime(verb.usage), help_lines(verb.options)); };
  const auto usage_error = [&](std::string_view what) {
    fmt::print(stderr, "millrace {}: {}\n\n{}", verb.name, what, help());
    return kExitUsage;
  };
  const Result<Options> options = parse_options(arguments, verb.options);
  if (!options) return usage_error(options.error().message());
  if (options->has("--help")) {
    fmt::print("{}", help());
    return kExitOk;
  }
  if (options->rest.empty()) return usage_error("what shall be done?");
  const auto action = std::ranges::find(verb.actions, options->rest.front(), &KafkaAction<Session>::name);
  if (action == verb.actions.end()) return usage_error(fmt::format("there is no '{}'", options->rest.front()));
  std::vector<std::string> names(options->rest.begin() + 1, options->rest.end());
  if (action->needs_name && names.empty()) {
    return usage_error(fmt::format("{} needs a {}", action->name, verb.named));
  }
  auto client = open_client(*options);
  Result<void> done;
  if (client) {
    Session session{std::move(*client), *options, std::move(names)};
    done = action->run(session);
  } else {
    done = std::unexpected<Error>(client.error());
  }
  if (done) return kExitOk;
  const Error& error = done.error();
  fmt::print(stderr, "{}: {}{}\n", verb.error, error.context[0] == '\0' ? error.detail : error.message(),
             hint_for(error, *options));
  return kExitFailure;
}

}  // namespace millrace::app

// millrace config: check, show or document the configuration.
#include <fmt/format.h>

#include "app/options.h"
#include "app/rule_settings.h"
#include "app/settings.h"
#include "app/verb.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--config", "FILE", "the configuration to look at"},
    {"--set", "KEY=VALUE", "overrides one key; may be repeated"},
};

void print_help() {
  fmt::print(
      "usage: millrace config check|show [--config FILE] [--set KEY=VALUE]...\n"
      "       millrace config reference\n\n{}\n"
      "check      says what is wrong, with file and line; exit status 0 when nothing is\n"
      "show       every key with the value in force, secrets hidden\n"
      "reference  every key, its type, default and meaning, as Markdown\n",
      help_lines(kOptions));
}

}  // namespace

int config_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (options && options->has("--help")) {
    print_help();
    return kExitOk;
  }
  const std::string what = options && options->rest.size() == 1 ? options->rest.front() : "";
  if (what != "check" && what != "show" && what != "reference") {
    fmt::print(stderr, "millrace config: {}\n",
               options ? "needs one of check, show, reference" : options.error().message());
    return kExitUsage;
  }
  if (what == "reference") {
    fmt::print("{}", settings_reference());
    return kExitOk;
  }
  const Result<Settings> settings = load_settings(options->get("--config"), options->all("--set"));
  if (!settings) {
    fmt::print(stderr, "{}\n", settings.error().message());
    return kExitConfig;
  }
  if (const auto named = configured_references(*settings); !named) {
    fmt::print(stderr, "{}\n", named.error().message());
    return kExitConfig;
  }
  if (const auto rules = compile_rules(settings->rules, RuleTerms::of(*settings)); !rules) {
    fmt::print(stderr, "{}\n", rules.error().message());
    return kExitConfig;
  }
  if (what == "show") {
    fmt::print("{}", print_settings(*settings));
  } else {
    fmt::print("good: {} topics, {} rules\n", settings->topics.size(), settings->rules.entries.size());
  }
  return kExitOk;
}

}  // namespace millrace::app

// millrace: the command line. One table of verbs; everything else lives in the verb's own file.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "app/build_identity.h"
#include "app/verb.h"
#include "load/bench.h"
#include "load/replay.h"

namespace {

using namespace millrace;

constexpr app::Verb kVerbs[] = {
    {"serve", app::serve_main, "run the server"},
    {"replay", load::replay_main, "play a file of real data as a fleet of devices over MQTT"},
    {"bench", load::bench_main, "generate load and measure a server"},
    {"connectors", app::connectors_main, "show the connectors of a running server and what their tasks do"},
    {"failures", app::failures_main, "show records that a connector could not deliver"},
    {"verify", app::verify_main, "check a data directory, read-only"},
    {"mqtt", app::mqtt_main, "clients and sessions of a running server; publish, or ask a device and wait"},
    {"topics", app::topics_main, "list, create, describe, alter and delete topics of a running server"},
    {"groups", app::groups_main, "list, describe, reset and delete consumer groups of a running server"},
    {"rules", app::rules_main, "list, make and replace rules; try one on a message or on stored records"},
    {"config", app::config_main, "check, show or document the configuration"},
    {"users", app::users_main, "add, list and remove users; make lines of a password file"},
    {"acls", app::acls_main, "who may do what: check a permissions file; list, add, delete ACLs for Kafka"},
};

void print_usage(std::FILE* out) {
  fmt::print(out,
             "millrace: device data in, rules, a durable log that speaks Kafka\n\nusage: millrace VERB [options]\n\n");
  for (const app::Verb& verb : kVerbs) fmt::print(out, "  {:<10} {}\n", verb.name, verb.summary);
  fmt::print(out, "\n'millrace VERB --help' tells more.\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "help") {
    print_usage(arguments.empty() ? stderr : stdout);
    return arguments.empty() ? app::kExitUsage : app::kExitOk;
  }
  if (arguments[0] == "--version" || arguments[0] == "version") {
    const auto build = app::build_identity();
    fmt::print("millrace {}{}\n", build.version, build.commit.empty() ? "" : " (" + build.commit + ")");
    return app::kExitOk;
  }
  const auto verb = std::ranges::find(kVerbs, arguments[0], &app::Verb::name);
  if (verb == std::end(kVerbs)) {
    fmt::print(stderr, "millrace: there is no verb '{}'\n\n", arguments[0]);
    print_usage(stderr);
    return app::kExitUsage;
  }
  return verb->run(std::span(arguments).subspan(1));
}

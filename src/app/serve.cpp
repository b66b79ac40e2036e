// millrace serve: configuration in, a running server, until SIGTERM, SIGINT or a disk error.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "app/options.h"
#include "app/server.h"
#include "app/settings.h"
#include "app/shutdown_signal.h"
#include "app/verb.h"
#include "base/log.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--config", "FILE", "YAML configuration; without it every listener is on, at its default port"},
    {"--data-dir", "DIR", "where the log lives (data.dir)"},
    {"--set", "KEY=VALUE", "overrides one key of the configuration; may be repeated"},
};

void print_help() {
  fmt::print(
      "usage: millrace serve [--config FILE] [--data-dir DIR] [--set KEY=VALUE]...\n\n{}\n"
      "Prints one line when it is ready: millrace ready: mqtt=HOST:PORT kafka=HOST:PORT ... (N ms)\n"
      "'millrace config reference' lists every key. SIGTERM and SIGINT stop it: what was received is made durable and\n"
      "acknowledged first. SIGHUP reads certificates, users and permissions again.\n",
      help_lines(kOptions));
}

// The log cannot go on: nothing may be acknowledged any more, and a clean stop would need the disk that failed.
[[noreturn]] void die_of_disk(const Error& error) {
  log::error("stopping", {{"reason", error.message()},
                          {"what_to_do", "check the disk, then start again: the log recovers by itself"}});
  std::_Exit(kExitDiskError);
}

}  // namespace

int serve_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (!options || !options->rest.empty()) {
    fmt::print(stderr, "millrace serve: {}\n",
               options ? "unexpected argument '" + options->rest.front() + "'" : options.error().message());
    return kExitUsage;
  }
  if (options->has("--help")) {
    print_help();
    return kExitOk;
  }
  std::vector<std::string> overrides = options->all("--set");
  if (options->has("--data-dir")) overrides.push_back("data.dir=" + options->get("--data-dir"));
  Result<Settings> settings = load_settings(options->get("--config"), overrides);
  if (!settings) {
    fmt::print(stderr, "millrace serve: {}\n", settings.error().message());
    return kExitConfig;
  }

  ShutdownSignal shutdown({SIGHUP});
  Result<std::unique_ptr<Server>> server = Server::start(std::move(*settings), die_of_disk);
  if (!server) {
    fmt::print(stderr, "millrace serve: {}\n", server.error().message());
    return server.error().code == ErrorCode::invalid_argument ? kExitConfig : kExitFailure;
  }
  fmt::print("{}\n", (*server)->ready_line());
  std::fflush(stdout);

  int signal = shutdown.wait();
  while (signal == SIGHUP) {
    (void)(*server)->reload();  // it writes log lines itself
    signal = shutdown.wait();
  }
  log::info("stopping", {{"signal", signal}});
  if (const auto stopped = (*server)->stop(); !stopped) {
    log::error("stop_failed", {{"reason", stopped.error().message()}});
    return kExitFailure;
  }
  log::info("stopped");
  return kExitOk;
}

}  // namespace millrace::app

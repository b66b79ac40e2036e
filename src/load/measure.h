// measure(): what every kind of `millrace bench` does with its options: read them, run, report, and say what is wrong
// in the same words.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string_view>

#include "load/options.h"
#include "load/report.h"

namespace millrace::load {

/// Where the server is, for the hint when nobody listens there.
struct MeasuredServer {
  std::string_view option;  // that says where: "--kafka"
  const std::string& host;
  const std::int64_t& port;
};

/// `complete` checks the plan once the options are read; `run` gives a Result; `report` prints it and gives the exit
/// status. Returns 2 for wrong arguments or no connection.
template <class Complete, class Run, class Report>
int measure(std::string_view name, const Options& options, std::span<const std::string_view> args,
            const MeasuredServer& server, Complete complete, Run run, Report report) {
  const Result<bool> wanted = options.parse(args);
  if (wanted && !*wanted) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  const Result<void> ready = wanted ? complete() : std::unexpected(wanted.error());
  if (!ready) {
    print_error(name, ready.error());
    return 2;
  }
  const auto result = run();
  if (result) return report(*result);
  print_error(name, result.error());
  if (result.error().code == ErrorCode::unavailable) {
    fmt::print(stderr,
               "Is a broker listening on {0}:{1}? Start one with `millrace serve`, or say where with {2} HOST:PORT.\n",
               server.host, server.port, server.option);
  }
  return 2;
}

}  // namespace millrace::load

// Verb: one word of the command line (`millrace serve`), a row in the table that main and the help page are made from.
#pragma once

#include <span>
#include <string_view>

namespace millrace::app {

using Arguments = std::span<const std::string_view>;

struct Verb {
  std::string_view name;
  int (*run)(Arguments arguments);  // returns the exit status
  std::string_view summary;
};

/// Exit statuses, after sysexits.h.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitConfig = 78;
inline constexpr int kExitDiskError = 74;

int serve_main(Arguments arguments);
int verify_main(Arguments arguments);
int config_main(Arguments arguments);
int mqtt_main(Arguments arguments);
int topics_main(Arguments arguments);
int groups_main(Arguments arguments);
int rules_main(Arguments arguments);
int connectors_main(Arguments arguments);
int failures_main(Arguments arguments);
int users_main(Arguments arguments);
int acls_main(Arguments arguments);

}  // namespace millrace::app

// millrace verify: checks a data directory offline, read-only. Exit status 0 only when nothing is damaged.
#include <fmt/format.h>

#include "app/options.h"
#include "app/verb.h"

namespace millrace::app {

int verify_main(Arguments) { return kExitUsage; }
int config_main(Arguments) { return kExitUsage; }

}  // namespace millrace::app

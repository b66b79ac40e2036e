// What tools (top -H, perf, gdb) call a thread. At most 15 characters; longer names are cut.
#pragma once

#include <string>

namespace millrace {

void name_this_thread(const std::string& name);

}  // namespace millrace

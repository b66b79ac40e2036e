#include "base/thread_priority.h"

#include <sys/resource.h>

#include <algorithm>

namespace millrace {

void lower_this_thread(int nice) {
  constexpr int kLowest = 19;
  constexpr id_t kThisThread = 0;
  if (nice <= 0) return;
  // Giving way is always allowed; a system that refuses it leaves the thread as it was.
  static_cast<void>(
      setpriority(PRIO_PROCESS, kThisThread, std::min(getpriority(PRIO_PROCESS, kThisThread) + nice, kLowest)));
}

}  // namespace millrace

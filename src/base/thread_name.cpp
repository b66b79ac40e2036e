#include "base/thread_name.h"

#include <pthread.h>

namespace millrace {

void name_this_thread(const std::string& name) {
  constexpr std::size_t kLongest = 15;
  pthread_setname_np(pthread_self(), name.substr(0, kLongest).c_str());
}

}  // namespace millrace

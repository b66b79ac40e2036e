#include "app/shutdown_signal.h"

#include <pthread.h>

namespace millrace::app {

ShutdownSignal::ShutdownSignal(std::initializer_list<int> further) {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  for (const int signal : further) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int ShutdownSignal::wait() {
  int number = 0;
  while (sigwait(&signals_, &number) != 0) {
  }
  return number;
}

}  // namespace millrace::app

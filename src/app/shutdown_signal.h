// ShutdownSignal: SIGTERM and SIGINT as something a thread can wait for. Blocks both signals for the calling thread and
// every thread started after it, so construct it first. SIGPIPE is ignored for the process.
#pragma once

#include <atomic>
#include <csignal>

namespace millrace::app {

class ShutdownSignal {
 public:
  ShutdownSignal();
  /// Returns the signal's number. Thread: the one that constructed it.
  int wait();

 private:
  sigset_t signals_{};
};

}  // namespace millrace::app

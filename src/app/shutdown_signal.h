// ShutdownSignal: SIGTERM and SIGINT as something a thread can wait for. Blocks both signals for the calling thread and
// every thread started after it, so construct it first. SIGPIPE is ignored for the process.
#pragma once

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace millrace::app {

class ShutdownSignal {
 public:
  /// `further` signals are waited for too.
  explicit ShutdownSignal(std::initializer_list<int> further = {});
  /// Returns the signal's number. Thread: the one that constructed it.
  int wait();

 private:
  sigset_t signals_{};
};

}  // namespace millrace::app

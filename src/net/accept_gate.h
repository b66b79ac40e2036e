// AcceptGate: whether a listener may accept now. Asked before each connection; while it says "wait", connections stay
// in the kernel's backlog, where they cost the program nothing. One gate may serve the listeners of several loops.
// Thread: any.
#pragma once

#include <chrono>

namespace millrace::net {

class AcceptGate {
 public:
  virtual ~AcceptGate() = default;
  /// How long to wait before asking again; 0: accept one.
  virtual std::chrono::milliseconds wait() = 0;
  /// One was accepted.
  virtual void accepted() = 0;
};

}  // namespace millrace::net

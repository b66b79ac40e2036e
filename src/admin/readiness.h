// Readiness: may clients be sent here? Not while starting, not while stopping, and not while a check (disk full, log
// closed) says no. Thread: any.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"

namespace millrace::admin {

class Readiness {
 public:
  /// Not ready, "starting".
  Readiness();
  void set_ready();
  void set_not_ready(std::string reason);
  /// Asked at every request; a reason means not ready. Added before the server starts; must be quick and thread-safe.
  void add_check(std::function<std::optional<std::string>()> check);

  /// Why not; none when ready.
  [[nodiscard]] std::optional<std::string> obstacle() const;

 private:
  struct State {
    std::optional<std::string> reason;
    std::vector<std::function<std::optional<std::string>()>> checks;
  };
  Guarded<State> state_;
};

}  // namespace millrace::admin

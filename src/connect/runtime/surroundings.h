// Surroundings: what connectors may know of the machine they run on, given by the program, so that nothing here reads a
// global: time, variables of the environment, files.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "connect/runtime/spill.h"
#include "io/file_system.h"

namespace millrace::connect {

struct Surroundings {
  const Clock* clock = nullptr;
  /// A variable of the process's environment.
  std::function<std::optional<std::string>(std::string_view)> variable = [](std::string_view) {
    return std::optional<std::string>();
  };
  /// The machine's files from its root; null: none. Absolute paths lose their first '/'.
  io::FileSystem* files = nullptr;
  /// For what sinks keep beyond connect.memory.bytes; null: they make do with memory.
  SpillFolder* spill = nullptr;
};

}  // namespace millrace::connect

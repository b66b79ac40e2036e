// Which seeds a simulator test runs: MILLRACE_SIM_SEEDS of them, from MILLRACE_SIM_FIRST (else 1) on.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace millrace::sim {

/// A seeded bug must be found within so many.
constexpr std::uint64_t kSeedsByDefault = 2'000;

inline std::uint64_t number_in_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Seeds {
  std::uint64_t first = number_in_environment("MILLRACE_SIM_FIRST", 1);
  std::uint64_t count = number_in_environment("MILLRACE_SIM_SEEDS", kSeedsByDefault);
};

}  // namespace millrace::sim

#include "base/rng.h"

#include <random>

namespace millrace {

std::uint64_t system_entropy() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) ^ device();
}

}  // namespace millrace

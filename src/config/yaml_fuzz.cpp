// Any bytes: parse_yaml answers, and what it accepts can be written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/node.h"
#include "config/yaml_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto root = millrace::config::parse_yaml({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (root) (void)millrace::config::yaml_block(*root);
  return 0;
}

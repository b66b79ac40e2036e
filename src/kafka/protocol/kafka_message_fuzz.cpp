// Any bytes as any message at any version: byte 0 picks the message, byte 1 the version, the rest is the frame. What
// decodes must encode, and decode again to the same value.
#include <cstdint>
#include <cstdlib>

#include "kafka/testing/message_case.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::kafka::testing;
  if (size < 2) return 0;
  const MessageCase& message = message_cases()[data[0] % message_cases().size()];
  const auto version = static_cast<std::int16_t>(message.first + data[1] % (message.last - message.first + 1));
  const auto value = message.make();
  if (!value->decode({data + 2, size - 2}, version)) return 0;
  Buffer bytes;
  if (!value->encode(bytes, version)) std::abort();
  const auto again = message.make();
  if (!again->decode(bytes.view(), version) || !again->equals(*value)) std::abort();
  return 0;
}

// PROXY headers: whatever the bytes, the verdict on a part never contradicts the verdict on more of it.
#include "base/assert.h"
#include "net/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const ByteView bytes(data, size);
  const auto whole = net::parse_proxy_header(bytes);
  const bool complete = whole && whole->has_value();
  if (complete) MR_ASSERT((*whole)->size <= size);
  for (std::size_t part = 0; part < size; ++part) {
    const auto header = net::parse_proxy_header(bytes.first(part));
    if (!header) {
      MR_ASSERT(!whole);
      break;
    }
    if (*header) MR_ASSERT(complete && (*whole)->size == (*header)->size && (*whole)->source == (*header)->source);
  }
  return 0;
}

// A record of __rule_deliveries: whatever decodes is encoded to bytes that decode to the same.
#include <cstdlib>
#include <vector>

#include "rules/delivery.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  // A copy of its own size, so that a sanitizer sees every byte read behind it.
  const std::vector<std::uint8_t> bytes(data, data + size);
  const auto decoded = rules::decode_delivery({bytes.data(), bytes.size()});
  if (!decoded) return 0;
  Buffer once;
  rules::encode(*decoded, once);
  const auto again = rules::decode_delivery(once.view());
  if (!again || again->requests.size() != decoded->requests.size()) std::abort();
  Buffer twice;
  rules::encode(*again, twice);
  if (as_text(once.view()) != as_text(twice.view())) std::abort();
  for (std::size_t i = 0; i < decoded->requests.size(); ++i) {
    const auto& a = decoded->requests[i];
    const auto& b = again->requests[i];
    if (a.target != b.target || a.headers != b.headers || as_text(a.body) != as_text(b.body)) std::abort();
  }
  rules::mark_reported(once.data());
  const auto marked = rules::decode_delivery(once.view());
  if (!marked || !marked->reported) std::abort();
  return 0;
}

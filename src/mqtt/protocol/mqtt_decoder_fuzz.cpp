// Any bytes: a stream of packets in the version the first byte names. Holds: decoding never reads outside, what decodes
// encodes to bytes that decode to the same bytes again, and cutting the stream anywhere changes nothing but "need
// more".
#include <cstdlib>

#include "mqtt/protocol/decoder.h"
#include "mqtt/protocol/encoder.h"

namespace {

using namespace millrace;
using namespace millrace::mqtt::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto version = static_cast<Version>(3 + data[0] % 3);
  ByteView rest(data + 1, size - 1);
  for (;;) {
    const auto frame = next_frame(rest, 1_MiB);
    if (!frame || !frame->complete()) break;
    // Split invariance: every shorter run is "need more", never a packet and never a refusal.
    for (std::size_t cut = 0; cut < frame->size && cut < 32; ++cut) {
      const auto shorter = next_frame(rest.first(cut), 1_MiB);
      require(shorter.has_value() && !shorter->complete());
    }
    const auto packet = decode(*frame, version);
    if (packet) {
      const auto* connect = std::get_if<Connect>(&*packet);
      const Version spoken = connect != nullptr ? connect->version : version;
      Buffer once;
      encode(once, *packet, spoken);
      require(once.size() <= frame->size);
      const auto framed = next_frame(once.view(), 1_MiB);
      require(framed.has_value() && framed->size == once.size());
      const auto again = decode(*framed, spoken);
      require(again.has_value() && again->index() == packet->index());
      Buffer twice;
      encode(twice, *again, spoken);
      require(as_text(twice.view()) == as_text(once.view()));
    } else {
      require(packet.error().why != nullptr && is_failure(packet.error().reason));
    }
    rest = rest.subspan(frame->size);
  }
  return 0;
}

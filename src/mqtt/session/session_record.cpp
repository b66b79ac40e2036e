#include "mqtt/session/session_record.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "mqtt/protocol/text.h"

namespace millrace::mqtt {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::int64_t kConnected = -1;
constexpr std::uint8_t kFlightReleased = 0x04;
constexpr std::uint8_t kFlightRetain = 0x08;

std::uint8_t options_byte(const protocol::SubscriptionOptions& options) {  // as in SUBSCRIBE (3.8.3.1)
  return static_cast<std::uint8_t>(options.maximum_qos | (options.no_local ? 4U : 0U) |
                                   (options.retain_as_published ? 8U : 0U) |
                                   (static_cast<unsigned>(options.retain_handling) << 4U));
}

protocol::SubscriptionOptions options_of(std::uint8_t byte) {
  return {static_cast<std::uint8_t>(byte & 3U), (byte & 4U) != 0, (byte & 8U) != 0,
          static_cast<protocol::RetainHandling>((byte >> 4U) & 3U)};
}

}  // namespace

void encode_session(Buffer& buffer, const Session& session, std::optional<WallTime> disconnected_at) {
  ByteWriter out(buffer);
  out.u8(kVersion);
  out.be(session.expiry_s());
  out.be(static_cast<std::uint64_t>(disconnected_at ? disconnected_at->count() : kConnected));
  out.be(static_cast<std::uint64_t>(session.position().value()));
  out.be(static_cast<std::uint32_t>(session.subscriptions.size()));
  for (const Subscription& subscription : session.subscriptions) {
    out.be(static_cast<std::uint16_t>(subscription.filter.size()));
    out.text(subscription.filter);
    out.u8(options_byte(subscription.options));
    out.be(subscription.identifier);
    out.be(static_cast<std::uint64_t>(subscription.since.value()));
  }
  out.be(session.in_flight.next_id());
  std::uint32_t count = 0;
  const auto is_logged = [](FlightState state, const OutboundMessage* kept) {
    return state == FlightState::releasing || state == FlightState::released ||
           (kept != nullptr && kept->offset != kNoOffset);
  };
  session.in_flight.for_each([&](std::uint16_t, FlightState state, std::uint8_t, const OutboundMessage* kept) {
    count += is_logged(state, kept) ? 1 : 0;
  });
  out.be(count);
  session.in_flight.for_each([&](std::uint16_t id, FlightState state, std::uint8_t qos, const OutboundMessage* kept) {
    if (!is_logged(state, kept)) return;
    const bool released = state == FlightState::releasing || state == FlightState::released;
    const bool retain = kept != nullptr && kept->retain;
    out.be(id);
    out.u8(static_cast<std::uint8_t>(qos | (released ? kFlightReleased : 0U) | (retain ? kFlightRetain : 0U)));
    out.be(static_cast<std::uint64_t>(kept != nullptr ? kept->offset.value() : kNoOffset.value()));
    out.be(static_cast<std::uint16_t>(kept != nullptr ? kept->identifiers.size() : 0));
    if (kept == nullptr) return;
    for (const std::uint32_t identifier : kept->identifiers) out.be(identifier);
  });
}

Result<RestoredSession> decode_session(std::string_view client_id, ByteView value) {
  ByteReader in(value);
  const auto offset = [&in] { return Offset(static_cast<std::int64_t>(in.be<std::uint64_t>())); };
  if (in.u8() != kVersion) return fail(ErrorCode::corrupt, "session record of an unknown version");
  RestoredSession restored;
  const auto expiry_s = in.be<std::uint32_t>();
  const auto disconnected_at = static_cast<std::int64_t>(in.be<std::uint64_t>());
  if (disconnected_at != kConnected) restored.disconnected_at = WallTime(disconnected_at);
  restored.session = std::make_unique<Session>(std::string(client_id), expiry_s);
  Session& session = *restored.session;
  session.make_logged(offset());
  for (auto count = in.be<std::uint32_t>(); count != 0 && in.ok(); --count) {
    Subscription subscription;
    subscription.filter = std::string(as_text(in.bytes(in.be<std::uint16_t>())));
    subscription.options = options_of(in.u8());
    subscription.identifier = in.be<std::uint32_t>();
    subscription.since = offset();
    if (in.ok() && !protocol::parse_topic_filter(subscription.filter)) {
      return fail(ErrorCode::corrupt, "session record with a filter that is none");
    }
    session.subscriptions.push_back(std::move(subscription));
  }
  const auto next_id = in.be<std::uint16_t>();
  for (auto count = in.be<std::uint32_t>(); count != 0 && in.ok(); --count) {
    const auto packet_id = in.be<std::uint16_t>();
    const std::uint8_t flags = in.u8();
    auto kept = std::make_unique<OutboundMessage>();
    kept->offset = offset();
    kept->qos = flags & 3U;
    kept->retain = (flags & kFlightRetain) != 0;
    for (auto identifiers = in.be<std::uint16_t>(); identifiers != 0 && in.ok(); --identifiers) {
      kept->identifiers.push_back(in.be<std::uint32_t>());
    }
    if (!in.ok()) break;
    const bool released = (flags & kFlightReleased) != 0;
    if ((kept->qos != 1 && kept->qos != 2) || (!released && kept->offset == kNoOffset) ||
        !session.in_flight.restore(packet_id, released ? FlightState::released : FlightState::published,
                                   std::move(kept))) {
      return fail(ErrorCode::corrupt, "session record with packet identifiers out of order");
    }
  }
  if (!in.ok() || in.remaining() != 0) return fail(ErrorCode::corrupt, "session record of another length");
  session.in_flight.set_next_id(next_id);
  return restored;
}

}  // namespace millrace::mqtt

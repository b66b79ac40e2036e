#include "mqtt/session/session_record.h"

#include <fmt/format.h>

#include <charconv>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "mqtt/protocol/text.h"
#include "mqtt/session/stored_message.h"

namespace millrace::mqtt {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionWithoutShares = 1;  // nor wills
constexpr std::int64_t kConnected = -1;
constexpr std::uint8_t kFlightReleased = 0x04;
constexpr std::uint8_t kFlightRetain = 0x08;
constexpr std::uint8_t kFlightShared = 0x10;

std::uint8_t options_byte(const protocol::SubscriptionOptions& options) {  // as in SUBSCRIBE (3.8.3.1)
  return static_cast<std::uint8_t>(options.maximum_qos | (options.no_local ? 4U : 0U) |
                                   (options.retain_as_published ? 8U : 0U) |
                                   (static_cast<unsigned>(options.retain_handling) << 4U));
}

protocol::SubscriptionOptions options_of(std::uint8_t byte) {
  return {static_cast<std::uint8_t>(byte & 3U), (byte & 4U) != 0, (byte & 8U) != 0,
          static_cast<protocol::RetainHandling>((byte >> 4U) & 3U)};
}

void put_short(ByteWriter& out, std::string_view text) {
  out.be(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}

// "$share/<name>/<filter>", as a subscription names it.
void put_share(ByteWriter& out, const ShareName& share) {
  put_short(out, "$share/" + share.key);
}

ShareNamePtr take_share(ByteReader& in) {
  const auto parts = protocol::parse_topic_filter(as_text(in.bytes(in.be<std::uint16_t>())));
  if (!in.ok() || !parts || parts->share_name.empty()) return nullptr;
  return std::make_shared<const ShareName>(parts->share_name, parts->filter);
}

void put_will(Buffer& buffer, const StoredWill& will) {
  ByteWriter out(buffer);
  out.be(will.delay_s);
  put_short(out, will.identity.name);
  out.u8(static_cast<std::uint8_t>(will.identity.proof));
  // Its expiry counts from its publication, so it is stored as if that were at time 0.
  Buffer message;
  encode_stored(message, will.message->message(), {}, WallTime(0));
  out.be(static_cast<std::uint32_t>(message.size()));
  out.bytes(message.view());
}

Result<std::unique_ptr<StoredWill>> take_will(ByteReader& in) {
  auto will = std::make_unique<StoredWill>();
  will->delay_s = in.be<std::uint32_t>();
  will->identity.name = std::string(as_text(in.bytes(in.be<std::uint16_t>())));
  will->identity.proof = static_cast<auth::Proof>(in.u8());
  const ByteView bytes = in.bytes(in.be<std::uint32_t>());
  if (!in.ok() || will->identity.proof > auth::Proof::certificate) {
    return fail(ErrorCode::corrupt, "session record with a will that ends within a field");
  }
  MR_TRY_ASSIGN(const StoredMessage stored, decode_stored(bytes));
  Message message{stored.topic, stored.payload, stored.properties, {}, {}, stored.qos, stored.retain};
  if (stored.expires_at) message.expiry_s = static_cast<std::uint32_t>(stored.expires_at->count() / 1000);
  will->message = std::make_shared<const SharedMessage>(message, 0);
  return will;
}

}  // namespace

std::string will_key(const WillKey& key) {
  return fmt::format("{}{}/{}", kWillKeyPrefix, key.serial, key.client_id);
}

std::optional<WillKey> parse_will_key(std::string_view key) {
  if (!key.starts_with(kWillKeyPrefix)) return std::nullopt;
  key.remove_prefix(kWillKeyPrefix.size());
  WillKey found;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), found.serial);
  if (error != std::errc() || end == key.data() + key.size() || *end != '/') return std::nullopt;
  found.client_id = key.substr(static_cast<std::size_t>(end - key.data()) + 1);
  return found;
}

void encode_will(Buffer& out, const StoredWill& will) {
  ByteWriter(out).u8(kVersion);
  put_will(out, will);
}

Result<std::unique_ptr<StoredWill>> decode_will(ByteView value) {
  ByteReader in(value);
  if (in.u8() != kVersion) return fail(ErrorCode::corrupt, "will record of an unknown version");
  return take_will(in);
}

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
  const auto is_logged = [](FlightState state, std::uint8_t qos, const OutboundMessage* kept) {
    if (kept != nullptr && kept->share) return qos == 2 && kept->is_reported();
    return state == FlightState::releasing || state == FlightState::released ||
           (kept != nullptr && kept->offset != kNoOffset);
  };
  session.in_flight.for_each([&](std::uint16_t, FlightState state, std::uint8_t qos, const OutboundMessage* kept) {
    count += is_logged(state, qos, kept) ? 1 : 0;
  });
  out.be(count);
  session.in_flight.for_each([&](std::uint16_t id, FlightState state, std::uint8_t qos, const OutboundMessage* kept) {
    if (!is_logged(state, qos, kept)) return;
    const bool released = state == FlightState::releasing || state == FlightState::released;
    const bool retain = kept != nullptr && kept->retain;
    const bool shared = kept != nullptr && kept->share;
    out.be(id);
    out.u8(static_cast<std::uint8_t>(qos | (released ? kFlightReleased : 0U) | (retain ? kFlightRetain : 0U) |
                                     (shared ? kFlightShared : 0U)));
    out.be(static_cast<std::uint64_t>(kept != nullptr ? kept->offset.value() : kNoOffset.value()));
    out.be(static_cast<std::uint16_t>(kept != nullptr ? kept->identifiers.size() : 0));
    if (kept == nullptr) return;
    for (const std::uint32_t identifier : kept->identifiers) out.be(identifier);
    if (shared) put_share(out, *kept->share);
  });
  out.be(static_cast<std::uint32_t>(session.shared_done.size()));
  for (const SharedDone& done : session.shared_done) {
    out.be(static_cast<std::uint64_t>(done.offset.value()));
    put_share(out, *done.share);
  }
  out.u8(session.will ? 1 : 0);
  if (session.will) put_will(buffer, *session.will);
}

Result<RestoredSession> decode_session(std::string_view client_id, ByteView value) {
  ByteReader in(value);
  const auto offset = [&in] { return Offset(static_cast<std::int64_t>(in.be<std::uint64_t>())); };
  const std::uint8_t version = in.u8();
  if (version != kVersion && version != kVersionWithoutShares)
    return fail(ErrorCode::corrupt, "session record of an unknown version");
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
    const auto parts = protocol::parse_topic_filter(subscription.filter);
    if (in.ok() && !parts) return fail(ErrorCode::corrupt, "session record with a filter that is none");
    if (parts && !parts->share_name.empty()) {
      subscription.share = std::make_shared<const ShareName>(parts->share_name, parts->filter);
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
    const bool shared = (flags & kFlightShared) != 0;
    if (shared) kept->share = take_share(in);
    if (!in.ok()) break;
    if (shared && !kept->share) return fail(ErrorCode::corrupt, "session record with a share that is none");
    const bool released = (flags & kFlightReleased) != 0;
    if ((kept->qos != 1 && kept->qos != 2) || (!released && kept->offset == kNoOffset) ||
        !session.in_flight.restore(packet_id, released ? FlightState::released : FlightState::published,
                                   std::move(kept))) {
      return fail(ErrorCode::corrupt, "session record with packet identifiers out of order");
    }
  }
  if (version != kVersionWithoutShares) {
    for (auto count = in.be<std::uint32_t>(); count != 0 && in.ok(); --count) {
      const Offset at = offset();
      const ShareNamePtr share = take_share(in);
      if (share) session.shared_done.push_back({share, at});
    }
    if (in.u8() != 0) {
      MR_TRY_ASSIGN(session.will, take_will(in));
    }
  }
  if (!in.ok() || in.remaining() != 0) return fail(ErrorCode::corrupt, "session record of another length");
  session.in_flight.set_next_id(next_id);
  return restored;
}

}  // namespace millrace::mqtt

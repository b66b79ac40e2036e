// SessionRecord: a persistent session as a value of `__mqtt_sessions`, its key the client id
// (docs/formats/mqtt-records.md). Thread: pure functions.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "mqtt/session/session.h"

namespace millrace::mqtt {

inline constexpr std::string_view kSessionTopic = "__mqtt_sessions";

/// Appends the session as it is. `disconnected_at`: nullopt while its client is connected. What is in flight of shared
/// subscriptions with QoS 1 is left out: it would be handed out anew.
void encode_session(Buffer& out, const Session& session, std::optional<WallTime> disconnected_at);

struct RestoredSession {
  std::unique_ptr<Session> session;
  std::optional<WallTime> disconnected_at;
};
/// The will of a session that ends with its connection has a record of its own (decision 0030): the key tells the
/// connection by a serial number.
inline constexpr std::string_view kWillKeyPrefix{"\0will/", 6};
struct WillKey {
  std::uint64_t serial = 0;
  std::string_view client_id;
};
[[nodiscard]] std::string will_key(const WillKey& key);
/// nullopt for anything will_key does not make.
[[nodiscard]] std::optional<WillKey> parse_will_key(std::string_view key);
void encode_will(Buffer& out, const StoredWill& will);
/// Errors: corrupt.
[[nodiscard]] Result<std::unique_ptr<StoredWill>> decode_will(ByteView value);

/// Messages in flight come back with their offsets and without their bytes, a will without its access. Errors: corrupt.
[[nodiscard]] Result<RestoredSession> decode_session(std::string_view client_id, ByteView value);

}  // namespace millrace::mqtt

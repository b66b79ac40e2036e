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
/// Messages in flight come back with their offsets and without their bytes, a will without its access. Errors: corrupt.
[[nodiscard]] Result<RestoredSession> decode_session(std::string_view client_id, ByteView value);

}  // namespace millrace::mqtt

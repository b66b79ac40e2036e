// Lifecycle events, as AWS IoT publishes them: sources for rules, and for subscribers that name them.
//
//   $aws/events/presence/connected/<client id>           $aws/events/subscriptions/subscribed/<client id>
//   $aws/events/presence/disconnected/<client id>        $aws/events/subscriptions/unsubscribed/<client id>
//
// Client ids with '+' or '#' have none: they would not be topic names. Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mqtt/protocol/reason_code.h"

namespace millrace::mqtt {

inline constexpr std::string_view kEventTopics = "$aws/events/";
inline constexpr std::string_view kBasicIngestTopics = "$aws/rules/";

enum class LifecycleEvent : std::uint8_t { connected, disconnected, subscribed, unsubscribed };

/// The client an event is about, and its connection.
struct EventSubject {
  std::string_view client_id;
  std::string_view principal;        // who logged in; may be empty
  std::string_view address;          // without its port
  std::uint64_t connection = 0;      // the session identifier: one per connection
  std::uint64_t version_number = 0;  // grows from connection to connection
};

/// How a connection ended: a DISCONNECT of its client, a reason of the server's, or neither.
struct EventCause {
  bool client_initiated = false;
  std::optional<protocol::ReasonCode> reason;  // the server's
};

/// Empty when the client has none.
[[nodiscard]] std::string event_topic(LifecycleEvent event, std::string_view client_id);
/// JSON.
[[nodiscard]] std::string event_payload(LifecycleEvent event, const EventSubject& subject, WallTime at,
                                        const EventCause& cause, const std::vector<std::string>& topics);

}  // namespace millrace::mqtt

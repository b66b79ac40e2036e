#include "mqtt/server/lifecycle_events.h"

#include <fmt/format.h>

#include "net/http/message.h"

namespace millrace::mqtt {
namespace {

using net::http::json_string;
using protocol::ReasonCode;

struct Name {
  std::string_view type;
  std::string_view folder;
};
constexpr Name kNames[] = {{"connected", "presence"},
                           {"disconnected", "presence"},
                           {"subscribed", "subscriptions"},
                           {"unsubscribed", "subscriptions"}};

// AWS's words.
std::string_view disconnect_reason(const EventCause& cause) {
  if (cause.client_initiated) return "CLIENT_INITIATED_DISCONNECT";
  if (!cause.reason) return "CONNECTION_LOST";
  switch (*cause.reason) {
    case ReasonCode::keep_alive_timeout:
      return "MQTT_KEEP_ALIVE_TIMEOUT";
    case ReasonCode::session_taken_over:
      return "DUPLICATE_CLIENTID";
    case ReasonCode::not_authorized:
      return "FORBIDDEN_ACCESS";
    case ReasonCode::bad_user_name_or_password:
    case ReasonCode::bad_authentication_method:
      return "AUTH_ERROR";
    case ReasonCode::quota_exceeded:
    case ReasonCode::message_rate_too_high:
    case ReasonCode::receive_maximum_exceeded:
      return "THROTTLED";
    case ReasonCode::server_shutting_down:
    case ReasonCode::server_busy:
    case ReasonCode::administrative_action:
      return "SERVER_INITIATED_DISCONNECT";
    case ReasonCode::unspecified_error:
    case ReasonCode::implementation_specific_error:
      return "SERVER_ERROR";
    default:
      return "CLIENT_ERROR";
  }
}

}  // namespace

std::string event_topic(LifecycleEvent event, std::string_view client_id) {
  if (client_id.find_first_of("+#") != std::string_view::npos) return {};
  const Name& name = kNames[static_cast<std::size_t>(event)];
  return fmt::format("{}{}/{}/{}", kEventTopics, name.folder, name.type, client_id);
}

std::string event_payload(LifecycleEvent event, const EventSubject& subject, WallTime at, const EventCause& cause,
                          const std::vector<std::string>& topics) {
  std::string json = fmt::format(
      R"({{"clientId":{},"timestamp":{},"eventType":"{}","sessionIdentifier":"{:016x}","principalIdentifier":{})",
      json_string(subject.client_id), at.count(), kNames[static_cast<std::size_t>(event)].type, subject.connection,
      json_string(subject.principal));
  switch (event) {
    case LifecycleEvent::connected:
      json += fmt::format(R"(,"ipAddress":{})", json_string(subject.address));
      break;
    case LifecycleEvent::disconnected:
      json += fmt::format(R"(,"clientInitiatedDisconnect":{},"disconnectReason":"{}")", cause.client_initiated,
                          disconnect_reason(cause));
      break;
    case LifecycleEvent::subscribed:
    case LifecycleEvent::unsubscribed:
      json += R"(,"topics":[)";
      for (std::size_t i = 0; i < topics.size(); ++i) json += (i == 0 ? "" : ",") + json_string(topics[i]);
      return json + "]}";
  }
  return json + fmt::format(R"(,"versionNumber":{}}})", subject.version_number);
}

}  // namespace millrace::mqtt

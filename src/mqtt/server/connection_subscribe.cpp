// SUBSCRIBE and UNSUBSCRIBE (3.8 to 3.11).
#include <algorithm>

#include "mqtt/protocol/encoder.h"
#include "mqtt/protocol/text.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PropertyId;
using protocol::ReasonCode;

// Messages go out with QoS 0 or 1; a lower grant than asked for is the standard's way to say so (3.8.4).
constexpr std::uint8_t kHighestGrant = 1;

}  // namespace

void Connection::take_subscribe(const Frame& frame) {
  const auto packet = protocol::decode_subscribe(frame, version_);
  if (!packet) return close(packet.error());
  const std::uint32_t identifier = packet->properties.number(PropertyId::subscription_identifier, 0);
  protocol::SubscriptionAck answer{protocol::PacketType::suback, packet->packet_id, {}, {}};
  answer.reasons.reserve(packet->entries.size());
  for (const protocol::SubscribeEntry& entry : packet->entries) {
    answer.reasons.push_back(add_subscription(entry, identifier));  // one per filter, in order [MQTT-3.8.4-6]
  }
  protocol::encode(stream_->output(), answer, version_);
  stream_->mark_dirty();
}

ReasonCode Connection::add_subscription(const protocol::SubscribeEntry& entry, std::uint32_t identifier) {
  const Settings& settings = server_.settings();
  const auto parts = protocol::parse_topic_filter(entry.filter);
  if (!parts) return parts.error().reason;
  if (!parts->share_name.empty()) return ReasonCode::shared_subscriptions_not_supported;
  if (SubscriptionTree::levels(entry.filter) > settings.max_topic_levels) return ReasonCode::topic_filter_invalid;

  Subscription subscription{std::string(entry.filter), entry.options, identifier};
  subscription.options.maximum_qos = std::min(entry.options.maximum_qos, kHighestGrant);
  auto& list = session_->subscriptions;
  const auto existing =
      std::find_if(list.begin(), list.end(), [&](const Subscription& s) { return s.filter == entry.filter; });
  if (existing == list.end()) {
    if (list.size() >= settings.max_subscriptions_per_session) return ReasonCode::quota_exceeded;
    server_.subscribe(*session_, subscription);
    list.push_back(std::move(subscription));
  } else {  // replaced [MQTT-3.8.4-3]
    *existing = std::move(subscription);
    server_.subscribe(*session_, *existing);
  }
  return static_cast<ReasonCode>(std::min(entry.options.maximum_qos, kHighestGrant));
}

void Connection::take_unsubscribe(const Frame& frame) {
  const auto packet = protocol::decode_unsubscribe(frame, version_);
  if (!packet) return close(packet.error());
  protocol::SubscriptionAck answer{protocol::PacketType::unsuback, packet->packet_id, {}, {}};
  answer.reasons.reserve(packet->filters.size());
  for (const std::string_view filter : packet->filters) {
    if (const auto parts = protocol::parse_topic_filter(filter); !parts) {
      answer.reasons.push_back(parts.error().reason);
      continue;
    }
    auto& list = session_->subscriptions;
    const auto existing =
        std::find_if(list.begin(), list.end(), [&](const Subscription& s) { return s.filter == filter; });
    if (existing == list.end()) {  // compared character by character [MQTT-3.10.4-1]
      answer.reasons.push_back(ReasonCode::no_subscription_existed);
      continue;
    }
    server_.unsubscribe(*session_, filter);
    list.erase(existing);
    answer.reasons.push_back(ReasonCode::success);
  }
  protocol::encode(stream_->output(), answer, version_);
  stream_->mark_dirty();
}

}  // namespace millrace::mqtt

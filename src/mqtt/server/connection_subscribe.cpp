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
using protocol::RetainHandling;

}  // namespace

// One SUBSCRIBE whose answer waits until every loop that has to know of its subscriptions does.
struct Connection::OpenSubscribe {
  protocol::SubscriptionAck answer;
  std::vector<Subscription> retained;  // whose retained messages follow the answer
  std::size_t open = 1;
};

void Connection::take_subscribe(const Frame& frame) {
  const auto packet = protocol::decode_subscribe(frame, version_);
  if (!packet) return close(packet.error());
  const std::uint32_t identifier = packet->properties.number(PropertyId::subscription_identifier, 0);
  auto open = std::make_shared<OpenSubscribe>();
  std::vector<std::string> told;
  open->answer.type = protocol::PacketType::suback;
  open->answer.packet_id = packet->packet_id;
  open->answer.reasons.reserve(packet->entries.size());
  for (const protocol::SubscribeEntry& entry : packet->entries) {
    const auto reason = add_subscription(entry, identifier, open);
    if (!reason) return close(reason.error());
    open->answer.reasons.push_back(*reason);  // one per filter, in order [MQTT-3.8.4-6]
    if (!is_failure(*reason)) told.emplace_back(entry.filter);
  }
  if (!told.empty()) tell(LifecycleEvent::subscribed, told);
  if (session_->logged()) {  // not answered before it would survive
    if (server_.settings().bug != SeededBug::suback_before_recording) ++open->open;
    store_soon().tasks.push_back([this, open] { subscribed(*open); });
  }
  subscribed(*open);
}

void Connection::subscribed(OpenSubscribe& open) {
  if (--open.open != 0 || state_ != State::connected) return;
  protocol::encode(stream_->output(), open.answer, version_);
  server_.count_packets_sent(1);
  stream_->mark_dirty();
  for (const Subscription& subscription : open.retained) start_retained(subscription.filter, subscription);
  if (!open.retained.empty()) pump();
}

protocol::Decoded<ReasonCode> Connection::add_subscription(const protocol::SubscribeEntry& entry,
                                                           std::uint32_t identifier,
                                                           const std::shared_ptr<OpenSubscribe>& open) {
  const Settings& settings = server_.settings();
  const auto parts = protocol::parse_topic_filter(entry.filter);
  if (!parts) return parts.error().reason;
  const bool shared = !parts->share_name.empty();
  if (shared && v5() && entry.options.no_local) {
    return protocol::refuse(ReasonCode::protocol_error, "No Local on a shared subscription [MQTT-3.8.3-4]");
  }
  if (is_too_long(parts->filter)) return ReasonCode::topic_filter_invalid;
  if (settings.denied_filters.contains(entry.filter)) return ReasonCode::unspecified_error;
  if (access_ && !access_->may_subscribe(parts->filter)) return ReasonCode::not_authorized;

  Subscription subscription{std::string(entry.filter), entry.options, identifier, server_.feed().position(), nullptr};
  if (shared) {
    subscription.share = std::make_shared<const ShareName>(parts->share_name, parts->filter);
    subscription.since = server_.end_of_messages();
  }
  auto& list = session_->subscriptions;
  const auto existing =
      std::find_if(list.begin(), list.end(), [&](const Subscription& s) { return s.filter == entry.filter; });
  const bool is_new = existing == list.end();
  if (is_new) {
    if (list.size() >= settings.max_subscriptions_per_session) return ReasonCode::quota_exceeded;
    list.push_back(subscription);
  } else {  // replaced [MQTT-3.8.4-3]; what waits for it goes on waiting
    subscription.since = existing->since;
    server_.forget_logged_filter(*session_, *existing);
    *existing = subscription;
  }
  ++open->open;
  server_.subscribe(*session_, subscription, [open, id = id_, server = &server_] {
    if (Connection* connection = server->find(id)) connection->subscribed(*open);
  });
  const auto handling = entry.options.retain_handling;
  if (!shared && (handling == RetainHandling::send || (handling == RetainHandling::send_if_new && is_new))) {
    open->retained.push_back(std::move(subscription));  // [MQTT-3.3.1-9, -10, -11]
  }
  return static_cast<ReasonCode>(entry.options.maximum_qos);
}

void Connection::take_unsubscribe(const Frame& frame) {
  const auto packet = protocol::decode_unsubscribe(frame, version_);
  if (!packet) return close(packet.error());
  protocol::SubscriptionAck answer{protocol::PacketType::unsuback, packet->packet_id, {}, {}};
  answer.reasons.reserve(packet->filters.size());
  std::vector<std::string> told;
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
    server_.unsubscribe(*session_, *existing);
    list.erase(existing);
    answer.reasons.push_back(ReasonCode::success);
    told.emplace_back(filter);
  }
  if (!told.empty()) tell(LifecycleEvent::unsubscribed, told);
  const auto send = [this, answer = std::move(answer)] {
    if (state_ != State::connected) return;
    protocol::encode(stream_->output(), answer, version_);
    server_.count_packets_sent(1);
    stream_->mark_dirty();
  };
  if (!session_->logged()) return send();
  if (server_.settings().bug == SeededBug::unsuback_before_recording) {
    store_soon();
    return send();
  }
  store_soon().tasks.emplace_back(send);
}

}  // namespace millrace::mqtt

// Messages on their way through a loop: to the subscribers here, to other loops, into the
// retained store and the message topic.
#include <algorithm>

#include "mqtt/protocol/text.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/session/session_record.h"

namespace millrace::mqtt {

bool LoopServer::publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
                         const PublishProperties& properties) {
  own_properties_.clear();
  add_properties(properties, own_properties_);
  const Message message{topic, payload, own_properties_.view(), properties.expiry_s, ConnectionId{}, qos, retain};
  if (retain) keep_republished(message);
  if (qos != 0 && is_logged(topic)) {  // from within the receiver's own receive(): joins the commit being gathered
    stored_.clear();
    encode_stored(stored_, message, {}, exchange_.clock.wall());
    const OwnRecord record{kMessageTopic, std::nullopt, stored_.view()};
    receiver_.store({&record, 1}, Receipt{}, *this);
  }
  return anyone_subscribed() && route(message);
}

void LoopServer::record_message(const Message& message, std::string_view publisher) {
  batch_.add_own_record(kMessageTopic, {},
                        [&](Buffer& out) { encode_stored(out, message, publisher, exchange_.clock.wall()); });
}

void LoopServer::publish_of_its_own(std::string_view topic, ByteView payload) {
  const Message message{topic, payload, {}, {}, ConnectionId{}, 0, true};
  if (retain(message) && anyone_subscribed()) route(message);
}

bool LoopServer::retain(const Message& message, std::string_view owner) {
  using enum RetainedStore::Outcome;
  return exchange_.retained.with([&](RetainedStore& store) {
    const auto outcome = store.set(message, now_s_, owner);
    exchange_.metrics.retained_messages.set(static_cast<std::int64_t>(store.size()));
    exchange_.metrics.retained_bytes.set(static_cast<std::int64_t>(store.size_bytes()));
    return outcome != full;
  });
}

void LoopServer::record_retained(const Message& message, std::string_view publisher) {
  if (!exchange_.durable || exchange_.settings.bug == SeededBug::retain_without_recording) return;
  if (message.payload.empty()) return batch_.add_own_record(kRetainedTopic, message.topic, nullptr);
  batch_.add_own_record(kRetainedTopic, message.topic, [&](Buffer& out) {
    Message kept = message;
    kept.topic = {};  // the key
    encode_stored(out, kept, publisher, exchange_.clock.wall());
  });
}

// From within the receiver's own receive(): the record joins the commit that is being gathered.
void LoopServer::keep_republished(const Message& message) {
  if (!retain(message)) {
    exchange_.metrics.dropped_quota.add();
    return;
  }
  if (!exchange_.durable) return;
  OwnRecord record{kRetainedTopic, as_bytes(message.topic), {}};
  if (!message.payload.empty()) {
    stored_.clear();
    Message kept = message;
    kept.topic = {};
    encode_stored(stored_, kept, {}, exchange_.clock.wall());
    record.value = stored_.view();
  }
  receiver_.store({&record, 1}, Receipt{}, *this);
}

void LoopServer::expire_retained() {
  constexpr std::size_t kLookedAtPerSecond = 20'000;
  const std::vector<std::string> topics = exchange_.retained.with(
      [&](RetainedStore& store) { return store.expire(retained_expiry_, kLookedAtPerSecond, now_s_); });
  if (topics.empty()) return;
  exchange_.metrics.dropped_expired.add(topics.size());
  if (!exchange_.durable) return;
  std::vector<OwnRecord> tombstones;
  for (const std::string& topic : topics) tombstones.push_back({kRetainedTopic, as_bytes(topic), std::nullopt});
  receiver_.store(tombstones, Receipt{}, *this);
}

bool LoopServer::route(const Message& message) {
  const bool here = tree_.size() != 0 && deliver_here(message, nullptr);
  if (exchange_.subscriptions.load(std::memory_order_relaxed) == tree_.size()) return here;
  if (crossing_full_ && message.qos == 0) {
    exchange_.metrics.dropped_crossing.add();
    return true;
  }
  outbox_.push_back(here ? delivery_.share() : std::make_shared<const SharedMessage>(message, now_s_));
  outbox_bytes_ += outbox_.back()->size_bytes();
  return true;
}

template <class Counts>
void LoopServer::find_matches(std::string_view topic, Counts&& counts) {
  match_count_ = 0;
  ++match_stamp_;
  share_matches_.clear();
  tree_.match(topic, [&](const Subscriber& subscriber) {
    if (subscriber.share != nullptr) {
      share_matches_.push_back(subscriber.share);
      return;
    }
    if (!counts(subscriber)) return;
    Session& session = *subscriber.session;
    if (session.match_stamp != match_stamp_) {
      session.match_stamp = match_stamp_;
      session.match_index = static_cast<std::uint32_t>(match_count_);
      if (match_count_ == matches_.size()) matches_.emplace_back();
      DeliveryMatch& first = matches_[match_count_++];
      first.session = &session;
      first.qos = 0;
      first.retain_as_published = false;
      first.identifiers.clear();
    }
    // One copy for all subscriptions of a client, with the highest QoS and every identifier [MQTT-3.3.4-2, -4].
    DeliveryMatch& match = matches_[session.match_index];
    match.qos = std::max(match.qos, subscriber.options.maximum_qos);
    match.retain_as_published |= subscriber.options.retain_as_published;
    if (subscriber.identifier != 0) match.identifiers.push_back(subscriber.identifier);
  });
}

bool LoopServer::deliver_here(const Message& message, SharedMessagePtr shared) {
  find_matches(message.topic, [&](const Subscriber& subscriber) {
    const Connection* connection = subscriber.session->connection();
    if (connection == nullptr) return false;  // absent: from the log
    const bool own = message.publisher != ConnectionId{} && connection->id() == message.publisher;
    return !(own && subscriber.options.no_local);  // [MQTT-3.8.3-3]
  });
  if (match_count_ == 0 && share_matches_.empty()) return false;
  delivery_.begin(message, std::move(shared), now_s_);
  for (std::size_t i = 0; i < match_count_; ++i) {
    const DeliveryMatch& match = matches_[i];
    // What a persistent session must not lose reaches it through the log.
    if (match.session->logged() && message.qos != 0 && match.qos != 0) continue;
    match.session->connection()->deliver(delivery_, match);
  }
  if (message.qos != 0 && durable()) return true;  // to shared subscriptions through the log
  for (ShareGroup* const group : share_matches_) deliver_shared(*group, delivery_, 0);
  return true;
}

void LoopServer::hear_logged(const LoggedMessage& logged) {
  if (!logged.spill_key.empty()) return hear_spilled(logged);
  const auto message = logged.message.at(exchange_.clock.wall());
  if (!message) {
    exchange_.metrics.dropped_expired.add();
    return;
  }
  find_matches(message->topic, [&](const Subscriber& subscriber) {
    const Session& session = *subscriber.session;
    if (!session.logged() || logged.offset < subscriber.since || logged.offset < session.fed_until) return false;
    return !(subscriber.options.no_local && session.client_id() == logged.message.publisher);
  });
  if (match_count_ == 0 && share_matches_.empty()) return;
  delivery_.begin(*message, nullptr, now_s_);
  for (ShareGroup* const group : share_matches_) hear_shared(*group, delivery_, logged.offset);
  for (std::size_t i = 0; i < match_count_; ++i) {
    Session& session = *matches_[i].session;
    if (matches_[i].qos == 0) continue;  // heard live
    const bool taken = session.backlog.empty() && session.connection() != nullptr &&
                       session.connection()->deliver_logged(delivery_, matches_[i], logged.offset);
    if (!taken) session.backlog.push_back(logged.offset);
  }
}

void LoopServer::cross() {
  const auto messages = std::make_shared<const std::vector<SharedMessagePtr>>(std::exchange(outbox_, {}));
  const std::size_t bytes = std::exchange(outbox_bytes_, 0);
  for (std::size_t loop = 0; loop < exchange_.peers.size(); ++loop) {
    Peer& other = peer(loop);
    if (loop == loop_ || other.subscriptions.load(std::memory_order_relaxed) == 0) continue;
    crossing_bytes_ += bytes;
    other.executor->post([server = other.server, origin = &peer(loop_), messages, bytes] {
      server->deliver_crossed(*messages);
      origin->executor->post([server = origin->server, bytes] { server->crossed(bytes); });
    });
  }
  crossing_full_ = crossing_bytes_ > exchange_.settings.max_crossing_bytes;
}

void LoopServer::deliver_crossed(std::span<const SharedMessagePtr> messages) {
  for (const SharedMessagePtr& message : messages) deliver_here(message->message(), message);
}

void LoopServer::crossed(std::size_t bytes) {
  crossing_bytes_ -= bytes;
  if (crossing_full_ && crossing_bytes_ <= exchange_.settings.max_crossing_bytes / 2) {
    crossing_full_ = false;
    resume_all(crossing_paused_, Connection::Pause::crossing);
  }
}

}  // namespace millrace::mqtt

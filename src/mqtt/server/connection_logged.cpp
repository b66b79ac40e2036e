// Persistent sessions (decision 0009): messages from the message topic, and the record that lets the session survive.
#include <algorithm>

#include "base/log.h"
#include "mqtt/protocol/text.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/session/session_record.h"

namespace millrace::mqtt {

bool Connection::deliver_logged(Delivery& delivery, const DeliveryMatch& match, Offset offset) {
  if (!has_room()) return false;
  const Message& message = delivery.message();
  send(delivery,
       {std::min(message.qos, match.qos), message.retain && match.retain_as_published, match.identifiers, {}, offset});
  return true;
}

DeliveryMatch Connection::match_own(const LoggedMessage& logged, const Message& message) const {
  DeliveryMatch match;
  for (const Subscription& subscription : session_->subscriptions) {
    if (subscription.share || logged.offset < subscription.since) continue;
    if (subscription.options.no_local && session_->client_id() == logged.message.publisher) continue;
    if (!protocol::matches_filter(subscription.filter, message.topic)) continue;
    match.qos = std::max(match.qos, subscription.options.maximum_qos);
    match.retain_as_published |= subscription.options.retain_as_published;
    if (subscription.identifier != 0) match.identifiers.push_back(subscription.identifier);
  }
  return match;
}

void Connection::send_backlog() {
  OffsetList& backlog = session_->backlog;
  while (!backlog.empty() && has_room()) {
    if (!reader_) reader_ = std::make_unique<MessageReader>();
    const Offset offset = backlog.front();
    const auto logged = reader_->next(*server_.feed().partition(), offset, offset + 1);
    backlog.pop_front();
    if (!logged || !*logged) {
      // Damaged, or older than the log keeps: the session ends, which its client is told by Session Present 0.
      server_.metrics().dropped_quota.add();
      log::warn("mqtt_message_lost", {{"client_id", session_->client_id()},
                                      {"offset", offset.value()},
                                      {"reason", logged ? "older than the log" : logged.error().message()}});
      reader_.reset();
      session_->set_expiry_s(0);
      return close({protocol::ReasonCode::quota_exceeded, "what waited for this client is not in the log any more"});
    }
    const auto message = (*logged)->message.at(server_.wall());
    if (!message) {
      server_.metrics().dropped_expired.add();
      continue;
    }
    const DeliveryMatch match = match_own(**logged, *message);
    if (match.qos == 0) continue;  // unsubscribed meanwhile
    Delivery& delivery = server_.queue_delivery();
    delivery.begin(*message, nullptr, server_.now_s());
    deliver_logged(delivery, match, session_->logged() ? offset : kNoOffset);
  }
  if (!backlog.empty()) return;
  reader_.reset();
  if (session_->spills_on_their_way == 0) server_.end_spilling(*session_);
}

void Connection::spilled(Offset offset) {
  if (state_ != State::connected || !session_->spilling) return;
  --session_->spills_on_their_way;
  session_->backlog.push_back(offset);
  if (has_room()) send_backlog();
}

void Connection::cannot_spill() {
  server_.metrics().dropped_slow.add();
  close({protocol::ReasonCode::quota_exceeded, "too many messages wait for this subscriber, and the log takes none"});
}

Connection::SessionStore& Connection::store_soon() {
  if (!store_) store_ = std::make_unique<SessionStore>();
  if (!std::exchange(store_->asked, true)) server_.store_soon(id_);
  return *store_;
}

void Connection::store_later() {
  if (!std::exchange(store_later_, true)) server_.store_later(id_);
}

void Connection::store_session() {
  store_later_ = false;
  if (!session_ || !session_->logged() || !owns_client_id_) {
    if (store_) store_->asked = false;
    return;
  }
  if (!store_) store_ = std::make_unique<SessionStore>();
  SessionStore& store = *store_;
  if (store.on_its_way) {
    store.asked = true;  // again when that is back
    return;
  }
  store.asked = false;
  store.on_its_way = true;
  store.written_packet_ids = std::exchange(store.packet_ids, {});
  store.written_tasks = std::exchange(store.tasks, {});
  server_.note_position(*session_);
  Buffer& scratch = server_.record_scratch();
  scratch.clear();
  encode_session(scratch, *session_, session_ended_ ? std::optional(server_.wall()) : std::nullopt);
  const OwnRecord record{kSessionTopic, as_bytes(session_->client_id()), scratch.view()};
  ++unsettled_;
  server_.receiver().store({&record, 1}, receipt(Kind::session, 0, false), server_);
}

void Connection::session_stored(ReceiptStatus status) {
  SessionStore& store = *store_;
  store.on_its_way = false;
  std::vector<std::uint16_t> packet_ids = std::exchange(store.written_packet_ids, {});
  std::vector<Task> tasks = std::exchange(store.written_tasks, {});
  if (status == ReceiptStatus::quota) {  // tried again in about a second
    store.packet_ids.insert(store.packet_ids.begin(), packet_ids.begin(), packet_ids.end());
    std::ranges::move(store.tasks, std::back_inserter(tasks));
    store.tasks = std::move(tasks);
    store.asked = true;
    server_.store_later(id_);
    if (state_ == State::entering) entry_recorded(status);
    return;
  }
  if (store.asked) server_.store_soon(id_);
  for (const std::uint16_t packet_id : packet_ids) confirm_sending(packet_id);
  for (Task& task : tasks) task();
}

void Connection::confirm_sending(std::uint16_t packet_id) {
  const auto confirmed = session_->in_flight.confirm(packet_id);
  if (state_ != State::connected) return;  // sent by the next connection
  if (confirmed.state == FlightState::released) {
    send_ack(protocol::PacketType::pubrel, packet_id, protocol::ReasonCode::success);
  } else if (confirmed.state == FlightState::published && confirmed.kept != nullptr) {
    SharedMessagePtr body = confirmed.kept->message;
    if (!body) body = server_.read_logged(confirmed.kept->offset);
    if (!body || (access_ && !may_receive(body->message().topic))) {
      const auto ended = session_->in_flight.complete(packet_id, true);
      if (ended.message && ended.message->is_reported()) report_settled(*ended.message);
      return;
    }
    Delivery& delivery = server_.queue_delivery();
    delivery.begin(body->at(server_.now_s()).value_or(body->message()), body, server_.now_s());
    delivery.write(*stream_,
                   {v5(), confirmed.qos, confirmed.kept->retain, false, packet_id, confirmed.kept->identifiers});
    server_.count_delivered(listener_, confirmed.qos, body->message().payload.size());
  }
}

}  // namespace millrace::mqtt

// Messages to the client (3.3.4, 4.3, 4.4, 4.9): QoS 0 is dropped when the client is slow, QoS 1 and 2 wait in order
// for room in its window and in its output, in memory up to a limit and then in the message topic. Without a log the
// connection is closed instead, because dropping what it was promised is not allowed. Retained messages come behind
// what waits, as much at a time as the client takes.
#include <algorithm>

#include "mqtt/protocol/encoder.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

using protocol::PacketType;
using protocol::ReasonCode;

bool Connection::congested() const {
  return stream_->pending_bytes() > server_.settings().max_output_bytes;
}

bool Connection::has_room() const {
  return state_ == State::connected && !session_->queue && !session_->in_flight.full() && !congested();
}

bool Connection::deliver(Delivery& delivery, const DeliveryMatch& match) {
  if (state_ != State::connected) return false;
  const Message& message = delivery.message();
  const std::uint8_t qos = std::min(message.qos, match.qos);
  const Outgoing outgoing{qos, message.retain && match.retain_as_published,  // [MQTT-3.3.1-12, -13]
                          match.identifiers, match.share, kNoOffset};
  if (qos == 0) {
    if (slow_for_qos0()) {
      server_.metrics().dropped_slow.add();
    } else {
      send(delivery, outgoing);
    }
    return true;
  }
  if (!session_->spilling && has_room()) {
    send(delivery, outgoing);
    return true;
  }
  const std::size_t size = session_->spilling ? 0 : delivery.share()->size_bytes();
  if (session_->spilling || session_->queued_bytes + size > queue_limit()) {
    if (server_.durable() && !match.share) {
      server_.spill(*session_, message);
      return true;
    }
    server_.metrics().dropped_slow.add();
    close({ReasonCode::quota_exceeded, "too many messages wait for this subscriber"});
    return false;
  }
  if (!session_->queue) session_->queue = std::make_unique<std::deque<OutboundMessage>>();
  session_->queue->push_back({delivery.share(), match.identifiers, match.share, kNoOffset, qos, outgoing.retain});
  session_->queued_bytes += size;
  weigh_queue();
  return true;
}

void Connection::send(Delivery& delivery, const Outgoing& outgoing) {
  if (access_ && !may_receive(delivery.message().topic)) return report_unsent(outgoing);
  DeliveryForm form{v5(), outgoing.qos, outgoing.retain, false, 0, {}};
  OutboundAliases::Use alias;
  if (v5()) {
    form.identifiers = outgoing.identifiers;
    if (aliases_out_) {
      alias = aliases_out_->look_up(delivery.message().topic);
      form.alias = alias.alias;
      form.alias_known = alias.known;
    }
    // Not sent, and treated as if it had been [MQTT-3.1.2-24, -25].
    if (client_max_packet_size_ != 0xFFFFFFFF && delivery.packet_size(form) > client_max_packet_size_) {
      server_.metrics().dropped_too_large.add();
      return report_unsent(outgoing);
    }
  }
  if (outgoing.qos != 0) {
    std::unique_ptr<OutboundMessage> keep;
    if (session_->outlives_connection() || outgoing.share || outgoing.offset != kNoOffset) {
      keep = std::make_unique<OutboundMessage>(
          delivery.share(), std::vector<std::uint32_t>(outgoing.identifiers.begin(), outgoing.identifiers.end()),
          outgoing.share, outgoing.offset, outgoing.qos, outgoing.retain);
    }
    const bool bug = server_.settings().bug == SeededBug::send_before_recording;
    if (outgoing.qos == 2 && outgoing.offset != kNoOffset && session_->logged() &&
        !bug) {  // sent when its identifier is durable
      store_soon().packet_ids.push_back(session_->in_flight.reserve(2, std::move(keep)));
      return;
    }
    form.packet_id = session_->in_flight.allot(outgoing.qos, std::move(keep));
  }
  delivery.write(*stream_, form);
  if (server_.tracing()) [[unlikely]] {
    server_.trace_packet(session_->client_id(), "out", "publish", delivery.message().topic, form.packet_id,
                         delivery.message().payload.size());
  }
  if (aliases_out_) aliases_out_->confirm(delivery.message().topic, alias);
  server_.count_delivered(listener_, outgoing.qos, delivery.message().payload.size());
}

// Everything that waits, as far as there is room: what an earlier connection left unacknowledged, the queue, retained
// messages.
void Connection::pump() {
  if (state_ != State::connected) return;
  resend_in_flight();
  send_queued();
  send_backlog();
  send_retained();
}

void Connection::send_queued() {
  Delivery& delivery = server_.queue_delivery();
  while (session_->queue && !session_->in_flight.full() && !congested()) {
    const OutboundMessage next = std::move(session_->queue->front());
    session_->queue->pop_front();
    if (session_->queue->empty()) session_->queue.reset();
    if (next.message) session_->queued_bytes -= next.message->size_bytes();
    const SharedMessagePtr body =
        next.message ? next.message : server_.read_logged(next.offset, LoopServer::ReadAs::not_begun);
    const auto message = body ? body->at(server_.now_s()) : std::nullopt;
    if (message) {
      delivery.begin(*message, body, server_.now_s());
      send(delivery, {next.qos, next.retain, next.identifiers, next.share, next.offset});
    } else {
      server_.metrics().dropped_expired.add();
      if (next.is_reported()) report_settled(next);
    }
  }
  weigh_queue();
}

// After a take-over: what was not acknowledged goes out again, in its order, under its identifiers, with its topic
// [MQTT-4.4.0-1, 3.3.2.3.4]. A flow that has begun is completed even when its message has expired (4.3.3).
void Connection::resend_in_flight() {
  Delivery& delivery = server_.queue_delivery();
  std::vector<std::pair<std::uint16_t, std::uint8_t>> over;
  const auto resend = [&](std::uint16_t packet_id, FlightState flight, std::uint8_t qos, const OutboundMessage* kept) {
    if (flight == FlightState::released) return send_ack(PacketType::pubrel, packet_id, ReasonCode::success);
    if (flight != FlightState::published) return store_soon().packet_ids.push_back(packet_id);
    if (kept == nullptr) return;
    SharedMessagePtr body = kept->message;
    if (!body) body = server_.read_logged(kept->offset);
    if (!body) server_.metrics().dropped_quota.add();
    if (!body || (access_ && !may_receive(body->message().topic))) return over.emplace_back(packet_id, qos), void();
    const Message message = body->at(server_.now_s()).value_or(body->message());
    delivery.begin(message, body, server_.now_s());
    delivery.write(*stream_, {v5(), qos, kept->retain, true, packet_id, kept->identifiers});
    server_.count_delivered(listener_, qos, message.payload.size());
  };
  do {
    over.clear();
    while (session_->in_flight.replay_next(resend)) {
    }
    for (const auto& [packet_id, qos] : over) {  // gone from the log, or not allowed any more: their flow ends
      InflightWindow& window = session_->in_flight;
      const auto ended = qos == 1 ? window.acknowledge(packet_id) : window.complete(packet_id, true);
      if (ended.message && ended.message->is_reported()) report_settled(*ended.message);
    }
  } while (!over.empty());
}

void Connection::start_retained(std::string_view filter, const Subscription& subscription) {
  if (!retained_) retained_ = std::make_unique<std::deque<RetainedWalk>>();
  retained_->push_back({std::string(filter), subscription.options.maximum_qos, subscription.identifier, {}, {}, 0});
}

void Connection::send_retained() {
  while (retained_) {
    RetainedWalk& walk = retained_->front();
    if (walk.next == walk.found.size()) {
      walk.found.clear();
      walk.next = 0;
      if (walk.walk.done) {
        retained_->pop_front();
        if (retained_->empty()) retained_.reset();
        continue;
      }
      if (retained_looked_this_turn_) {  // others are served before the next piece
        if (!std::exchange(retained_goes_on_, true)) {
          server_.with_connection(id_, [](Connection& connection) {
            connection.retained_looked_this_turn_ = connection.retained_goes_on_ = false;
            connection.pump();
          });
        }
        return;
      }
      server_.retained([&](RetainedStore& store) { store.next(walk.filter, walk.walk, {}, walk.found); });
      // A filter without wildcards has one message at most: looking for that disturbs nobody.
      retained_looked_this_turn_ = !walk.walk.done;
      continue;
    }
    const SharedMessagePtr& kept = walk.found[walk.next];
    const std::uint8_t qos = std::min(kept->message().qos, walk.qos);
    if (congested() || (qos != 0 && !has_room())) return;  // on_drained() or an acknowledgement brings us back
    ++walk.next;
    const auto message = kept->at(server_.now_s());
    if (!message) continue;
    Delivery& delivery = server_.queue_delivery();
    delivery.begin(*message, kept, server_.now_s());
    const std::size_t identifiers = walk.identifier != 0 ? 1 : 0;
    send(delivery, {qos, true, std::span(&walk.identifier, identifiers), {}, kNoOffset});  // [MQTT-3.3.1-8]
  }
}

void Connection::on_drained() {
  if (state_ != State::connected) return;
  pump();
  resume(Pause::output);
}

}  // namespace millrace::mqtt

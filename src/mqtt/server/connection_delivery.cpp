// Messages to the client (3.3.4, 4.4, 4.9): QoS 0 is dropped when the client is slow, QoS 1 waits in order for room in
// its window and in its output, up to a limit; then the connection is closed, because dropping what it was promised is
// not allowed.
#include <algorithm>

#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

bool Connection::congested() const {
  return stream_->pending_bytes() > server_.settings().max_output_bytes;
}

void Connection::deliver(Delivery& delivery, const DeliveryMatch& match) {
  if (state_ != State::connected) return;
  const Message& message = delivery.message();
  const std::uint8_t qos = std::min(message.qos, match.qos);
  const bool retain = message.retain && match.retain_as_published;  // [MQTT-3.3.1-12, -13]
  if (qos == 0) {
    if (congested()) {
      server_.metrics().dropped_slow.add();
      return;
    }
    return send(delivery, qos, retain, match.identifiers);
  }
  if (!session_->queue && !session_->in_flight.full() && !congested()) {
    return send(delivery, qos, retain, match.identifiers);
  }
  const std::size_t size = delivery.share()->size_bytes();
  if (session_->queued_bytes + size > server_.settings().max_queued_bytes) {
    server_.metrics().dropped_slow.add();
    return close({protocol::ReasonCode::quota_exceeded, "too many messages wait for this subscriber"});
  }
  if (!session_->queue) session_->queue = std::make_unique<std::deque<QueuedDelivery>>();
  session_->queue->push_back({delivery.share(), match.identifiers, retain});
  session_->queued_bytes += size;
}

void Connection::send(Delivery& delivery, std::uint8_t qos, bool retain, std::span<const std::uint32_t> identifiers) {
  DeliveryForm form{v5(), qos, retain, false, 0, {}};
  if (v5()) {
    form.identifiers = identifiers;
    // Not sent, and treated as if it had been [MQTT-3.1.2-24, -25].
    if (client_max_packet_size_ != 0xFFFFFFFF && delivery.packet_size(form) > client_max_packet_size_) {
      server_.metrics().dropped_too_large.add();
      return;
    }
  }
  if (qos != 0) {
    form.packet_id = session_->in_flight.allot(session_->outlives_connection() ? delivery.share() : SharedMessagePtr{});
  }
  delivery.write(*stream_, form);
  server_.count_delivered(qos);
}

void Connection::send_queued() {
  Delivery& delivery = server_.queue_delivery();
  while (session_->queue && !session_->in_flight.full() && !congested()) {
    const QueuedDelivery next = std::move(session_->queue->front());
    session_->queue->pop_front();
    if (session_->queue->empty()) session_->queue.reset();
    session_->queued_bytes -= next.message->size_bytes();
    if (const auto message = next.message->at(server_.now_s())) {
      delivery.begin(*message, next.message, server_.now_s());
      send(delivery, 1, next.retain, next.identifiers);
    } else {
      server_.metrics().dropped_expired.add();
    }
  }
}

// After a take-over: what was not acknowledged goes out again, in its order, under its identifiers [MQTT-4.4.0-1].
void Connection::resend_in_flight() {
  Delivery& delivery = server_.queue_delivery();
  session_->in_flight.for_each([&](std::uint16_t packet_id, const SharedMessagePtr& kept) {
    if (!kept) return;
    const Message message = kept->at(server_.now_s()).value_or(kept->message());
    delivery.begin(message, kept, server_.now_s());
    delivery.write(*stream_, {v5(), 1, false, true, packet_id, {}});
    server_.count_delivered(1);
  });
}

void Connection::on_drained() {
  if (state_ != State::connected) return;
  send_queued();
  resume(Pause::output);
}

}  // namespace millrace::mqtt

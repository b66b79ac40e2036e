// A member of shared subscriptions (4.8.2): what they hand to this client, and what becomes of it.
#include <algorithm>

#include "mqtt/server/connection.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

using Outcome = LoopServer::ShareReport::Outcome;

bool Connection::deliver_shared(Delivery& delivery, const DeliveryMatch& match, Offset offset) {
  if (state_ != State::connected) return false;
  const Message& message = delivery.message();
  const std::uint8_t qos = std::min(message.qos, match.qos);
  const Outgoing outgoing{qos, message.retain && match.retain_as_published, match.identifiers, match.share, offset};
  if (qos == 0 || has_room()) {
    send(delivery, outgoing);
    return true;
  }
  if (!session_->queue) session_->queue = std::make_unique<std::deque<OutboundMessage>>();
  session_->queue->push_back({nullptr, match.identifiers, match.share, offset, qos, outgoing.retain});
  return true;
}

void Connection::report_unsent(const Outgoing& outgoing) {
  if (outgoing.share && outgoing.offset != kNoOffset && outgoing.qos != 0) {
    server_.report({outgoing.share, outgoing.offset, Outcome::settled, {}});
  }
}

// A QoS 2 message that a persistent session has completed is named in its record until the group's record, which tells
// what is to be handed out after a crash, knows it too.
void Connection::report_settled(const OutboundMessage& message) {
  const bool exactly_once =
      message.qos == 2 && session_->logged() && server_.settings().bug != SeededBug::forget_completed_at_once;
  if (exactly_once) session_->shared_done.push_back({message.share, message.offset});
  server_.report({message.share, message.offset, exactly_once ? Outcome::settled_exactly_once : Outcome::settled, id_});
}

void Connection::share_recorded(const ShareName& share, Offset offset) {
  if (!session_) return;
  std::erase_if(session_->shared_done,
                [&](const SharedDone& done) { return done.offset == offset && done.share->key == share.key; });
  store_later();
}

void Connection::report_shared_done() {
  for (const SharedDone& done : session_->shared_done) {
    server_.report({done.share, done.offset, Outcome::settled_exactly_once, id_});
  }
}

void Connection::give_back_shared(bool session_ends) {
  const auto give_back = [&](const OutboundMessage& message) {
    if (server_.settings().bug == SeededBug::keep_what_a_member_left) return;
    if (message.is_reported()) {
      server_.report({message.share, message.offset, Outcome::given_back, {}});
    } else {
      server_.share_again(message.share, message.message);
    }
  };
  std::vector<std::uint16_t> given;
  session_->in_flight.for_each(
      [&](std::uint16_t id, FlightState flight, std::uint8_t qos, const OutboundMessage* kept) {
        if (kept == nullptr || !kept->share) return;
        // QoS 1 goes to another member. A QoS 2 flow that has begun stays with its session, and ends with it
        // [MQTT-4.8.2-4, -5].
        if (qos == 1 && flight == FlightState::published) {
          give_back(*kept);
          given.push_back(id);
        } else if (session_ends && kept->is_reported()) {
          const bool begun = flight != FlightState::reserved;
          server_.report({kept->share, kept->offset, begun ? Outcome::settled : Outcome::given_back, {}});
        }
      });
  for (const std::uint16_t id : given) (void)session_->in_flight.acknowledge(id);
  if (!session_->queue) return;
  for (const OutboundMessage& waiting : *session_->queue) {
    if (!waiting.share) continue;
    if (waiting.message) session_->queued_bytes -= waiting.message->size_bytes();
    give_back(waiting);
  }
  std::erase_if(*session_->queue, [](const OutboundMessage& waiting) { return waiting.share != nullptr; });
  if (session_->queue->empty()) session_->queue.reset();
}

}  // namespace millrace::mqtt

// A loop's sessions: their place in the tree and in shared subscriptions, those without a connection, how they move to
// another loop, and how they end.
#include <algorithm>

#include "base/assert.h"
#include "mqtt/protocol/text.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/session/session_record.h"

namespace millrace::mqtt {

void LoopServer::count_subscriptions(std::ptrdiff_t change) {
  const auto delta = static_cast<std::size_t>(change);  // wraps around for a negative one, as atomics do
  peer(loop_).subscriptions.fetch_add(delta, std::memory_order_relaxed);
  exchange_.subscriptions.fetch_add(delta, std::memory_order_relaxed);
  exchange_.metrics.subscriptions.add(change);
}

void LoopServer::subscribe(Session& session, const Subscription& subscription, Task done) {
  if (!subscription.share) {
    add_to_tree(session, subscription);
    if (session.logged() && subscription.options.maximum_qos != 0) {
      return add_logged_filter(subscription.filter, std::move(done));
    }
    return done();
  }
  subscribe_share(session, subscription, std::move(done));
}

void LoopServer::unsubscribe(Session& session, const Subscription& subscription) {
  if (!subscription.share) {
    if (tree_.remove(subscription.filter, {.session = &session})) count_subscriptions(-1);
    if (session.logged() && subscription.options.maximum_qos != 0) remove_logged_filter(subscription.filter);
    return;
  }
  leave_share(subscription.share, session.client_id());
}

void LoopServer::add_to_tree(Session& session, const Subscription& subscription) {
  const Subscriber subscriber{&session, nullptr, subscription.identifier, subscription.options, subscription.since};
  if (tree_.add(subscription.filter, subscriber)) count_subscriptions(1);
}

void LoopServer::attach(Session& session) {
  if (session.home != this) {
    session.home = this;
    session.match_stamp = 0;  // stamps of another loop mean nothing here
    for (const Subscription& subscription : session.subscriptions) {
      if (!subscription.share) add_to_tree(session, subscription);
    }
    if (session.logged()) {
      feed_.watch();
      if (session.fed_until == kNoOffset) session.fed_until = feed_.position();  // a new one
      catch_up(session);
    }
  }
  for (const Subscription& subscription : session.subscriptions) {
    if (subscription.share && session.connection() != nullptr) subscribe(session, subscription, [] {});
  }
}

void LoopServer::detach(Session& session) {
  end_spilling(session);
  if (session.home != this) return;
  for (const Subscription& subscription : session.subscriptions) {
    if (!subscription.share && tree_.remove(subscription.filter, {.session = &session})) count_subscriptions(-1);
  }
  if (session.logged()) {
    session.fed_until = std::max(session.fed_until, feed_.position());
    feed_.unwatch();
  }
  session.home = nullptr;
}

void LoopServer::end_session_state(Session& session, Receipt receipt) {
  detach(session);
  session.in_flight.for_each([&](std::uint16_t, FlightState, std::uint8_t, const OutboundMessage* kept) {
    // What it had begun to receive must not begin again elsewhere [MQTT-4.8.2-5].
    if (kept != nullptr && kept->is_reported()) {
      report({kept->share, kept->offset, ShareReport::Outcome::settled, {}});
    }
  });
  for (const Subscription& subscription : session.subscriptions) {
    if (subscription.share) leave_share(subscription.share, session.client_id());
  }
  std::string delivery_id;
  session.received.for_each([&](std::uint16_t packet_id, DeliveryState) {
    delivery_id.clear();
    append_delivery_id(delivery_id, session.client_id(), packet_id);
    receiver_.release(delivery_id, Receipt{}, *this);
  });
  if (!session.logged()) return;
  for (const Subscription& subscription : session.subscriptions) {
    if (!subscription.share && subscription.options.maximum_qos != 0) remove_logged_filter(subscription.filter);
  }
  const OwnRecord tombstone{kSessionTopic, as_bytes(session.client_id()), std::nullopt};
  receiver_.store({&tombstone, 1}, receipt, *this);
}

void LoopServer::end_session_state(Session& session, Settled settled) {
  if (!settled || !session.logged()) {
    end_session_state(session);
    if (settled) settled(ReceiptStatus::durable);
    return;
  }
  end_session_state(session, admin_receipt(std::move(settled)));
}

Settled LoopServer::take_watch(ConnectionId id) {
  if (watched_ends_.empty()) return {};
  const auto watch = watched_ends_.extract(id.value());
  return watch.empty() ? Settled() : std::move(watch.mapped());
}

void LoopServer::hand_over(std::string client_id, Claimant claimant, std::unique_ptr<Session> session) {
  if (session) detach(*session);
  Peer& there = peer(loop_of(claimant.connection));
  there.executor->post(
      [server = there.server, claimant, client_id = std::move(client_id), session = std::move(session)]() mutable {
        Connection* connection = server->table_.find(claimant.connection);
        if (connection == nullptr || !connection->granted(session)) {
          // Gone meanwhile, after it had become the owner: the next one who waits, or the store.
          server->release_identifier(std::move(client_id), std::move(session));
          return;
        }
        // Someone may have claimed it before this owner knew that it is one.
        if (const auto waiting = server->registry().claimant(client_id)) connection->give_up(waiting->clean_start);
      });
}

void LoopServer::release_identifier(std::string client_id, std::unique_ptr<Session> session) {
  SessionRegistry::Keep keep;
  if (session) {
    const MonoTime now = exchange_.clock.mono();
    keep.at = {loop_, session->serial};
    keep.ends_at = SessionRegistry::after(now, session->expiry_s());
    if (session->will) {
      keep.will_at = std::min(SessionRegistry::after(now, session->will->delay_s), keep.ends_at);
    }
    // In its place before the registry tells of it.
    keep_absent(std::move(session));
  }
  const std::uint64_t serial = keep.at.serial;
  const auto next = exchange_.registry.release(client_id, serial != 0 ? &keep : nullptr);
  if (!next) return;
  std::unique_ptr<Session> back = serial != 0 ? take_absent(client_id, serial) : nullptr;
  hand_over(std::move(client_id), *next, std::move(back));
}

void LoopServer::keep_absent(std::unique_ptr<Session> session) {
  if (session->logged()) {
    session->in_flight.forget_logged_bodies();
    attach(*session);
  }
  auto& place = absent_[session->client_id()];
  if (place) end_session_state(*place);  // one that has expired and not yet been collected
  place = std::move(session);
}

std::unique_ptr<Session> LoopServer::take_absent(std::string_view client_id, std::uint64_t serial) {
  const auto at = absent_.find(client_id);
  if (at == absent_.end() || at->second->serial != serial) return nullptr;
  std::unique_ptr<Session> session = std::move(at->second);
  absent_.erase(at);
  return session;
}

void LoopServer::fetch_absent(std::string client_id, StoredSession stored, Claimant claimant) {
  Peer& home = peer(stored.loop);
  home.executor->post([server = home.server, client_id = std::move(client_id), stored, claimant]() mutable {
    auto session = server->take_absent(client_id, stored.serial);
    server->hand_over(std::move(client_id), claimant, std::move(session));
  });
}

void LoopServer::take_due_sessions() {
  for (SessionRegistry::Due& due : exchange_.registry.take_due(exchange_.clock.mono())) {
    Peer& home = peer(due.session.loop);
    home.executor->post([server = home.server, due = std::move(due)] { server->end_absent(due); });
  }
}

void LoopServer::end_absent(const SessionRegistry::Due& due, Settled settled) {
  const auto at = absent_.find(due.client_id);
  if (at == absent_.end() || at->second->serial != due.session.serial) {
    if (settled) settled(ReceiptStatus::durable);
    return;
  }
  if (at->second->will) {
    publish_will(*at->second);
  }
  if (!due.ended) return;
  exchange_.metrics.expired_sessions.add();
  end_session_state(*at->second, std::move(settled));
  absent_.erase(at);
}

void LoopServer::adopt(std::unique_ptr<Session> session, std::uint32_t ends_in_s,
                       std::optional<std::uint32_t> will_in_s) {
  session->serial = next_serial();
  const MonoTime now = exchange_.clock.mono();
  SessionRegistry::Keep keep{{loop_, session->serial}, SessionRegistry::after(now, ends_in_s)};
  if (will_in_s) keep.will_at = SessionRegistry::after(now, *will_in_s);
  if (session->will) give_access(*session);
  exchange_.registry.restore(session->client_id(), keep);
  for (const Subscription& subscription : session->subscriptions) {
    if (!session->logged() || subscription.share || subscription.options.maximum_qos == 0) continue;
    for (const auto& other : exchange_.peers) other->server->logged_filters_.add(subscription.filter);
  }
  keep_absent(std::move(session));
}

}  // namespace millrace::mqtt

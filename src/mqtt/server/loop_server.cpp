#include "mqtt/server/loop_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace millrace::mqtt {

LoopServer::LoopServer(std::size_t loop, Exchange& exchange, MessageReceiver& receiver, std::uint64_t seed)
    : loop_(loop),
      exchange_(exchange),
      receiver_(receiver),
      rng_(seed),
      started_(exchange.clock.mono()),
      table_(loop) {}

LoopServer::~LoopServer() = default;

void LoopServer::accept(std::unique_ptr<net::Stream> stream) {
  if (stopping_) return;  // the stream's destructor closes it
  table_.emplace(*this, std::move(stream)).start();
}

std::string LoopServer::assigned_client_id() {
  return fmt::format("millrace-{:016x}{:016x}", rng_(), rng_());
}

// -- turning

void LoopServer::tick() {
  const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(exchange_.clock.mono() - started_);
  const auto now_s = static_cast<std::uint32_t>(elapsed.count()) + 1;
  const std::uint32_t slots = std::min(now_s - now_s_, DeadlineWheel::kSlots);
  for (std::uint32_t s = now_s - slots + 1; s <= now_s; ++s) {
    now_s_ = s;
    wheel_.turn(s, [&](ConnectionId id, std::uint32_t at_s) {
      if (Connection* connection = table_.find(id)) connection->check_deadline(at_s);
    });
  }
  if (loop_ == 0) take_due_sessions();
  if (stopping_) go_on_stopping();
}

void LoopServer::end_turn() {
  for (std::size_t i = 0; i < ending_.size(); ++i) {
    if (Connection* connection = table_.find(ending_[i])) connection->end_session();
  }
  ending_.clear();
  if (!outbox_.empty()) cross();
  add_metrics();
  if (stopping_) go_on_stopping();
}

void LoopServer::add_metrics() {
  if (received_bytes_ != 0) exchange_.metrics.received_bytes.add(std::exchange(received_bytes_, 0));
  for (std::size_t qos = 0; qos < received_.size(); ++qos) {
    if (received_[qos] != 0) exchange_.metrics.received[qos]->add(std::exchange(received_[qos], 0));
  }
  for (std::size_t qos = 0; qos < delivered_.size(); ++qos) {
    if (delivered_[qos] != 0) exchange_.metrics.delivered[qos]->add(std::exchange(delivered_[qos], 0));
  }
}

// -- receipts

void LoopServer::settle(std::span<const Receipt> receipts, ReceiptStatus status) {
  for (std::size_t from = 0; from < receipts.size();) {
    std::size_t to = from + 1;
    while (to < receipts.size() && receipts[to].connection == receipts[from].connection) ++to;
    if (Connection* connection = table_.find(ConnectionId(receipts[from].connection))) {
      connection->settle(receipts.subspan(from, to - from), status);
    }
    from = to;
  }
}

void LoopServer::relieved() {
  resume_all(pressed_, Connection::Pause::pressure);
}

void LoopServer::resume_all(std::vector<ConnectionId>& paused, Connection::Pause reason) {
  const std::vector<ConnectionId> waiting = std::exchange(paused, {});
  for (const ConnectionId id : waiting) {
    if (Connection* connection = table_.find(id)) connection->resume(reason);
  }
}

void LoopServer::forget_deliveries(const Session& session) {
  std::string delivery_id;
  session.received.for_each([&](std::uint16_t packet_id, DeliveryState) {
    delivery_id.clear();
    append_delivery_id(delivery_id, session.client_id(), packet_id);
    receiver_.release(delivery_id, Receipt{}, *this);
  });
}

// -- sessions

void LoopServer::count_subscriptions(std::ptrdiff_t change) {
  const auto delta = static_cast<std::size_t>(change);  // wraps around for a negative one, as atomics do
  peer(loop_).subscriptions.fetch_add(delta, std::memory_order_relaxed);
  exchange_.subscriptions.fetch_add(delta, std::memory_order_relaxed);
  exchange_.metrics.subscriptions.add(change);
}

bool LoopServer::subscribe(Session& session, const Subscription& subscription) {
  const bool added = tree_.add(subscription.filter, {&session, subscription.identifier, subscription.options});
  if (added) count_subscriptions(1);
  return added;
}

bool LoopServer::unsubscribe(Session& session, std::string_view filter) {
  const bool removed = tree_.remove(filter, session);
  if (removed) count_subscriptions(-1);
  return removed;
}

void LoopServer::attach(Session& session) {
  session.match_stamp = 0;  // stamps of another loop mean nothing here
  for (const Subscription& subscription : session.subscriptions) subscribe(session, subscription);
}

void LoopServer::detach(Session& session) {
  for (const Subscription& subscription : session.subscriptions) unsubscribe(session, subscription.filter);
}

void LoopServer::hand_over(std::string client_id, SessionRegistry::Handover handover) {
  Peer& claimant = peer(loop_of(handover.claimant.connection));
  claimant.executor->post([server = claimant.server, id = handover.claimant.connection,
                           client_id = std::move(client_id), session = std::move(handover.session)]() mutable {
    Connection* connection = server->table_.find(id);
    if (connection == nullptr || !connection->granted(session)) {
      // Gone meanwhile, after it had become the owner: the next one who waits, or the store.
      auto next = server->registry().release(client_id, std::move(session), server->mono());
      if (next) server->hand_over(std::move(client_id), std::move(*next));
      return;
    }
    // Someone may have claimed it before this owner knew that it is one.
    if (const auto waiting = server->registry().claimant(client_id)) connection->give_up(waiting->clean_start);
  });
}

void LoopServer::take_due_sessions() {
  SessionRegistry::Due due = exchange_.registry.take_due(exchange_.clock.mono());
  for (const auto& [client_id, will] : due.wills) publish_will(*will, client_id);
  for (const std::unique_ptr<Session>& session : due.ended) forget_deliveries(*session);
}

void LoopServer::publish_will(const StoredWill& will, std::string_view client_id) {
  MR_ASSERT(batch_.empty());
  const Message& stored = will.message->message();
  exchange_.metrics.wills.add();
  route(stored);
  DeviceMessage& message = batch_.add();
  message.topic = stored.topic;
  message.payload = stored.payload;
  message.client_id = client_id;
  message.received_at = exchange_.clock.wall();
  message.qos = stored.qos;
  message.retain = stored.retain;
  if (const auto properties = protocol::validate_properties(stored.properties, protocol::kWillProperties)) {
    batch_.set_properties(*properties);
  }
  hand_over();  // nobody waits for a will, so pressure has nobody to pause
}

// -- delivery

bool LoopServer::publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain) {
  if (!anyone_subscribed()) return false;
  return route(Message{topic, payload, {}, {}, ConnectionId{}, qos, retain});
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

bool LoopServer::deliver_here(const Message& message, SharedMessagePtr shared) {
  match_count_ = 0;
  ++match_stamp_;
  tree_.match(message.topic, [&](const Subscriber& subscriber) {
    Session& session = *subscriber.session;
    if (subscriber.options.no_local && message.publisher != ConnectionId{} &&
        session.connection()->id() == message.publisher) {
      return;  // [MQTT-3.8.3-3]
    }
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
  if (match_count_ == 0) return false;
  delivery_.begin(message, std::move(shared), now_s_);
  for (std::size_t i = 0; i < match_count_; ++i) matches_[i].session->connection()->deliver(delivery_, matches_[i]);
  return true;
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

// -- stopping

void LoopServer::begin_stop(std::move_only_function<void()> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  stop_deadline_ = exchange_.clock.mono() + exchange_.settings.stop_timeout;
  table_.for_each([](Connection& connection) { connection.pause(Connection::Pause::stopping); });
  go_on_stopping();
}

void LoopServer::go_on_stopping() {
  if (!stopped_) return;
  const MonoTime now = exchange_.clock.mono();
  if (!goodbye_said_) {
    bool all_settled = true;
    table_.for_each([&](Connection& connection) { all_settled = all_settled && connection.settled(); });
    if (!all_settled && now < stop_deadline_) return;
    goodbye_said_ = true;
    // From here on as long again for clients to take what was sent to them.
    stop_deadline_ = now + exchange_.settings.stop_timeout / 2;
    table_.for_each([](Connection& connection) { connection.say_goodbye(); });
    return;
  }
  if (table_.size() != 0) {
    if (now < stop_deadline_) return;
    table_.for_each([](Connection& connection) { connection.abort(); });
  }
  receiver_.detach(*this);
  std::exchange(stopped_, nullptr)();
}

void LoopServer::close_all() {
  table_.for_each([this](Connection& connection) { table_.erase(connection.id()); });
}

}  // namespace millrace::mqtt

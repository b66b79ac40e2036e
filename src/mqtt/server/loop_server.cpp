#include "mqtt/server/loop_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "mqtt/session/stored_message.h"

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
  if (loop_ == 0) {
    take_due_sessions();
    expire_retained();
    sys_topics_.publish(*this, exchange_, now_s_);
  }
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
  if (sent_bytes_ != 0) exchange_.metrics.sent_bytes.add(std::exchange(sent_bytes_, 0));
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

void LoopServer::subscribe(Session& session, const Subscription& subscription, Task done) {
  if (!subscription.share) {
    if (tree_.add(subscription.filter, {&session, nullptr, subscription.identifier, subscription.options})) {
      count_subscriptions(1);
    }
    return done();
  }
  const ShareMember member{session.connection()->id(), subscription.options, subscription.identifier};
  const auto join = [](LoopServer& home, const ShareNamePtr& share, const ShareMember& joining) {
    if (!home.shares_.join(share, joining)) return;
    home.count_subscriptions(1);
    home.exchange_.metrics.share_groups.add(1);
  };
  if (subscription.share->loop == loop_) {
    join(*this, subscription.share, member);
    return done();
  }
  Peer& home = peer(subscription.share->loop);
  home.executor->post([=, server = home.server, share = subscription.share, back = peer(loop_).executor,
                       done = std::move(done)]() mutable {
    join(*server, share, member);
    back->post(std::move(done));
  });
}

void LoopServer::unsubscribe(Session& session, const Subscription& subscription) {
  if (!subscription.share) {
    if (tree_.remove(subscription.filter, {.session = &session})) count_subscriptions(-1);
    return;
  }
  const auto leave = [](LoopServer& home, const ShareName& share, ConnectionId member) {
    if (!home.shares_.leave(share, member)) return;
    home.count_subscriptions(-1);
    home.exchange_.metrics.share_groups.add(-1);
  };
  const ConnectionId member = session.connection()->id();
  if (subscription.share->loop == loop_) return leave(*this, *subscription.share, member);
  Peer& home = peer(subscription.share->loop);
  home.executor->post([=, server = home.server, share = subscription.share] { leave(*server, *share, member); });
}

ShareNamePtr LoopServer::share_name(std::string_view name, std::string_view filter) const {
  const std::size_t hash = std::hash<std::string_view>{}(filter) * 31 + std::hash<std::string_view>{}(name);
  return std::make_shared<const ShareName>(hash % exchange_.peers.size(), std::string(name), std::string(filter));
}

void LoopServer::attach(Session& session) {
  session.match_stamp = 0;  // stamps of another loop mean nothing here
  for (const Subscription& subscription : session.subscriptions) subscribe(session, subscription, [] {});
}

void LoopServer::detach(Session& session) {
  for (const Subscription& subscription : session.subscriptions) unsubscribe(session, subscription);
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
  if (stored.retain && !retain(stored)) exchange_.metrics.dropped_quota.add();
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
  if (stored.retain) record_retained(stored, client_id);
  hand_over();  // nobody waits for a will, so pressure has nobody to pause
}

// -- delivery

bool LoopServer::publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain) {
  const Message message{topic, payload, {}, {}, ConnectionId{}, qos, retain};
  if (retain) keep_republished(message);
  return anyone_subscribed() && route(message);
}

void LoopServer::publish_of_its_own(std::string_view topic, ByteView payload) {
  const Message message{topic, payload, {}, {}, ConnectionId{}, 0, true};
  if (retain(message) && anyone_subscribed()) route(message);
}

bool LoopServer::retain(const Message& message) {
  using enum RetainedStore::Outcome;
  return exchange_.retained.with([&](RetainedStore& store) {
    const auto outcome = store.set(message, now_s_);
    exchange_.metrics.retained_messages.set(static_cast<std::int64_t>(store.size()));
    exchange_.metrics.retained_bytes.set(static_cast<std::int64_t>(store.size_bytes()));
    return outcome != full;
  });
}

void LoopServer::record_retained(const Message& message, std::string_view publisher) {
  if (!exchange_.durable) return;
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

bool LoopServer::deliver_here(const Message& message, SharedMessagePtr shared) {
  match_count_ = 0;
  ++match_stamp_;
  share_matches_.clear();
  tree_.match(message.topic, [&](const Subscriber& subscriber) {
    if (subscriber.share != nullptr) {
      share_matches_.push_back(subscriber.share);
      return;
    }
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
  if (match_count_ == 0 && share_matches_.empty()) return false;
  delivery_.begin(message, std::move(shared), now_s_);
  for (std::size_t i = 0; i < match_count_; ++i) matches_[i].session->connection()->deliver(delivery_, matches_[i]);
  for (ShareGroup* const group : share_matches_) deliver_shared(*group, delivery_, 0);
  return true;
}

// To one member, whichever loop it is on. One that turns out to be closing passes it on, a few times.
void LoopServer::deliver_shared(ShareGroup& group, Delivery& delivery, int tries) {
  constexpr int kTries = 8;
  if (group.empty() || tries > kTries) {
    exchange_.metrics.dropped_slow.add();
    return;
  }
  const ShareMember member = group.pick([this](const ShareMember& candidate) {
    if (loop_of(candidate.connection) != loop_) return true;
    const Connection* connection = find(candidate.connection);
    return connection != nullptr && connection->has_room();
  });
  const auto hand = [share = group.name(), member](Connection& connection, Delivery& handed, DeliveryMatch& match) {
    match.session = nullptr;
    match.qos = member.options.maximum_qos;
    match.retain_as_published = member.options.retain_as_published;
    match.identifiers.clear();
    if (member.identifier != 0) match.identifiers.push_back(member.identifier);
    match.share = share;
    return connection.deliver(handed, match);
  };
  if (loop_of(member.connection) == loop_) {
    Connection* connection = find(member.connection);
    if (connection == nullptr || !hand(*connection, delivery, share_match_)) deliver_shared(group, delivery, tries + 1);
    return;
  }
  Peer& there = peer(loop_of(member.connection));
  there.executor->post([=, server = there.server, share = group.name(), message = delivery.share()] {
    Connection* connection = server->find(member.connection);
    Delivery& handed = server->queue_delivery_;
    handed.begin(message->message(), message, server->now_s_);
    if (connection == nullptr || !hand(*connection, handed, server->share_match_)) {
      server->peer(share->loop).executor->post([home = server->peer(share->loop).server, share, message, tries] {
        home->share_here(share, message, tries + 1);
      });
    }
  });
}

void LoopServer::share_here(const ShareNamePtr& share, const SharedMessagePtr& message, int tries) {
  ShareGroup* group = shares_.find(*share);
  if (group == nullptr) return;
  Delivery delivery;
  delivery.begin(message->message(), message, now_s_);
  deliver_shared(*group, delivery, tries);
}

void LoopServer::share_again(const ShareNamePtr& share, SharedMessagePtr message) {
  Peer& home = peer(share->loop);
  home.executor->post(
      [=, server = home.server, message = std::move(message)] { server->share_here(share, message, 0); });
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

// What a loop does for persistent sessions beside delivering (decision 0009): which topics are logged, what a session
// that moved has missed, what nobody waits for any more.
#include <algorithm>

#include "mqtt/protocol/text.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/session/session_record.h"

namespace millrace::mqtt {

// A session that comes here brings everything below its fed_until; the feed is at its position. What lies between is
// matched now.
void LoopServer::catch_up(Session& session) {
  MessageReader reader;
  if (exchange_.settings.bug == SeededBug::move_without_catching_up) session.fed_until = feed_.position();
  while (session.fed_until < feed_.position()) {
    const auto next = reader.next(*feed_.partition(), session.fed_until, feed_.position());
    if (!next || !*next) break;
    const LoggedMessage& logged = **next;
    session.fed_until = logged.offset + 1;
    if (!logged.spill_key.empty()) continue;
    const auto wants = [&](const Subscription& subscription) {
      return !subscription.share && subscription.options.maximum_qos != 0 && logged.offset >= subscription.since &&
             !(subscription.options.no_local && session.client_id() == logged.message.publisher) &&
             protocol::matches_filter(subscription.filter, logged.message.topic);
    };
    if (std::ranges::any_of(session.subscriptions, wants)) session.backlog.push_back(logged.offset);
  }
  session.fed_until = std::max(session.fed_until, feed_.position());
}

void LoopServer::spill(Session& session, const Message& message) {
  if (!std::exchange(session.spilling, true)) feed_.watch();
  if (spilled_stamp_ != match_stamp_) {
    spilled_stamp_ = match_stamp_;
    const std::uint64_t number = spills_.open(spill_key_);
    stored_.clear();
    encode_stored(stored_, message, {}, exchange_.clock.wall());
    const OwnRecord record{kMessageTopic, spill_key_.view(), stored_.view()};
    receiver_.store({&record, 1}, Receipt{kOwnReceipt, number}, *this);
  }
  spills_.wait(session.connection()->id());
  ++session.spills_on_their_way;
  exchange_.metrics.spilled.add();
}

void LoopServer::hear_spilled(const LoggedMessage& logged) {
  for (const ConnectionId id : spills_.take(logged.spill_key)) {
    if (Connection* connection = table_.find(id)) connection->spilled(logged.offset);
  }
}

void LoopServer::end_spilling(Session& session) {
  if (!std::exchange(session.spilling, false)) return;
  session.backlog = {};
  session.spills_on_their_way = 0;
  feed_.unwatch();
}

void LoopServer::own_settled(const Receipt& receipt, ReceiptStatus status) {
  if (receipt.token == 0) return shares_stored(status);
  if ((receipt.token & kAdminToken) != 0) {
    const auto waiting = admin_waiting_.extract(receipt.token);
    if (!waiting.empty()) waiting.mapped()(status);
    return;
  }
  if (status != ReceiptStatus::quota) return;  // the feed brings it
  for (const ConnectionId id : spills_.take(receipt.token)) {
    if (Connection* connection = table_.find(id)) connection->cannot_spill();
  }
}

void LoopServer::add_logged_filter(const std::string& filter, Task done) {
  logged_filters_.add(filter);
  if (exchange_.peers.size() == 1) return done();
  struct Open {
    std::atomic<std::size_t> loops;
    Task done;
  };
  auto open = std::make_shared<Open>(exchange_.peers.size() - 1, std::move(done));
  for (std::size_t loop = 0; loop < exchange_.peers.size(); ++loop) {
    if (loop == loop_) continue;
    peer(loop).executor->post([server = peer(loop).server, back = peer(loop_).executor, filter, open] {
      server->logged_filters_.add(filter);
      if (--open->loops == 0) back->post([open] { open->done(); });
    });
  }
}

void LoopServer::remove_logged_filter(const std::string& filter) {
  logged_filters_.remove(filter);
  for (std::size_t loop = 0; loop < exchange_.peers.size(); ++loop) {
    if (loop == loop_) continue;
    peer(loop).executor->post([server = peer(loop).server, filter] { server->logged_filters_.remove(filter); });
  }
}

SharedMessagePtr LoopServer::read_logged(Offset offset, ReadAs as) {
  const auto logged = random_reader_.next(*feed_.partition(), offset, offset + 1);
  if (!logged || !*logged) return nullptr;
  const StoredMessage& stored = (*logged)->message;
  const auto message = stored.at(exchange_.clock.wall());
  if (!message && as == ReadAs::not_begun) return nullptr;
  const Message expired{stored.topic, stored.payload, stored.properties, {}, {}, stored.qos, stored.retain};
  return std::make_shared<const SharedMessage>(message.value_or(expired), now_s_);
}

void LoopServer::note_position(Session& session) const {
  if (session.home == this) session.fed_until = std::max(session.fed_until, feed_.position());
}

void LoopServer::forget_logged_filter(const Session& session, const Subscription& subscription) {
  if (!session.logged() || subscription.share || subscription.options.maximum_qos == 0) return;
  remove_logged_filter(subscription.filter);
}

// What lies below every session's cursor is deleted. A session on its way between two loops may be missed by one round,
// never by two, and cursors only grow: so what two rounds allow.
void LoopServer::trim_messages() {
  constexpr std::uint32_t kEverySeconds = 10;
  if (exchange_.log == nullptr || now_s_ - trimmed_s_ < kEverySeconds) return;
  trimmed_s_ = now_s_;
  struct Round {
    std::size_t open;
    Offset smallest;
  };
  auto round = std::make_shared<Round>(exchange_.peers.size(), exchange_.messages->high_watermark());
  for (const auto& other : exchange_.peers) {
    other->executor->post([this, server = other->server, round] {
      const auto cursor = server->smallest_cursor();
      executor_.post([this, round, cursor] {
        if (cursor) round->smallest = std::min(round->smallest, *cursor);
        if (--round->open != 0 || exchange_.log == nullptr) return;
        const Offset to = std::min(round->smallest, std::exchange(trimmable_, round->smallest));
        if (to <= exchange_.messages->log_start()) return;
        exchange_.log->delete_records({{exchange_.messages->name(), to}}, executor_, [](auto) {});
      });
    });
  }
}

std::optional<Offset> LoopServer::smallest_cursor() {
  std::optional<Offset> smallest;
  const auto count = [&](const Session& session) {
    if (!session.logged() && !session.spilling) return;
    const Offset fed = std::max(session.fed_until, session.home == this ? feed_.position() : Offset(0));
    const Offset cursor = session.cursor(fed);
    smallest = smallest ? std::min(*smallest, cursor) : cursor;
  };
  table_.for_each([&](Connection& connection) {
    if (const Session* session = connection.session()) count(*session);
  });
  for (const auto& [client_id, session] : absent_) count(*session);
  if (durable()) {
    shares_.for_each([&](const ShareGroup& group) {
      const Offset cursor = group.backlog.cursor(feed_.position());
      smallest = smallest ? std::min(*smallest, cursor) : cursor;
    });
  }
  return smallest;
}

}  // namespace millrace::mqtt

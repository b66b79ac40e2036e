// Shared subscriptions of the groups whose home this loop is (4.8.2). QoS 0, and everything while there is no log, is
// handed out live; QoS 1 and 2 come from the message topic (decision 0020), so that nothing is lost while no member is
// connected, and what a member leaves unacknowledged goes to another, after a kill -9 too.
#include <algorithm>

#include "base/log.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/session/session_record.h"

namespace millrace::mqtt {
namespace {

constexpr int kHandedPerTurn = 4'096;

}  // namespace

// -- members

void LoopServer::subscribe_share(Session& session, const Subscription& subscription, Task done) {
  const Connection& connection = *session.connection();
  ShareMember member{session.client_id(), connection.id(), subscription.options, subscription.identifier,
                     connection.window()};
  Peer& home = home_of(*subscription.share);
  if (home.server == this)
    return join_share(subscription.share, std::move(member), subscription.since, std::move(done));
  home.executor->post([server = home.server, share = subscription.share, member = std::move(member),
                       since = subscription.since, back = peer(loop_).executor, done = std::move(done)]() mutable {
    auto open = std::make_shared<Task>(std::move(done));
    server->join_share(share, std::move(member), since, [back, open] { back->post([open] { (*open)(); }); });
  });
}

void LoopServer::join_share(const ShareNamePtr& share, ShareMember member, Offset since, Task done) {
  bool made = false;
  ShareGroup& group = shares_.open(share, made);
  if (made) {
    count_subscriptions(1);
    exchange_.metrics.share_groups.add(1);
    if (durable()) {
      feed_.watch();
      group.backlog.begin(std::max(since, feed_.position()));
      share_changed(group);
    }
  }
  const bool is_new = group.join(std::move(member));
  if (!durable()) return done();
  share_goes_on(group);
  if (!is_new) return done();
  add_logged_filter(share->filter, std::move(done));  // once per member: none is answered before it holds everywhere
}

void LoopServer::restore_share(const ShareNamePtr& share, const ShareMember& member, const ShareRecord& record) {
  bool made = false;
  ShareGroup& group = shares_.open(share, made);
  if (made) {
    count_subscriptions(1);
    exchange_.metrics.share_groups.add(1);
    feed_.watch();
    group.backlog.begin(record.next);
    for (const Offset offset : record.unsettled) group.backlog.restore(offset);
  }
  if (!group.join(member)) return;
  for (const auto& other : exchange_.peers) other->server->logged_filters_.add(share->filter);
}

void LoopServer::leave_share(const ShareNamePtr& share, std::string_view client_id) {
  Peer& home = home_of(*share);
  if (home.server != this) {
    return home.executor->post(
        [server = home.server, share, client = std::string(client_id)] { server->leave_share(share, client); });
  }
  ShareGroup* const group = shares_.find(*share);
  if (group == nullptr || !group->leave(client_id)) return;
  if (durable()) remove_logged_filter(share->filter);
  if (!group->empty()) return;
  count_subscriptions(-1);
  exchange_.metrics.share_groups.add(-1);
  std::erase(changed_shares_, group);
  std::erase(going_shares_, group);
  shares_.close(*share);
  if (!durable()) return;
  feed_.unwatch();
  const std::string key = std::string(kShareKeyPrefix) + share->key;
  const OwnRecord tombstone{kSessionTopic, as_bytes(key), std::nullopt};
  receiver_.store({&tombstone, 1}, Receipt{}, *this);
}

void LoopServer::leave_shares(Session& session, ConnectionId member, bool for_good) {
  for (const Subscription& subscription : session.subscriptions) {
    if (!subscription.share) continue;
    if (for_good || !durable()) {
      leave_share(subscription.share, session.client_id());
      continue;
    }
    Peer& home = home_of(*subscription.share);
    const auto go = [server = home.server, share = subscription.share, member] {
      if (ShareGroup* group = server->shares_.find(*share)) group->away(member);
    };
    if (home.server == this) {
      go();
    } else {
      home.executor->post(go);
    }
  }
}

// -- from the log

void LoopServer::hear_shared(ShareGroup& group, Delivery& delivery, Offset offset) {
  if (offset < group.backlog.fed_until()) return;
  share_changed(group);
  const bool at_once = group.backlog.empty();
  group.backlog.add(offset);
  if (at_once) {
    hand_next(group, delivery);
  } else {
    share_goes_on(group);
  }
}

void LoopServer::share_changed(ShareGroup& group) {
  if (!std::exchange(group.changed, true)) changed_shares_.push_back(&group);
}

void LoopServer::share_goes_on(ShareGroup& group) {
  if (group.backlog.empty() || std::ranges::find(going_shares_, &group) != going_shares_.end()) return;
  going_shares_.push_back(&group);
  executor_.post([] {});  // there is an end of a turn
}

// The message of backlog.next() to a member with room; false when nobody has any.
bool LoopServer::hand_next(ShareGroup& group, Delivery& delivery) {
  const Offset offset = group.backlog.next();
  for (;;) {
    ShareMember* const member = group.pick([](const ShareMember& m) { return m.handed < m.window; });
    if (member == nullptr) return false;
    const bool counts = std::min(delivery.message().qos, member->options.maximum_qos) != 0;
    const ConnectionId connection = member->connection;
    if (loop_of(connection) == loop_) {
      Connection* const here = find(connection);
      if (here == nullptr || !here->deliver_shared(delivery, match_of(*member, group.name(), share_match_), offset)) {
        group.away(connection);
        continue;
      }
    } else {
      Peer& there = peer(loop_of(connection));
      there.executor->post(
          [=, server = there.server, share = group.name(), copy = *member, message = delivery.share()] {
            Connection* const found = server->find(connection);
            Delivery& handed = server->queue_delivery_;
            handed.begin(message->message(), message, server->now_s_);
            if (found != nullptr &&
                found->deliver_shared(handed, server->match_of(copy, share, server->share_match_), offset)) {
              return;
            }
            server->report({share, offset, ShareReport::Outcome::refused, connection});
          });
    }
    if (counts) {
      ++member->handed;
      group.backlog.hand_next(member->serial);
    } else {
      group.backlog.drop_next();
    }
    return true;
  }
}

const DeliveryMatch& LoopServer::match_of(const ShareMember& member, const ShareNamePtr& share, DeliveryMatch& match) {
  match.session = nullptr;
  match.qos = member.options.maximum_qos;
  match.retain_as_published = member.options.retain_as_published;
  match.identifiers.clear();
  if (member.identifier != 0) match.identifiers.push_back(member.identifier);
  match.share = share;
  return match;
}

void LoopServer::hand_out(ShareGroup& group) {
  for (int i = 0; !group.backlog.empty(); ++i) {
    if (i == kHandedPerTurn) return share_goes_on(group);
    const SharedMessagePtr body = read_logged(group.backlog.next(), ReadAs::not_begun);
    if (!body) {  // expired, or older than the log keeps
      exchange_.metrics.dropped_expired.add();
      group.backlog.drop_next();
      share_changed(group);
      continue;
    }
    share_delivery_.begin(body->message(), body, now_s_);
    if (!hand_next(group, share_delivery_)) return;
    share_changed(group);
  }
}

// -- what became of it

void LoopServer::report(const ShareReport& report) {
  reports_.push_back(report);
  executor_.post([] {});  // there is an end of a turn
}

void LoopServer::send_reports() {
  std::vector<std::vector<ShareReport>> by_loop(exchange_.peers.size());
  for (ShareReport& report : std::exchange(reports_, {})) {
    by_loop[report.share->hash % by_loop.size()].push_back(std::move(report));
  }
  for (std::size_t loop = 0; loop < by_loop.size(); ++loop) {
    if (by_loop[loop].empty()) continue;
    if (loop == loop_) {
      take_reports(by_loop[loop]);
    } else {
      peer(loop).executor->post(
          [server = peer(loop).server, reports = std::move(by_loop[loop])] { server->take_reports(reports); });
    }
  }
}

void LoopServer::take_reports(const std::vector<ShareReport>& reports) {
  for (const ShareReport& report : reports) {
    ShareGroup* const group = shares_.find(*report.share);
    using enum ShareReport::Outcome;
    if (report.outcome == settled_exactly_once) {
      // Asked again after a reconnect it is answered again, by the next record or at once when there is no group.
      if (group != nullptr) {
        group->to_confirm.push_back({report.connection, report.offset});
        share_changed(*group);
      } else {
        with_connection(report.connection, [share = report.share, offset = report.offset](Connection& connection) {
          connection.share_recorded(*share, offset);
        });
      }
    }
    if (group == nullptr) continue;
    if (report.outcome == refused) group->away(report.connection);
    const bool back = report.outcome == given_back || report.outcome == refused;
    const auto holder = back ? group->backlog.give_back(report.offset) : group->backlog.settle(report.offset);
    if (!holder) continue;
    if (ShareMember* member = group->by_serial(*holder); member != nullptr && member->handed != 0) --member->handed;
    share_changed(*group);
    share_goes_on(*group);
  }
}

// About once a second: what is settled need not be handed out again after a crash.
void LoopServer::store_shares() {
  if (changed_shares_.empty() || storing_shares_) return;
  std::vector<std::string> keys;
  std::vector<Buffer> values;
  confirming_.clear();
  for (ShareGroup* const group : std::exchange(changed_shares_, {})) {
    group->changed = false;
    keys.push_back(std::string(kShareKeyPrefix) + group->name()->key);
    if (exchange_.settings.bug == SeededBug::record_without_handed) {
      ShareBacklog forgetful;
      forgetful.encode(values.emplace_back(), group->backlog.fed_until());
    } else {
      group->backlog.encode(values.emplace_back(), feed_.position());
    }
    for (const ShareGroup::Confirmation& one : std::exchange(group->to_confirm, {})) {
      confirming_.push_back({group->name(), one.offset, ShareReport::Outcome::settled_exactly_once, one.connection});
    }
    stored_shares_.push_back(group->name());
  }
  std::vector<OwnRecord> records;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    records.push_back({kSessionTopic, as_bytes(keys[i]), values[i].view()});
  }
  storing_shares_ = true;
  receiver_.store(records, Receipt{kOwnReceipt, 0}, *this);
}

void LoopServer::shares_stored(ReceiptStatus status) {
  storing_shares_ = false;
  const bool refused = status == ReceiptStatus::quota;  // tried again
  for (const ShareNamePtr& share : std::exchange(stored_shares_, {})) {
    ShareGroup* const group = shares_.find(*share);
    if (group != nullptr && refused) share_changed(*group);
  }
  for (const ShareReport& one : std::exchange(confirming_, {})) {
    if (refused) {
      report(one);
      continue;
    }
    with_connection(one.connection, [share = one.share, offset = one.offset](Connection& connection) {
      connection.share_recorded(*share, offset);
    });
  }
}

// -- live

// To one member, whichever loop it is on. One that turns out to be closing passes it on, a few times.
void LoopServer::deliver_shared(ShareGroup& group, Delivery& delivery, int tries) {
  constexpr int kTries = 8;
  const auto has_room = [this](const ShareMember& candidate) {
    if (loop_of(candidate.connection) != loop_) return true;
    const Connection* connection = find(candidate.connection);
    return connection != nullptr && connection->has_room();
  };
  const ShareMember* member = group.pick(has_room);
  if (member == nullptr) member = group.pick([](const ShareMember&) { return true; });
  if (member == nullptr || tries > kTries) {
    exchange_.metrics.dropped_slow.add();
    return;
  }
  const ConnectionId id = member->connection;
  if (loop_of(id) == loop_) {
    Connection* connection = find(id);
    if (connection == nullptr || !connection->deliver(delivery, match_of(*member, group.name(), share_match_))) {
      deliver_shared(group, delivery, tries + 1);
    }
    return;
  }
  Peer& there = peer(loop_of(id));
  there.executor->post([=, server = there.server, share = group.name(), copy = *member, message = delivery.share()] {
    Connection* connection = server->find(id);
    Delivery& handed = server->queue_delivery_;
    handed.begin(message->message(), message, server->now_s_);
    if (connection != nullptr && connection->deliver(handed, server->match_of(copy, share, server->share_match_))) {
      return;
    }
    Peer& home = server->home_of(*share);
    home.executor->post(
        [server = home.server, share, message, tries] { server->share_here(share, message, tries + 1); });
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
  Peer& home = home_of(*share);
  home.executor->post(
      [=, server = home.server, message = std::move(message)] { server->share_here(share, message, 0); });
}

}  // namespace millrace::mqtt

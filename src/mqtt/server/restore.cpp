#include "mqtt/server/restore.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/server/topic_replay.h"
#include "mqtt/session/session_record.h"
#include "mqtt/session/stored_message.h"

namespace millrace::mqtt {

Result<void> restore_retained(const topics::TopicLog& log, Exchange& exchange) {
  const WallTime now = exchange.clock.wall();
  return exchange.retained.with([&](RetainedStore& store) -> Result<void> {
    std::size_t refused = 0;
    MR_TRY(replay_topic(log, kRetainedTopic, [&](const ReadRecord& record) -> Result<void> {
      if (!record.record.key) return {};
      Message message;
      std::string owner;
      if (record.record.value) {
        MR_TRY_ASSIGN(const StoredMessage stored, decode_stored(*record.record.value));
        message = stored.at(now).value_or(Message{});
        owner = stored.publisher;
      }
      message.topic = as_text(*record.record.key);
      message.retain = true;
      if (store.set(message, 1, owner) == RetainedStore::Outcome::full) ++refused;
      return {};
    }));
    exchange.metrics.retained_messages.set(static_cast<std::int64_t>(store.size()));
    exchange.metrics.retained_bytes.set(static_cast<std::int64_t>(store.size_bytes()));
    if (refused != 0) log::warn("mqtt_retained_messages_over_limit", {{"left_out", refused}});
    return {};
  });
}

namespace {

// A shared subscription that comes back, with what must not be handed out (again): a member has it, or has completed
// it.
struct RestoredShare {
  ShareNamePtr name;
  ShareRecord record;
  std::set<Offset> with_members;
  std::vector<const Session*> members;
};
using RestoredShares = std::map<std::string, RestoredShare, std::less<>>;

RestoredShares gather_shares(const SessionRecords& records) {
  RestoredShares shares;
  for (const auto& [client_id, restored] : records.sessions) {
    const Session& session = *restored.session;
    for (const Subscription& subscription : session.subscriptions) {
      if (!subscription.share) continue;
      RestoredShare& share = shares[subscription.share->key];
      const bool first = share.members.empty();
      share.name = subscription.share;
      share.members.push_back(&session);
      if (const auto known = records.shares.find(subscription.share->key); known != records.shares.end()) {
        share.record = known->second;
      } else {  // died before its first record
        share.record.next = first ? subscription.since : std::min(share.record.next, subscription.since);
      }
    }
  }
  const auto exclude = [&](const ShareName& name, Offset offset) {
    if (const auto share = shares.find(name.key); share != shares.end()) share->second.with_members.insert(offset);
  };
  for (const auto& [client_id, restored] : records.sessions) {
    for (const SharedDone& done : restored.session->shared_done) exclude(*done.share, done.offset);
    restored.session->in_flight.for_each([&](std::uint16_t, FlightState, std::uint8_t, const OutboundMessage* kept) {
      if (kept != nullptr && kept->is_reported()) exclude(*kept->share, kept->offset);
    });
  }
  for (auto& [key, share] : shares) {
    std::erase_if(share.record.unsettled, [&](Offset offset) { return share.with_members.contains(offset); });
  }
  return shares;
}

void restore_members(const RestoredShares& shares, Exchange& exchange) {
  for (const auto& [key, share] : shares) {
    LoopServer& home = *exchange.peers[share.name->hash % exchange.peers.size()]->server;
    for (const Session* const session : share.members) {
      const auto own = std::ranges::find_if(session->subscriptions, [&](const Subscription& subscription) {
        return subscription.share && subscription.share->key == key;
      });
      const ShareMember member{session->client_id(), ConnectionId{}, own->options, own->identifier};
      home.restore_share(share.name, member, share.record);
    }
  }
}

// One pass over the message topic, from the first offset that anybody waits for, against all sessions and shared
// subscriptions at once.
Result<void> restore_backlogs(Exchange& exchange, SessionRecords& records, const RestoredShares& shares) {
  topics::Partition& partition = *exchange.messages;
  SubscriptionTree tree;
  Offset from = partition.high_watermark();
  for (auto& [client_id, restored] : records.sessions) {
    Session& session = *restored.session;
    if (!session.logged()) continue;
    from = std::min(from, session.fed_until);
    for (const Subscription& subscription : session.subscriptions) {
      if (subscription.share || subscription.options.maximum_qos == 0) continue;
      tree.add(subscription.filter, {&session, nullptr, 0, subscription.options, subscription.since});
    }
  }
  std::map<const ShareGroup*, const RestoredShare*> restored_groups;
  std::vector<ShareGroup*> groups;
  for (const auto& [key, share] : shares) {
    LoopServer& home = *exchange.peers[share.name->hash % exchange.peers.size()]->server;
    groups.push_back(home.find_share(*share.name));
    restored_groups[groups.back()] = &share;
    from = std::min(from, share.record.next);
    tree.add(share.name->filter, {.share = groups.back()});
  }
  std::uint64_t stamp = 0;
  const auto match = [&](const ReadRecord& record) -> Result<void> {
    if (!record.record.value || record.record.key) return {};
    MR_TRY_ASSIGN(const StoredMessage message, decode_stored(*record.record.value));
    ++stamp;
    tree.match(message.topic, [&](const Subscriber& subscriber) {
      if (subscriber.share != nullptr) {
        ShareBacklog& backlog = subscriber.share->backlog;
        const bool theirs = restored_groups[subscriber.share]->with_members.contains(record.offset);
        if (record.offset >= backlog.fed_until() && !theirs) backlog.add(record.offset);
        return;
      }
      Session& session = *subscriber.session;
      if (session.match_stamp == stamp || record.offset < session.fed_until || record.offset < subscriber.since) return;
      if (subscriber.options.no_local && session.client_id() == message.publisher) return;
      session.match_stamp = stamp;
      session.backlog.push_back(record.offset);
    });
    return {};
  };
  if (tree.size() != 0) MR_TRY(replay_partition(partition, from, match));
  for (auto& [client_id, restored] : records.sessions) restored.session->fed_until = partition.high_watermark();
  for (ShareGroup* const group : groups) group->backlog.pass(partition.high_watermark());
  return {};
}

// Seconds until it ends, as of `now`; a session whose messages the log no longer has ends at once, which its client is
// told by Session Present 0.
std::uint32_t ends_in_s(const RestoredSession& restored, WallTime now, Offset log_start) {
  const Session& session = *restored.session;
  if (session.logged() && session.cursor(session.position()) < log_start) return 0;
  if (session.expiry_s() == kNeverExpires || !restored.disconnected_at) return session.expiry_s();
  const std::int64_t gone_s = std::max<std::int64_t>((now - *restored.disconnected_at).count() / 1000, 0);
  return gone_s >= session.expiry_s() ? 0 : session.expiry_s() - static_cast<std::uint32_t>(gone_s);
}

// When a will is due, in seconds: the delay counts from the moment the connection was lost (3.1.3.2.2), which for a
// client that was connected is that of the crash, told by nobody: so it counts from now.
std::uint32_t will_in_s(const RestoredSession& restored, WallTime now) {
  const std::uint32_t delay_s = restored.session->will->delay_s;
  if (!restored.disconnected_at) return delay_s;
  const std::int64_t gone_s = std::max<std::int64_t>((now - *restored.disconnected_at).count() / 1000, 0);
  return gone_s >= delay_s ? 0 : delay_s - static_cast<std::uint32_t>(gone_s);
}

}  // namespace

Result<void> SessionRecords::add(std::string_view key, const std::optional<ByteView>& value) {
  if (key.starts_with(kShareKeyPrefix)) {
    key.remove_prefix(kShareKeyPrefix.size());
    if (value) {
      MR_TRY_ASSIGN(shares[std::string(key)], decode_share(*value));
    } else if (const auto at = shares.find(key); at != shares.end()) {
      shares.erase(at);
    }
    return {};
  }
  if (key.starts_with(kWillKeyPrefix)) {
    if (!value) {
      wills.erase(std::string(key));
      return {};
    }
    MR_TRY_ASSIGN(auto will, decode_will(*value));
    will->record_key = std::string(key);
    wills[will->record_key] = std::move(will);
    return {};
  }
  if (value) {
    MR_TRY_ASSIGN(sessions[std::string(key)], decode_session(key, *value));
  } else if (const auto at = sessions.find(key); at != sessions.end()) {
    sessions.erase(at);
  }
  return {};
}

Result<SessionRecords> read_sessions(const topics::TopicLog& log) {
  SessionRecords records;
  MR_TRY(replay_topic(log, kSessionTopic, [&](const ReadRecord& record) -> Result<void> {
    return record.record.key ? records.add(as_text(*record.record.key), record.record.value) : Result<void>{};
  }));
  return records;
}

Result<void> restore_sessions(SessionRecords records, Exchange& exchange, std::span<const std::string> delivery_ids) {
  auto& sessions = records.sessions;
  for (const std::string& id : delivery_ids) {
    const auto delivery = parse_delivery_id(id);
    if (!delivery) {
      log::warn("mqtt_delivery_id_not_understood", {{"bytes", id.size()}});
      continue;
    }
    RestoredSession& restored = sessions[std::string(delivery->client_id)];
    if (!restored.session) {
      restored.session = std::make_unique<Session>(std::string(delivery->client_id), kNeverExpires);
    }
    restored.session->received.set(delivery->packet_id, DeliveryState::recorded);
  }
  const WallTime now = exchange.clock.wall();
  const Offset log_start = exchange.messages ? exchange.messages->log_start() : Offset(0);
  std::map<std::string_view, std::uint32_t> ends;
  for (const auto& [client_id, restored] : sessions) ends[client_id] = ends_in_s(restored, now, log_start);
  if (exchange.messages) {
    const RestoredShares shares = gather_shares(records);
    restore_members(shares, exchange);
    MR_TRY(restore_backlogs(exchange, records, shares));
  }
  std::size_t next = 0;
  for (auto& [client_id, restored] : sessions) {
    const std::uint32_t ends_in = ends[client_id];
    std::optional<std::uint32_t> will_in;
    if (restored.session->will) will_in = std::min(will_in_s(restored, now), ends_in);
    exchange.peers[next++ % exchange.peers.size()]->server->adopt(std::move(restored.session), ends_in, will_in);
  }
  for (auto& [key, will] : records.wills) {
    const auto parts = parse_will_key(key);
    if (!parts) return fail(ErrorCode::corrupt, "a will's record under a key that names no client");
    exchange.last_serial = std::max(exchange.last_serial.load(), parts->serial);
    auto session = std::make_unique<Session>(std::string(parts->client_id), 0);
    session->will = std::move(will);
    exchange.peers[next++ % exchange.peers.size()]->server->adopt_will(std::move(session));
  }
  return {};
}

}  // namespace millrace::mqtt

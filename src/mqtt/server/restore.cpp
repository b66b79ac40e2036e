#include "mqtt/server/restore.h"

#include <algorithm>
#include <map>

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
      if (record.record.value) {
        MR_TRY_ASSIGN(const StoredMessage stored, decode_stored(*record.record.value));
        message = stored.at(now).value_or(Message{});
      }
      message.topic = as_text(*record.record.key);
      message.retain = true;
      if (store.set(message, 1) == RetainedStore::Outcome::full) ++refused;
      return {};
    }));
    exchange.metrics.retained_messages.set(static_cast<std::int64_t>(store.size()));
    exchange.metrics.retained_bytes.set(static_cast<std::int64_t>(store.size_bytes()));
    if (refused != 0) log::warn("mqtt_retained_messages_over_limit", {{"left_out", refused}});
    return {};
  });
}

namespace {

// One pass over the message topic, from the first offset that anybody waits for, against all sessions at once.
Result<void> restore_backlogs(topics::Partition& partition, SessionRecords& sessions) {
  SubscriptionTree tree;
  Offset from = partition.high_watermark();
  for (auto& [client_id, restored] : sessions) {
    Session& session = *restored.session;
    if (!session.logged()) continue;
    from = std::min(from, session.fed_until);
    for (const Subscription& subscription : session.subscriptions) {
      if (subscription.filter.starts_with("$share/") || subscription.options.maximum_qos == 0) continue;
      tree.add(subscription.filter, {&session, nullptr, 0, subscription.options, subscription.since});
    }
  }
  std::uint64_t stamp = 0;
  const auto match = [&](const ReadRecord& record) -> Result<void> {
    if (!record.record.value) return {};
    MR_TRY_ASSIGN(const StoredMessage message, decode_stored(*record.record.value));
    ++stamp;
    tree.match(message.topic, [&](const Subscriber& subscriber) {
      Session& session = *subscriber.session;
      if (session.match_stamp == stamp || record.offset < session.fed_until || record.offset < subscriber.since) return;
      if (subscriber.options.no_local && session.client_id() == message.publisher) return;
      session.match_stamp = stamp;
      session.backlog.push_back(record.offset);
    });
    return {};
  };
  if (tree.size() != 0) MR_TRY(replay_partition(partition, from, match));
  for (auto& [client_id, restored] : sessions) restored.session->fed_until = partition.high_watermark();
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

}  // namespace

Result<SessionRecords> read_sessions(const topics::TopicLog& log) {
  SessionRecords sessions;
  MR_TRY(replay_topic(log, kSessionTopic, [&](const ReadRecord& record) -> Result<void> {
    if (!record.record.key) return {};
    const std::string_view client_id = as_text(*record.record.key);
    if (!record.record.value) {
      if (const auto at = sessions.find(client_id); at != sessions.end()) sessions.erase(at);
      return {};
    }
    MR_TRY_ASSIGN(sessions[std::string(client_id)], decode_session(client_id, *record.record.value));
    return {};
  }));
  return sessions;
}

Result<void> restore_sessions(SessionRecords sessions, Exchange& exchange, std::span<const std::string> delivery_ids) {
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
  if (exchange.messages) MR_TRY(restore_backlogs(*exchange.messages, sessions));
  std::size_t next = 0;
  for (auto& [client_id, restored] : sessions) {
    exchange.peers[next++ % exchange.peers.size()]->server->adopt(std::move(restored.session), ends[client_id]);
  }
  return {};
}

}  // namespace millrace::mqtt

// What a loop does for people: lifecycle events, the state of its sessions, messages of an administrator, traces.
#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "mqtt/protocol/text.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

void LoopServer::tell(LifecycleEvent event, const EventSubject& subject, const EventCause& cause,
                      const std::vector<std::string>& topics) {
  if (!exchange_.settings.lifecycle_events || stopping_) return;
  const std::string topic = event_topic(event, subject.client_id);
  if (topic.empty()) return;
  const std::string payload = event_payload(event, subject, exchange_.clock.wall(), cause, topics);
  publish_from_within(Message{topic, as_bytes(payload), {}, {}, {}, 1, false}, {}, Receipt{});
}

void LoopServer::publish_from_within(const Message& message, const protocol::Properties& properties, Receipt receipt) {
  MR_ASSERT(batch_.empty());
  const bool ingest_only = message.topic.starts_with(kBasicIngestTopics);
  if (message.retain && !ingest_only && !retain(message)) exchange_.metrics.dropped_quota.add();
  if (!ingest_only && anyone_subscribed()) route(message);
  DeviceMessage& handed = batch_.add();
  handed.topic = message.topic;
  handed.payload = message.payload;
  handed.received_at = exchange_.clock.wall();
  handed.source = MessageSource::internal;
  handed.qos = message.qos;
  handed.retain = message.retain;
  handed.receipt = receipt;
  if (!properties.empty()) batch_.set_properties(properties);
  if (message.retain && !ingest_only) record_retained(message, {});
  if (message.qos != 0 && !ingest_only && is_logged(message.topic)) record_message(message, {});
  hand_over();
}

void LoopServer::watch_end(ConnectionId id, Settled settled) {
  Settled& watch = watched_ends_[id.value()];
  if (!watch) {
    watch = std::move(settled);
    return;
  }
  watch = [first = std::move(watch), second = std::move(settled)](ReceiptStatus status) mutable {
    first(status);
    second(status);
  };
}

Receipt LoopServer::admin_receipt(Settled settled) {
  const std::uint64_t token = kAdminToken | ++last_admin_token_;
  admin_waiting_.emplace(token, std::move(settled));
  return {kOwnReceipt, token};
}

void LoopServer::publish_of_admin(const AdminPublish& asked, std::string_view correlation, Settled done) {
  Buffer block;
  protocol::PropertyWriter writer(block);
  if (!asked.content_type.empty()) writer.add(protocol::PropertyId::content_type, std::string_view(asked.content_type));
  if (!asked.response_topic.empty()) {
    writer.add(protocol::PropertyId::response_topic, std::string_view(asked.response_topic));
  }
  if (!correlation.empty()) writer.add(protocol::PropertyId::correlation_data, correlation);
  const auto properties = protocol::validate_properties(block.view(), protocol::PacketType::publish);
  if (!properties) return done(ReceiptStatus::quota);  // the content type is no UTF-8 string
  const Message message{asked.topic, as_bytes(asked.payload), block.view(), {}, {}, asked.qos, asked.retain};
  publish_from_within(message, *properties, admin_receipt(std::move(done)));
}

std::vector<SessionState> LoopServer::inspect(const SessionQuery& query) {
  std::vector<SessionState> all;
  const auto add = [&](const Session& session, const Connection* connection) {
    const std::string& id = session.client_id();
    if (query.only ? id != *query.only : !id.starts_with(query.prefix) || id <= query.after) return;
    SessionState& state = all.emplace_back();
    state.client_id = id;
    state.persistent = session.outlives_connection();
    state.expiry_s = session.expiry_s();
    state.in_flight = session.in_flight.in_flight();
    state.queued = session.queue ? session.queue->size() : 0;
    state.backlog = session.backlog.size();
    state.subscription_count = session.subscriptions.size();
    if (connection != nullptr) connection->describe(state);
    if (!query.with_subscriptions) return;
    for (const Subscription& one : session.subscriptions) {
      state.subscriptions.push_back(
          {one.filter, one.options.maximum_qos, one.options.no_local, one.options.retain_as_published});
    }
  };
  table_.for_each([&](const Connection& connection) {
    const Session* const session = connection.session();
    if (session == nullptr) return;
    if (connection.is_connected()) {
      add(*session, &connection);
    } else if (!query.connected_only && connection.owns_client_id() && session->outlives_connection()) {
      add(*session, nullptr);  // its connection is on its way out
    }
  });
  if (!query.connected_only) {
    for (const auto& [id, session] : absent_) add(*session, nullptr);
  }
  // The first in order, as many as are asked for: other loops cannot have any that come before those.
  std::ranges::sort(all, {}, &SessionState::client_id);
  if (all.size() > query.limit) all.resize(query.limit);
  return all;
}

void LoopServer::set_trace(const Trace& trace) {
  trace_ = trace.until_s == 0 ? std::optional<Trace>() : std::optional(trace);
}

void LoopServer::trace_packet(std::string_view client_id, std::string_view direction, std::string_view packet,
                              std::string_view topic, std::uint16_t packet_id, std::size_t bytes) {
  if (!trace_ || now_s_ > trace_->until_s) {
    trace_.reset();
    return;
  }
  const bool traced = trace_->filter.empty() ? client_id == trace_->client_id
                                             : !topic.empty() && protocol::matches_filter(trace_->filter, topic);
  if (!traced) return;
  log::info("mqtt_trace", {{"client_id", client_id},
                           {"direction", direction},
                           {"packet", packet},
                           {"topic", topic},
                           {"packet_id", packet_id},
                           {"bytes", bytes}});
}

}  // namespace millrace::mqtt

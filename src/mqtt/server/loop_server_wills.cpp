// Wills: how they are remembered, published and dropped (decisions 0020 and 0030). That of a session that outlives its
// connection stands in the session's record; that of another has a record of its own, so that a crash publishes it too.
#include "base/assert.h"
#include "mqtt/server/loop_server.h"
#include "mqtt/session/session_record.h"

namespace millrace::mqtt {

bool LoopServer::record_will(Session& session, Receipt receipt) {
  if (!exchange_.durable) return false;
  StoredWill& will = *session.will;
  will.record_key = will_key({next_serial(), session.client_id()});
  if (exchange_.settings.bug == SeededBug::do_not_record_wills) return false;
  stored_.clear();
  encode_will(stored_, will);
  const OwnRecord record{kSessionTopic, as_bytes(will.record_key), stored_.view()};
  receiver_.store({&record, 1}, receipt, *this);
  return true;
}

void LoopServer::drop_will(Session& session) {
  if (!session.will) return;
  if (exchange_.settings.bug != SeededBug::keep_the_record_of_a_dropped_will) forget_record(*session.will);
  session.will.reset();
}

void LoopServer::forget_record(const StoredWill& will) {
  if (will.record_key.empty()) return;
  const OwnRecord tombstone{kSessionTopic, as_bytes(will.record_key), std::nullopt};
  receiver_.store({&tombstone, 1}, Receipt{}, *this);
}

void LoopServer::give_access(Session& session) {
  if (exchange_.settings.access.permissions == nullptr) return;
  StoredWill& will = *session.will;
  will.access =
      std::make_shared<auth::Access>(exchange_.settings.access.permissions, will.identity, session.client_id());
}

void LoopServer::adopt_will(std::unique_ptr<Session> session) {
  give_access(*session);
  left_wills_.push_back(std::move(session));
}

void LoopServer::publish_left_wills() {
  for (const auto& session : std::exchange(left_wills_, {})) publish_will(*session);
}

void LoopServer::publish_will(Session& session) {
  MR_ASSERT(batch_.empty());
  const std::unique_ptr<StoredWill> left = std::move(session.will);
  const StoredWill& will = *left;
  const std::string& client_id = session.client_id();
  const Message& stored = will.message->message();
  if (will.access && !will.access->may_publish(stored.topic)) {  // the permission has gone since CONNECT
    exchange_.metrics.dropped_unauthorized.add();
    forget_record(will);
    if (session.logged() && session.outlives_connection()) {
      note_position(session);
      stored_.clear();
      encode_session(stored_, session, wall());
      const OwnRecord record{kSessionTopic, as_bytes(client_id), stored_.view()};
      receiver_.store({&record, 1}, Receipt{}, *this);
    }
    return;
  }
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
  if (stored.qos != 0 && is_logged(stored.topic)) record_message(stored, client_id);
  if (session.logged() && !session.outlives_connection()) {
    batch_.add_own_record(kSessionTopic, client_id,
                          nullptr);  // it ends here; a record that is left has this will in it
  } else if (session.logged()) {
    note_position(session);
    batch_.add_own_record(kSessionTopic, client_id, [&](Buffer& out) { encode_session(out, session, wall()); });
  }
  if (!will.record_key.empty() && exchange_.settings.bug != SeededBug::publish_will_and_keep_its_record) {
    batch_.add_own_record(kSessionTopic, will.record_key, nullptr);
  }
  hand_over();  // nobody waits for a will, so pressure has nobody to pause
}

}  // namespace millrace::mqtt

// Session: the Session State of MQTT 5.0 section 4.1 that the server keeps for one client identifier.
//
// A session is attached to at most one connection. While attached it belongs to that connection's loop; it moves,
// whole, to another loop when its client connects there. Thread: the owner's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "auth/permissions.h"
#include "mqtt/session/inflight_window.h"
#include "mqtt/session/offset_list.h"
#include "mqtt/session/packet_id_states.h"
#include "mqtt/session/subscription_tree.h"

namespace millrace::mqtt {

class Connection;
class LoopServer;

inline constexpr std::uint32_t kNeverExpires = 0xFFFFFFFF;  // 3.1.2.11.2

struct Subscription {
  std::string filter;
  protocol::SubscriptionOptions options;
  std::uint32_t identifier = 0;
  Offset since{0};     // the first offset of the message topic it counts for
  ShareNamePtr share;  // null: an ordinary one; `filter` is the whole "$share/<name>/<filter>" otherwise
};

/// A QoS 2 message of a shared subscription that is completed, while the subscription's record may not know that.
struct SharedDone {
  ShareNamePtr share;
  Offset offset;
};

/// A will message as the session keeps it (3.1.2.5).
struct StoredWill {
  SharedMessagePtr message;
  std::uint32_t delay_s = 0;
  auth::Identity identity{};               // of the client that left it
  std::shared_ptr<auth::Access> access{};  // what that may do; null: no permissions were configured
  std::string record_key{};                // of a record of its own (decision 0030); empty: the session's tells of it
};

class Session {
 public:
  Session(std::string client_id, std::uint32_t expiry_s) : expiry_s_(expiry_s), client_id_(std::move(client_id)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] const std::string& client_id() const { return client_id_; }
  /// Seconds it lives on after its connection; 0: it ends with it.
  [[nodiscard]] std::uint32_t expiry_s() const { return expiry_s_; }
  void set_expiry_s(std::uint32_t expiry_s) { expiry_s_ = expiry_s; }
  [[nodiscard]] bool outlives_connection() const { return expiry_s_ != 0; }

  /// The connection it is attached to; null when none.
  [[nodiscard]] Connection* connection() const { return connection_; }
  void attach(Connection* connection) { connection_ = connection; }

  /// Persistent (decision 0009): QoS 1 and 2 messages reach it through the message topic, from position() on.
  [[nodiscard]] bool logged() const { return logged_; }
  void make_logged(Offset position) {
    logged_ = true;
    fed_until = position;
  }
  /// From where on nothing has been sent to it.
  [[nodiscard]] Offset position() const { return backlog.empty() ? fed_until : backlog.front(); }
  /// The smallest offset it still needs, when it has been fed up to `fed`.
  [[nodiscard]] Offset cursor(Offset fed) const;

  std::uint64_t serial = 0;  // tells sessions of one client id apart
  std::vector<Subscription> subscriptions;
  OffsetList backlog;                                  // of the message topic: matched, not yet sent
  Offset fed_until{0};                                 // every message below has been matched against its subscriptions
  LoopServer* home = nullptr;                          // in whose tree its subscriptions are
  PacketIdStates received;                             // QoS 2 from the client
  InflightWindow in_flight;                            // QoS 1 and 2 to the client
  std::unique_ptr<std::deque<OutboundMessage>> queue;  // waits for room in the window
  std::size_t queued_bytes = 0;
  std::vector<SharedDone> shared_done;
  std::unique_ptr<StoredWill> will;

  /// Scratch of the matching loop: which match this session already is part of.
  std::uint64_t match_stamp = 0;
  std::uint32_t match_index = 0;

  std::uint32_t spills_on_their_way = 0;
  /// Ends with its connection, which is so slow that what comes now waits in the message topic (decision 0020).
  bool spilling = false;

 private:
  bool logged_ = false;  // small ones side by side: there is a session per device
  std::uint32_t expiry_s_;
  std::string client_id_;
  Connection* connection_ = nullptr;
};

/// The name under which an exactly-once delivery is remembered with the log: "<client id>\0<packet id in decimal>".
void append_delivery_id(std::string& out, std::string_view client_id, std::uint16_t packet_id);
struct DeliveryId {
  std::string_view client_id;
  std::uint16_t packet_id = 0;
};
/// nullopt for anything append_delivery_id does not make.
[[nodiscard]] std::optional<DeliveryId> parse_delivery_id(std::string_view id);

}  // namespace millrace::mqtt

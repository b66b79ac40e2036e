// Connection: one Network Connection (MQTT 5.0 section 1.2): bytes to packets, the rules of each packet, its session.
//
//   awaiting_connect --CONNECT--> claiming --the client id is ours--> entering --on disk--> connected
//   any --DISCONNECT, error, stop--> closing
//
// In `claiming` an older connection of the same client gives up its session; in `entering` what CONNACK promises is on
// its way to the disk (decision 0044); meanwhile nothing is read. In `closing` what still arrives is thrown away; the
// session ends at the end of the turn. A session that outlives its connection
// leaves only when every receipt it waits for is settled, so the state that moves on is exact. Thread: the loop's.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "auth/permissions.h"
#include "auth/scram.h"
#include "model/device_message.h"
#include "mqtt/protocol/decoder.h"
#include "mqtt/server/identity_holds.h"
#include "mqtt/server/inspection.h"
#include "mqtt/server/lifecycle_events.h"
#include "mqtt/server/message_feed.h"
#include "mqtt/server/outbound_aliases.h"
#include "mqtt/session/delivery.h"
#include "mqtt/session/retained_store.h"
#include "mqtt/session/session.h"
#include "net/stream.h"

namespace millrace::mqtt {

class LoopServer;

/// What one message's match found for one session: the highest QoS of its subscriptions and all their identifiers.
struct DeliveryMatch {
  Session* session = nullptr;
  std::uint8_t qos = 0;
  bool retain_as_published = false;
  std::vector<std::uint32_t> identifiers;
  ShareNamePtr share;  // of a shared subscription
};

class Connection final : public net::StreamHandler {
 public:
  /// Why nothing is read; several may hold at once.
  enum class Pause : std::uint16_t {
    pressure = 1,
    output = 2,
    claiming = 4,
    stopping = 8,
    refused = 16,
    crossing = 32,
    authenticating = 64,
    budget = 128,
    held_back = 256
  };

  /// `listener`: the number of the one it came through.
  Connection(ConnectionId id, LoopServer& server, std::unique_ptr<net::Stream> stream, std::size_t listener);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  [[nodiscard]] ConnectionId id() const { return id_; }

  // net::StreamHandler
  std::size_t on_bytes(ByteView bytes) override;
  void on_closed(const Error& reason) override;
  void on_drained() override;
  void on_held(std::ptrdiff_t change) override;

  // From the loop's server.
  void settle(std::span<const Receipt> receipts, ReceiptStatus status);
  /// False when the connection is closing (or closed by this very message) and does not take it.
  bool deliver(Delivery& delivery, const DeliveryMatch& match);
  /// A message of the message topic. False when there is no room, or nobody there; it then waits in the backlog.
  bool deliver_logged(Delivery& delivery, const DeliveryMatch& match, Offset offset);
  [[nodiscard]] const Session* session() const { return session_.get(); }
  /// What spilled has come back with its place in the message topic, or has found no room there.
  void spilled(Offset offset);
  void cannot_spill();
  /// The same for a member of a shared subscription; without room it waits here, by its offset. False when nobody is
  /// there any more. What becomes of it is reported to LoopServer::report().
  bool deliver_shared(Delivery& delivery, const DeliveryMatch& match, Offset offset);
  /// That it is settled there has been remembered.
  void share_recorded(const ShareName& share, Offset offset);
  /// QoS 1 and 2 messages that may be on their way to the client.
  [[nodiscard]] std::uint32_t window() const { return session_->in_flight.limit(); }
  /// Writes the session's record; at the end of a turn.
  void store_session();
  /// A QoS 1 or 2 message would go out at once.
  [[nodiscard]] bool has_room() const;
  void pause(Pause reason);
  void resume(Pause reason);
  /// For so many seconds nobody listened to anybody.
  void forgive_silence(std::uint32_t seconds) { active_s_ += seconds; }
  /// A second of the wheel has come for which this connection was watched.
  void check_deadline(std::uint32_t at_s);
  /// The client identifier is ours now; `stored` is what an earlier connection left, or null. False, with `stored`
  /// untouched, when this connection is closing and does not take it.
  bool granted(std::unique_ptr<Session>& stored);
  /// Another connection of the same client wants the session (3.1.4).
  void give_up(bool clean_start);
  /// A later connection of the same client displaced this one while it waited for the session.
  void displaced();
  /// An administrator ends it, and its session if he waits for the end of that.
  void disconnect_by_admin(Settled session_ended = {});
  /// It has the session of its client identifier, until that is handed on or kept.
  [[nodiscard]] bool owns_client_id() const { return owns_client_id_; }
  [[nodiscard]] bool is_connected() const { return state_ == State::connected; }
  void describe(SessionState& state) const;
  /// Ends the session of a connection that is closing; at the end of a turn.
  void end_session();
  /// Lets go of a session that has ended and whose last receipt has come. May destroy this.
  void finish_session();
  /// Nothing that was handed over waits for its receipt.
  [[nodiscard]] bool settled() const { return unsettled_ == 0 && !(store_ && store_->asked); }
  // Budgets (connection_budget.cpp).
  [[nodiscard]] std::size_t held() const { return static_cast<std::size_t>(held_); }
  [[nodiscard]] bool is_closing() const { return state_ == State::closing; }
  [[nodiscard]] bool over_identity_budget() const;
  /// It has been paused since then because its identity holds too much, and still holds something itself.
  [[nodiscard]] bool held_too_much_since(std::uint32_t at_s) const;
  void close_for_budget(const char* why);
  /// From the second on for which it is not read: its PINGREQs are answered all the same.
  void look_ahead();
  /// The server goes down: DISCONNECT 0x8B and close.
  void say_goodbye();
  void abort();

 private:
  enum class State : std::uint8_t { awaiting_connect, claiming, entering, connected, closing };
  enum class Kind : std::uint8_t { puback, pubrec, pubcomp, session };  // what a receipt's token asks to be done
  enum class Admitted : std::uint8_t { no, address, session };          // what has been asked for its rate

  static constexpr std::uint16_t kEntry = 1;  // a receipt of Kind::session for what CONNACK waits for

  using Refusal = protocol::Refusal;
  using Frame = protocol::Frame;

  [[nodiscard]] bool v5() const { return version_ == protocol::Version::v5; }
  void hand_over_batch();

  // The beginning and the end (connection_session.cpp)
  void take_connect(const Frame& frame);
  // Who it is and what it may do (connection_access.cpp)
  void authenticate(const protocol::Connect& packet);
  void authenticated(const Result<auth::Identity>& verdict);
  [[nodiscard]] bool may_receive(std::string_view topic);
  void refuse_unauthorized(const protocol::Publish& packet);
  void refuse_with(const protocol::Publish& packet, protocol::ReasonCode reason, const char* why);

  // What it costs (connection_budget.cpp)
  bool admit_address();
  bool admit_claim();
  bool hold_back(std::chrono::milliseconds wait);
  void held_back_enough();
  [[nodiscard]] std::string_view identity() const;
  void count_held(std::ptrdiff_t change);
  void weigh_queue();
  void release_held();
  void pause_for_budget();
  [[nodiscard]] std::size_t queue_limit() const;
  [[nodiscard]] bool slow_for_qos0() const;
  void answer_pings(ByteView bytes);
  void stop_looking_ahead();

  // Enhanced authentication (connection_auth.cpp)
  struct Enhanced {
    std::string method;
    std::optional<auth::ScramExchange> exchange;  // while one goes on
    std::string server_final;                     // for CONNACK
  };
  [[nodiscard]] bool knows_method(std::string_view method) const;
  void begin_enhanced(std::string_view method, std::string_view data);
  void start_exchange();
  void step_enhanced(std::string_view data);
  void send_auth(protocol::ReasonCode reason, std::string_view data);
  void take_auth(const Frame& frame);

  void refuse_connect(const Refusal& refusal, std::optional<protocol::Version> version);
  void claim_session();
  /// CONNACK, and everything that follows from being connected.
  void enter();
  /// What CONNACK would promise cannot be kept.
  void refuse_entry();
  void entry_recorded(ReceiptStatus status);
  void send_connack(bool session_present);
  void resend_in_flight();
  void release_session();
  void take_disconnect(const Frame& frame);
  /// Tells a 5.0 client why (with DISCONNECT), counts, and starts closing.
  void close(const Refusal& refusal);
  void start_closing();

  // What a connected client sends (connection_publish.cpp, connection_subscribe.cpp)
  void take(const Frame& frame);
  void take_publish(const Frame& frame);
  /// The message cannot be kept: as if the receiver had refused it.
  void refuse_publish(const protocol::Publish& packet);
  /// A topic with more levels or bytes than allowed.
  [[nodiscard]] bool is_too_long(std::string_view topic) const;
  void refuse_topic(const protocol::Publish& packet);
  [[nodiscard]] bool resolve_alias(protocol::Publish& packet);
  [[nodiscard]] bool is_repetition(std::uint16_t packet_id);
  void take_acknowledgement(const Frame& frame);
  /// A message to the client is acknowledged to its end, if there was one.
  void flow_ended(const InflightWindow::Ended& ended);
  void take_pubrel(const protocol::PublishAck& packet);
  void take_subscribe(const Frame& frame);
  void take_unsubscribe(const Frame& frame);
  struct OpenSubscribe;
  /// Refuses what ends the connection; a reason code for what only fails.
  protocol::Decoded<protocol::ReasonCode> add_subscription(const protocol::SubscribeEntry& entry,
                                                           std::uint32_t identifier,
                                                           const std::shared_ptr<OpenSubscribe>& open);
  void subscribed(OpenSubscribe& open);

  /// The record of a persistent session: what waits for it to be durable.
  struct SessionStore {
    std::vector<std::uint16_t> packet_ids;  // reserved or releasing
    std::vector<Task> tasks;
    std::vector<std::uint16_t> written_packet_ids;  // of the record that is on its way
    std::vector<Task> written_tasks;
    bool asked = false;
    bool on_its_way = false;
  };
  /// At the end of this turn; what is added to packet_ids and tasks before that waits for it.
  SessionStore& store_soon();
  /// Within about a second.
  void store_later();
  void session_stored(ReceiptStatus status);
  void confirm_sending(std::uint16_t packet_id);

  void settle_one(Kind kind, std::uint16_t packet_id, bool matched, ReceiptStatus status, Buffer* out);
  void restore_quota() { quota_used_ -= quota_used_ != 0 ? 1 : 0; }
  void send_ack(protocol::PacketType type, std::uint16_t packet_id, protocol::ReasonCode reason);

  // To the subscriber (connection_delivery.cpp)
  [[nodiscard]] bool congested() const;
  struct Outgoing {
    std::uint8_t qos;
    bool retain;
    std::span<const std::uint32_t> identifiers;
    ShareNamePtr share;
    Offset offset;
  };
  void send(Delivery& delivery, const Outgoing& outgoing);
  void pump();
  void send_queued();
  void send_backlog();
  [[nodiscard]] DeliveryMatch match_own(const LoggedMessage& logged, const Message& message) const;
  void start_retained(std::string_view filter, const Subscription& subscription);
  void send_retained();
  /// What members of shared subscriptions leave behind goes to others.
  void give_back_shared(bool session_ends);
  /// A message of a shared subscription that ends here.
  void report_settled(const OutboundMessage& message);
  void report_unsent(const Outgoing& outgoing);
  /// What the records of shared subscriptions may not know yet.
  void report_shared_done();

  /// On $aws/events/...
  void tell(LifecycleEvent event, const std::vector<std::string>& topics = {});
  void trace_in(const Frame& frame);
  [[nodiscard]] Receipt receipt(Kind kind, std::uint16_t packet_id, bool matched) const;
  [[nodiscard]] std::uint32_t deadline_s() const;
  void watch();

  const ConnectionId id_;
  LoopServer& server_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<Session> session_;
  std::string username_;
  std::shared_ptr<auth::Access> access_;               // null: no permissions are configured
  EventCause cause_;                                   // how it ended, as far as it is known
  std::uint64_t version_number_ = 0;                   // of lifecycle events
  std::string source_address_;                         // the peer's, without its port
  std::unique_ptr<std::vector<std::string>> aliases_;  // inbound, by alias less one
  std::unique_ptr<OutboundAliases> aliases_out_;
  std::unique_ptr<Enhanced> enhanced_;  // with an authentication method in CONNECT
  /// Retained messages on their way to one new subscription.
  struct RetainedWalk {
    std::string filter;
    std::uint8_t qos;
    std::uint32_t identifier;
    RetainedStore::Walk walk;
    std::vector<SharedMessagePtr> found;
    std::size_t next;
  };
  std::unique_ptr<std::deque<RetainedWalk>> retained_;
  std::unique_ptr<MessageReader> reader_;  // while a backlog is drained
  std::unique_ptr<SessionStore> store_;
  std::shared_ptr<IdentityHold> identity_hold_;  // since it first held something
  std::ptrdiff_t held_ = 0;
  std::size_t queue_held_ = 0;        // of that, in the session's queue
  std::size_t looked_ahead_ = 0;      // bytes not taken yet in which PINGREQs are answered
  std::uint32_t pings_answered_ = 0;  // of those
  std::uint32_t held_until_s_ = 0;    // its CONNECT waits for its turn; 0: not
  std::uint32_t budget_since_s_ = 0;
  std::uint32_t client_max_packet_size_ = 0xFFFFFFFF;
  std::uint32_t unsettled_ = 0;   // receipts handed over
  std::uint32_t quota_used_ = 0;  // QoS 1 and 2 messages of this connection not yet acknowledged
  std::uint32_t active_s_ = 0;    // when something was last received
  std::uint32_t doomed_s_ = 0;    // closed then, whatever comes; 0: not
  std::uint32_t watched_s_ = 0;   // the wheel's entry that counts
  std::uint32_t asked_expiry_s_ = 0;
  std::uint16_t keep_alive_s_ = 0;
  std::uint16_t asked_keep_alive_s_ = 0;
  std::uint16_t client_receive_maximum_ = 65'535;
  std::uint16_t receive_maximum_ = 65'535;  // told to the client
  protocol::Version version_ = protocol::Version::v3_1_1;
  State state_ = State::awaiting_connect;
  std::uint16_t paused_ = 0;
  const std::uint8_t listener_;  // its number
  Admitted admitted_ = Admitted::no;
  bool rate_exceeded_ = false;
  bool logged_in_ = false;
  bool looking_ahead_ = false;
  bool answered_ = false;         // its CONNECT has been accepted, or refused in words
  bool entered_ = false;          // it has been accepted
  bool session_present_ = false;  // for CONNACK
  bool clean_start_ = true;
  bool client_id_assigned_ = false;
  bool problem_information_ = true;
  bool owns_client_id_ = false;
  bool session_ended_ = false;
  bool replaced_by_clean_start_ = false;
  bool retained_looked_this_turn_ = false;
  bool retained_goes_on_ = false;
  bool store_later_ = false;
  bool replaced_ = false;  // another connection takes the session over
};

}  // namespace millrace::mqtt

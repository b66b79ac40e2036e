// LoopServer: everything of one server that one loop owns: its connections, the tree of their subscriptions, the batch
// of messages being read, and the way to and from the other loops.
//
// Subscriptions live in the tree of their connection's loop only. A message is matched in its own loop; when other
// loops have any subscription it is copied once and goes to them at the end of the turn. So no lock is taken per
// message. Thread: the loop's. Driven by Server (or a test): tick() about once a second, end_turn() after each turn.
#pragma once

#include <functional>
#include <unordered_map>

#include "base/rng.h"
#include "mqtt/server/connection.h"
#include "mqtt/server/connection_table.h"
#include "mqtt/server/deadline_wheel.h"
#include "mqtt/server/exchange.h"
#include "mqtt/server/inbound_batch.h"
#include "mqtt/server/inspection.h"
#include "mqtt/server/lifecycle_events.h"
#include "mqtt/server/message_feed.h"
#include "mqtt/server/share_groups.h"
#include "mqtt/server/spill_ledger.h"
#include "mqtt/server/sys_topics.h"
#include "mqtt/session/filter_set.h"

namespace millrace::mqtt {

class LoopServer final : public ReceiptSink {
 public:
  /// `exchange` outlives this and gets the peer of this loop. `seed` is for assigned client identifiers.
  LoopServer(std::size_t loop, Exchange& exchange, Executor& executor, MessageReceiver& receiver, std::uint64_t seed);
  ~LoopServer() override;
  LoopServer(const LoopServer&) = delete;
  LoopServer& operator=(const LoopServer&) = delete;

  /// Through the listener with that number in the exchange.
  void accept(std::unique_ptr<net::Stream> stream, std::size_t listener = 0);
  void tick();
  void end_turn();
  /// Delivers to subscribers of all loops; nothing is stored, no rule sees it. True when there may be a subscriber.
  bool publish(std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
               const PublishProperties& properties = {});
  /// Delivers to subscribers of all loops and retains, in memory only.
  void publish_of_its_own(std::string_view topic, ByteView payload);
  /// Stops reading, of one connection after the other where ends are spread, waits until what was handed over is
  /// settled, says goodbye, closes; `done` is called once, when all is closed or the stop timeout has passed. The
  /// receiver has been detached by then. Goes on at the ends of turns.
  void begin_stop(std::move_only_function<void()> done);

  /// Destroys what connections are left. After begin_stop() is done.
  void close_all();

  /// Before the first connection: a session that the log remembers, with what it waits for.
  void adopt(std::unique_ptr<Session> session, std::uint32_t ends_in_s, std::optional<std::uint32_t> will_in_s);
  /// Before the first connection, in the home of `share`: one of its members, which is away.
  void restore_share(const ShareNamePtr& share, const ShareMember& member, const ShareRecord& record);
  [[nodiscard]] ShareGroup* find_share(const ShareName& share) { return shares_.find(share); }
  /// Before the first connection: reads from here on.
  void set_messages(std::shared_ptr<topics::Partition> partition) { feed_.set_partition(std::move(partition)); }

  // ReceiptSink
  void settle(std::span<const Receipt> receipts, ReceiptStatus status) override;
  void relieved() override;

  // For connections.
  [[nodiscard]] const Settings& settings() const { return exchange_.settings; }
  [[nodiscard]] ServerMetrics& metrics() { return exchange_.metrics; }
  [[nodiscard]] Executor& executor() { return *peer(loop_).executor; }
  [[nodiscard]] SessionRegistry& registry() { return exchange_.registry; }
  [[nodiscard]] MessageReceiver& receiver() { return receiver_; }
  [[nodiscard]] InboundBatch& batch() { return batch_; }
  [[nodiscard]] MonoTime mono() const { return exchange_.clock.mono(); }
  /// Wall time of the read being handled.
  [[nodiscard]] WallTime read_time() const { return read_time_; }
  void begin_read() { read_time_ = exchange_.clock.wall(); }
  /// Seconds since the server was made, as of the last tick, never 0.
  [[nodiscard]] std::uint32_t now_s() const { return now_s_; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] std::string assigned_client_id();
  void watch(ConnectionId id, std::uint32_t at_s) { wheel_.add(id, at_s, now_s_); }
  /// Hands the gathered messages to the receiver. Requires some.
  Pressure hand_over() { return batch_.hand_over(receiver_, *this); }
  /// To the subscribers of all loops; true when there is one here or may be one elsewhere.
  bool route(const Message& message);
  [[nodiscard]] bool anyone_subscribed() const { return exchange_.subscriptions.load(std::memory_order_relaxed) != 0; }
  /// For what waited in a session's queue.
  [[nodiscard]] Delivery& queue_delivery() { return queue_delivery_; }
  /// Memory for properties that cannot go on as they came.
  [[nodiscard]] Buffer& property_scratch() { return property_scratch_; }
  /// As many clients are connected as may be.
  [[nodiscard]] bool at_capacity() const {
    return exchange_.connected.load(std::memory_order_relaxed) >= exchange_.settings.max_connections;
  }
  void count_connected(std::ptrdiff_t change, std::size_t listener);
  /// Null when no listener is configured (in tests).
  [[nodiscard]] ListenerMetrics* listener_metrics(std::size_t listener) const {
    return listener < exchange_.listeners.size() ? exchange_.listeners[listener].get() : nullptr;
  }
  /// Counted here and added to the metrics once per turn.
  void count_received(std::size_t listener, std::uint8_t qos, std::size_t payload) {
    ++tallies_[listener].received[qos];
    payload_received_ += payload;
  }
  void count_packet_received() { ++packets_received_; }
  /// Of every kind but PUBLISH, which count_delivered() counts.
  void count_packets_sent(std::size_t count) { packets_sent_ += count; }
  void count_delivered(std::size_t listener, std::uint8_t qos, std::size_t bytes) {
    ++tallies_[listener].delivered[qos];
    tallies_[listener].delivered_bytes += bytes;
    sent_bytes_ += bytes;
  }
  void count_received_bytes(std::size_t listener, std::size_t count) { tallies_[listener].received_bytes += count; }
  /// True while so much waits for other loops that publishers must pause.
  [[nodiscard]] bool crossing_is_full() const { return crossing_full_; }
  /// Into the tree, or into the group that shares it; `done` is called (here, maybe at once) when every message
  /// received from then on is matched against it.
  void subscribe(Session& session, const Subscription& subscription, Task done);
  void unsubscribe(Session& session, const Subscription& subscription);
  /// Hands a message of a shared subscription to another member.
  void share_again(const ShareNamePtr& share, SharedMessagePtr message);
  /// Keeps or clears the retained message of a topic; false when there is no room.
  bool retain(const Message& message, std::string_view owner = {});
  /// Has that remembered by the log, with the last message of the batch.
  void record_retained(const Message& message, std::string_view publisher);
  /// Runs `action(RetainedStore&)` under its lock.
  template <class Action>
  auto retained(Action action) {
    return exchange_.retained.with(action);
  }
  /// All of a session's subscriptions into the tree, or out of it.
  void attach(Session& session);
  void detach(Session& session);
  /// To the rules and to subscribers. Requires an empty batch.
  /// With the session's record, which must not tell of it any more, in the same commit: so it is published once.
  void publish_will(Session& session);
  /// Remembers the will of a session that ends with its connection; that of another stands in the session's record.
  /// False, and no receipt, when nothing remembers it.
  bool record_will(Session& session, Receipt receipt);
  /// The client has said goodbye [MQTT-3.14.4-3].
  void drop_will(Session& session);
  /// A session of before the start that ended with the process: its will is published at the first tick.
  void adopt_will(std::unique_ptr<Session> session);
  /// Asks for end_session() at the end of the turn, when nothing iterates over sessions.
  void end_later(ConnectionId id) { ending_.push_back(id); }
  /// Asks for resume(): when the receiver is relieved, or when other loops have caught up.
  void wait_for_relief(ConnectionId id) { pressed_.push_back(id); }
  void wait_for_crossing(ConnectionId id) { crossing_paused_.push_back(id); }
  void erase(ConnectionId id) { table_.erase(id); }
  /// Runs `action(Connection&)` in the loop of `id`, if that connection is still there by then.
  template <class Action>
  void with_connection(ConnectionId id, Action action);
  /// The member leaves the shared subscriptions of its session, or is only away.
  void leave_shares(Session& session, ConnectionId member, bool for_good);
  /// What became of a message that a shared subscription handed to a client of this loop, from the log.
  struct ShareReport {
    ShareNamePtr share;
    Offset offset;
    enum class Outcome : std::uint8_t { settled, settled_exactly_once, given_back, refused } outcome;
    ConnectionId connection;  // settled_exactly_once: share_recorded() is called there; refused: who did
  };
  void report(const ShareReport& report);
  /// A connection no longer owns its identifier. `session` is what is kept, or null.
  void release_identifier(std::string client_id, std::unique_ptr<Session> session);
  /// Brings a session, or none, to the connection that its identifier was released to.
  void hand_over(std::string client_id, Claimant claimant, std::unique_ptr<Session> session);
  /// The session is over: it leaves the tree, and what the log remembers of it is forgotten. `receipt` comes for a
  /// persistent one.
  void end_session_state(Session& session, Receipt receipt = {});
  /// The same; `settled`, if any, comes for every session.
  void end_session_state(Session& session, Settled settled);
  /// `settled` comes when the connection has let go of its session and the end of that is on disk.
  void watch_end(ConnectionId id, Settled settled);
  [[nodiscard]] Settled take_watch(ConnectionId id);
  [[nodiscard]] Receipt admin_receipt(Settled settled);

  // For people (loop_server_admin.cpp)
  void tell(LifecycleEvent event, const EventSubject& subject, const EventCause& cause,
            const std::vector<std::string>& topics);
  [[nodiscard]] std::vector<SessionState> inspect(const SessionQuery& query);
  /// With Correlation Data when there is some; `done` is called when it is settled.
  void publish_of_admin(const AdminPublish& asked, std::string_view correlation, Settled done);
  [[nodiscard]] ResponseWatch& responses() { return exchange_.responses; }
  void set_trace(const Trace& trace);
  [[nodiscard]] bool tracing() const { return trace_.has_value(); }
  void trace_packet(std::string_view client_id, std::string_view direction, std::string_view packet,
                    std::string_view topic, std::uint16_t packet_id, std::size_t bytes);
  /// A session that is not kept any more: its will, and its end.
  void end_absent(const SessionRegistry::Due& due, Settled settled = {});

  // Sessions without a connection whose home this loop is.
  void keep_absent(std::unique_ptr<Session> session);
  /// Null when it is not here any more.
  std::unique_ptr<Session> take_absent(std::string_view client_id, std::uint64_t serial);
  /// Has the session of `stored` brought to the connection that claimed it.
  void fetch_absent(std::string client_id, StoredSession stored, Claimant claimant);
  [[nodiscard]] std::uint64_t next_serial() { return ++exchange_.last_serial; }
  [[nodiscard]] std::size_t loop() const { return loop_; }

  // Persistent sessions (decision 0009).
  [[nodiscard]] bool durable() const { return exchange_.durable; }
  [[nodiscard]] MessageFeed& feed() { return feed_; }
  /// What is published from now on is at or above this.
  [[nodiscard]] Offset end_of_messages() const { return durable() ? exchange_.messages->high_watermark() : Offset(0); }
  [[nodiscard]] WallTime wall() const { return exchange_.clock.wall(); }
  /// A message on this topic must be in the message topic, too.
  [[nodiscard]] bool is_logged(std::string_view topic) const {
    return !logged_filters_.empty() && logged_filters_.matches(topic);
  }
  /// Puts the last message of the batch there, in its commit.
  void record_message(const Message& message, std::string_view publisher);
  /// Has Connection::store_session() called at the end of the turn, or within about a second.
  void store_soon(ConnectionId id) { storing_.push_back(id); }
  void store_later(ConnectionId id) { storing_later_.push_back(id); }
  /// A flow that has begun is completed although its message has expired (4.3.3).
  enum class ReadAs : std::uint8_t { begun, not_begun };
  /// The message at this place of the message topic; null when it is not there any more, or must not be sent any more.
  [[nodiscard]] SharedMessagePtr read_logged(Offset offset, ReadAs as = ReadAs::begun);
  /// Before its record is written: how far it has been fed.
  void note_position(Session& session) const;
  /// The message being delivered waits in the message topic for this connection: spilled() is called there.
  void spill(Session& session, const Message& message);
  void end_spilling(Session& session);
  /// One subscription less that needs its messages logged.
  void forget_logged_filter(const Session& session, const Subscription& subscription);
  [[nodiscard]] Buffer& record_scratch() { return stored_; }
  /// What it still needs is below the start of the log.
  [[nodiscard]] bool has_lost_messages(const Session& session) const {
    if (!session.logged()) return false;
    const Offset fed = session.home == this ? std::max(session.fed_until, feed_.position()) : session.fed_until;
    return session.cursor(fed) < exchange_.messages->log_start();
  }
  /// The smallest offset that a session of this loop needs; the feed's position when there is none.
  [[nodiscard]] std::optional<Offset> smallest_cursor();

  // Budgets (loop_server_budget.cpp; decisions 0028, 0029).
  [[nodiscard]] ConnectRates& rates() { return exchange_.rates; }
  /// A connection of this loop holds so much more, or less.
  void hold(std::ptrdiff_t change);
  /// As of the end of the last turn.
  [[nodiscard]] Load load() const { return load_; }
  [[nodiscard]] bool reads_no_publisher() const { return load_ == Load::full || turn_is_full(); }
  [[nodiscard]] std::uint16_t receive_maximum() const {
    return exchange_.memory.receive_maximum(exchange_.settings.receive_maximum);
  }
  [[nodiscard]] std::shared_ptr<IdentityHold> identity_hold(std::string_view identity) {
    return exchange_.identity_holds.open(identity);
  }
  /// Asks for resume() when there is room again.
  void wait_for_budget(ConnectionId id) { over_budget_.push_back(id); }
  /// There is no room left at all: who takes more of it goes.
  [[nodiscard]] bool is_beyond_budget() const {
    return static_cast<std::ptrdiff_t>(exchange_.memory.held()) + held_change_ >
           static_cast<std::ptrdiff_t>(exchange_.memory.limit());
  }
  void close_for_budget_soon(ConnectionId id);

  [[nodiscard]] Connection* find(ConnectionId id) const { return table_.find(id); }
  [[nodiscard]] std::size_t connection_count() const { return table_.size(); }

 private:
  [[nodiscard]] Peer& peer(std::size_t loop) { return *exchange_.peers[loop]; }
  [[nodiscard]] Peer& home_of(const ShareName& share) { return peer(share.hash % exchange_.peers.size()); }
  bool deliver_here(const Message& message, SharedMessagePtr shared);
  /// Collects in matches_ who gets a message; `counts(const Subscriber&)` says whether a subscription does.
  template <class Counts>
  void find_matches(std::string_view topic, Counts&& counts);
  void hear_logged(const LoggedMessage& logged);
  void hear_spilled(const LoggedMessage& logged);
  void own_settled(const Receipt& receipt, ReceiptStatus status);
  void add_logged_filter(const std::string& filter, Task done);
  void remove_logged_filter(const std::string& filter);
  void catch_up(Session& session);
  void add_to_tree(Session& session, const Subscription& subscription);
  /// To rules and subscribers. Requires an empty batch.
  void publish_from_within(const Message& message, const protocol::Properties& properties, Receipt receipt);
  void trim_messages();
  // Shared subscriptions (loop_server_shares.cpp)
  void subscribe_share(Session& session, const Subscription& subscription, Task done);
  void join_share(const ShareNamePtr& share, ShareMember member, Offset since, Task done);
  void leave_share(const ShareNamePtr& share, std::string_view client_id);
  void hear_shared(ShareGroup& group, Delivery& delivery, Offset offset);
  bool hand_next(ShareGroup& group, Delivery& delivery);
  void hand_out(ShareGroup& group);
  static const DeliveryMatch& match_of(const ShareMember& member, const ShareNamePtr& share, DeliveryMatch& match);
  /// Its record is to be written.
  void share_changed(ShareGroup& group);
  /// hand_out() at the end of the turn.
  void share_goes_on(ShareGroup& group);
  void send_reports();
  void take_reports(const std::vector<ShareReport>& reports);
  void store_shares();
  void shares_stored(ReceiptStatus status);
  void deliver_shared(ShareGroup& group, Delivery& delivery, int tries);
  void share_here(const ShareNamePtr& share, const SharedMessagePtr& message, int tries);
  void expire_retained();
  void keep_republished(const Message& message);
  void deliver_crossed(std::span<const SharedMessagePtr> messages);
  void cross();
  void crossed(std::size_t bytes);
  void resume_all(std::vector<ConnectionId>& paused, Connection::Pause reason);
  void count_subscriptions(std::ptrdiff_t change);
  void account();
  void shed();
  void look_at_budget_soon();
  /// What one turn may cause: so much is written at its end before more is read.
  [[nodiscard]] bool turn_is_full() const { return sent_bytes_ > exchange_.memory.limit() / 16; }
  void add_metrics();
  void add_tally(std::size_t listener);
  void go_on_stopping();
  /// False when the time for it is over.
  bool spread_goodbyes(MonoTime now);
  void take_due_sessions();

  const std::size_t loop_;
  Exchange& exchange_;
  MessageReceiver& receiver_;
  Rng rng_;
  const MonoTime started_;
  std::uint32_t now_s_ = 1;
  WallTime read_time_{};

  std::ptrdiff_t held_change_ = 0;  // not yet reported to the budget
  std::vector<ConnectionId> over_budget_;
  std::vector<ConnectionId> beyond_budget_;
  std::uint32_t full_since_s_ = 0;
  Load load_ = Load::normal;
  bool budget_look_posted_ = false;

  ConnectionTable<Connection> table_;
  SubscriptionTree tree_;
  ShareGroups shares_{tree_};
  MessageFeed feed_;
  FilterSet logged_filters_;  // of the persistent sessions of all loops
  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>{}(id); }
  };
  void forget_record(const StoredWill& will);
  void give_access(Session& session);
  void publish_left_wills();

  std::vector<std::unique_ptr<Session>> left_wills_;  // of sessions that ended with the process before
  std::unordered_map<std::string, std::unique_ptr<Session>, IdHash, std::equal_to<>> absent_;
  std::vector<ConnectionId> storing_;
  std::vector<ConnectionId> storing_later_;
  std::uint32_t trimmed_s_ = 0;
  Offset trimmable_{0};  // of the round before
  Executor& executor_;
  DeadlineWheel wheel_;
  InboundBatch batch_;
  std::vector<ConnectionId> ending_;
  std::vector<ConnectionId> pressed_;

  // Matching; the first match_count_ of matches_ count, the rest keep their memory for later.
  std::vector<DeliveryMatch> matches_;
  std::size_t match_count_ = 0;
  std::uint64_t match_stamp_ = 0;
  std::vector<ShareGroup*> share_matches_;
  DeliveryMatch share_match_;
  static constexpr std::uint64_t kOwnReceipt = ~std::uint64_t{0};  // no connection's
  // Tokens of own receipts: 0: records of shared subscriptions; with this bit: an administrator's message; else a
  // spill.
  static constexpr std::uint64_t kAdminToken = std::uint64_t{1} << 63U;
  std::unordered_map<std::uint64_t, Settled> admin_waiting_;
  std::unordered_map<std::uint64_t, Settled> watched_ends_;
  std::uint64_t last_admin_token_ = 0;
  std::optional<Trace> trace_;
  SpillLedger spills_;
  std::uint64_t spilled_stamp_ = 0;  // of the match whose message is in the ledger
  Buffer spill_key_;
  std::vector<ShareGroup*> changed_shares_;
  std::vector<ShareGroup*> going_shares_;
  std::vector<ShareReport> reports_;
  std::vector<ShareNamePtr> stored_shares_;  // whose records are on their way
  std::vector<ShareReport> confirming_;      // when those are durable
  bool storing_shares_ = false;
  Delivery share_delivery_;
  MessageReader random_reader_;  // of read_logged()
  RetainedStore::Walk retained_expiry_;
  Buffer stored_;
  SysTopics sys_topics_;
  Delivery delivery_;
  Delivery queue_delivery_;
  Buffer property_scratch_;
  Buffer own_properties_;  // of the message publish() is given

  std::vector<ListenerTally> tallies_{1};  // by listener
  std::uint64_t payload_received_ = 0;
  std::uint64_t packets_received_ = 0;
  std::uint64_t packets_sent_ = 0;
  std::uint64_t sent_bytes_ = 0;

  // To other loops
  std::vector<SharedMessagePtr> outbox_;
  std::size_t outbox_bytes_ = 0;
  std::size_t crossing_bytes_ = 0;  // sent and not yet reported back, once per loop it went to
  bool crossing_full_ = false;
  std::vector<ConnectionId> crossing_paused_;

  bool stopping_ = false;
  bool goodbye_said_ = false;
  bool all_paused_ = false;
  MonoTime stop_from_{};
  std::vector<ConnectionId> to_leave_;  // while ends are spread, in their order
  std::size_t left_ = 0;                // so many of them have had their turn
  std::vector<ConnectionId> leaving_;   // of those, who still waits for receipts
  MonoTime stop_deadline_{};
  std::move_only_function<void()> stopped_;
};

template <class Action>
void LoopServer::with_connection(ConnectionId id, Action action) {
  Peer& owner = peer(loop_of(id));
  owner.executor->post([server = owner.server, id, action = std::move(action)]() mutable {
    if (Connection* connection = server->find(id)) action(*connection);
  });
}

}  // namespace millrace::mqtt

#include "mqtt/server/loop_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "mqtt/protocol/text.h"
#include "mqtt/session/session_record.h"
#include "mqtt/session/stored_message.h"

namespace millrace::mqtt {

LoopServer::LoopServer(std::size_t loop, Exchange& exchange, Executor& executor, MessageReceiver& receiver,
                       std::uint64_t seed)
    : loop_(loop),
      exchange_(exchange),
      receiver_(receiver),
      rng_(seed),
      started_(exchange.clock.mono()),
      table_(loop),
      feed_(executor, [this](const LoggedMessage& logged) { hear_logged(logged); }),
      executor_(executor),
      spills_(loop) {}

LoopServer::~LoopServer() = default;

void LoopServer::accept(std::unique_ptr<net::Stream> stream, std::size_t listener) {
  if (stopping_) return;  // the stream's destructor closes it
  exchange_.metrics.sockets.add();
  if (ListenerMetrics* through = listener_metrics(listener)) through->sockets.add();
  if (listener >= tallies_.size()) tallies_.resize(listener + 1);
  table_.emplace(*this, std::move(stream), listener).start();
}

std::string LoopServer::assigned_client_id() {
  return fmt::format("millrace-{:016x}{:016x}", rng_(), rng_());
}

// -- turning

void LoopServer::tick() {
  const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(exchange_.clock.mono() - started_);
  const auto now_s = static_cast<std::uint32_t>(elapsed.count()) + 1;
  // Ticks come every second. Where some are missing the process stood still (a machine that was suspended or moved),
  // and what clients sent meanwhile waits in their sockets: that silence is not theirs.
  constexpr std::uint32_t kLate = 2;
  if (const std::uint32_t missing = now_s - now_s_; missing > kLate) {
    table_.for_each([missing](Connection& connection) { connection.forgive_silence(missing - 1); });
  }
  const std::uint32_t slots = std::min(now_s - now_s_, DeadlineWheel::kSlots);
  for (std::uint32_t s = now_s - slots + 1; s <= now_s; ++s) {
    now_s_ = s;
    wheel_.turn(s, [&](ConnectionId id, std::uint32_t at_s) {
      if (Connection* connection = table_.find(id)) connection->check_deadline(at_s);
    });
  }
  for (const ConnectionId id : std::exchange(storing_later_, {})) storing_.push_back(id);
  store_shares();
  publish_left_wills();
  shed();
  for (const std::vector<ConnectionId>* paused : {&pressed_, &crossing_paused_, &over_budget_}) {
    for (const ConnectionId id : *paused) {
      if (Connection* connection = table_.find(id)) connection->look_ahead();
    }
  }
  if (loop_ == 0) {
    exchange_.metrics.held_bytes.set(static_cast<std::int64_t>(exchange_.memory.held()));
    take_due_sessions();
    trim_messages();
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
  for (std::size_t i = 0; i < storing_.size(); ++i) {
    if (Connection* connection = table_.find(storing_[i])) connection->store_session();
  }
  if (!storing_.empty()) executor_.post([] {});  // another turn, in which the receiver commits
  storing_.clear();
  if (!reports_.empty()) send_reports();
  for (ShareGroup* const group : std::exchange(going_shares_, {})) hand_out(*group);
  if (!outbox_.empty()) cross();
  add_metrics();
  account();
  if (stopping_) go_on_stopping();
}

void LoopServer::add_metrics() {
  if (sent_bytes_ != 0) exchange_.metrics.sent_bytes.add(std::exchange(sent_bytes_, 0));
  if (packets_received_ != 0) exchange_.metrics.packets_received.add(std::exchange(packets_received_, 0));
  if (packets_sent_ != 0) exchange_.metrics.packets_sent.add(std::exchange(packets_sent_, 0));
  if (payload_received_ != 0) exchange_.metrics.payload_received.add(std::exchange(payload_received_, 0));
  for (std::size_t listener = 0; listener < tallies_.size(); ++listener) add_tally(listener);
}

void LoopServer::add_tally(std::size_t listener) {
  const ListenerTally tally = std::exchange(tallies_[listener], {});
  ServerMetrics& all = exchange_.metrics;
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  for (std::size_t qos = 0; qos < tally.received.size(); ++qos) {
    if (tally.received[qos] != 0) all.received[qos]->add(tally.received[qos]);
    if (tally.delivered[qos] != 0) all.delivered[qos]->add(tally.delivered[qos]);
    received += tally.received[qos];
    delivered += tally.delivered[qos];
  }
  if (tally.received_bytes != 0) all.received_bytes.add(tally.received_bytes);
  if (delivered != 0) all.packets_sent.add(delivered);
  ListenerMetrics* const one = listener_metrics(listener);
  if (one == nullptr) return;
  if (tally.received_bytes != 0) one->received_bytes.add(tally.received_bytes);
  if (received != 0) one->messages_received.add(received);
  if (delivered != 0) one->messages_delivered.add(delivered);
  if (tally.delivered_bytes != 0) one->delivered_bytes.add(tally.delivered_bytes);
}

void LoopServer::count_connected(std::ptrdiff_t change, std::size_t listener) {
  exchange_.connected.fetch_add(static_cast<std::size_t>(change), std::memory_order_relaxed);
  exchange_.metrics.connections.add(change);
  ListenerMetrics* const one = listener_metrics(listener);
  if (one == nullptr) return;
  one->connections.add(change);
  if (change > 0) one->connects.add();
}

// -- receipts

void LoopServer::settle(std::span<const Receipt> receipts, ReceiptStatus status) {
  for (std::size_t from = 0; from < receipts.size();) {
    std::size_t to = from + 1;
    while (to < receipts.size() && receipts[to].connection == receipts[from].connection) ++to;
    if (receipts[from].connection == kOwnReceipt) {
      for (const Receipt& own : receipts.subspan(from, to - from)) own_settled(own, status);
    }
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

// -- stopping

void LoopServer::begin_stop(std::move_only_function<void()> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  stop_from_ = exchange_.clock.mono();
  stop_deadline_ = stop_from_ + exchange_.settings.stop_spread + exchange_.settings.stop_timeout;
  if (exchange_.settings.stop_spread.count() != 0) {
    table_.for_each([this](Connection& connection) { to_leave_.push_back(connection.id()); });
  }
  go_on_stopping();
}

bool LoopServer::spread_goodbyes(MonoTime now) {
  const auto spread = exchange_.settings.stop_spread;
  if (table_.size() == 0 || now >= stop_from_ + spread) return false;
  const double part = std::chrono::duration<double>(now - stop_from_) / std::chrono::duration<double>(spread);
  const auto due = static_cast<std::size_t>(part * static_cast<double>(to_leave_.size()));
  for (; left_ < due; ++left_) {
    Connection* const connection = table_.find(to_leave_[left_]);
    if (connection == nullptr) continue;
    connection->pause(Connection::Pause::stopping);
    leaving_.push_back(connection->id());
  }
  std::erase_if(leaving_, [this](ConnectionId id) {
    Connection* const connection = table_.find(id);
    if (connection == nullptr) return true;
    if (!connection->settled()) return false;
    connection->say_goodbye();
    return true;
  });
  return true;
}

void LoopServer::go_on_stopping() {
  if (!stopped_) return;
  const MonoTime now = exchange_.clock.mono();
  if (spread_goodbyes(now)) return;
  if (!std::exchange(all_paused_, true)) {
    table_.for_each([](Connection& connection) { connection.pause(Connection::Pause::stopping); });
  }
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
  feed_.stop();
  std::exchange(stopped_, nullptr)();
}

void LoopServer::close_all() {
  table_.for_each([this](Connection& connection) { table_.erase(connection.id()); });
}

}  // namespace millrace::mqtt

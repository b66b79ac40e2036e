// What a loop does so that memory stays within its budget (decision 0028): it reports what its connections hold, reads
// no publisher while the budget is full or a turn has caused enough output, and ends those that hold most when nothing
// else has helped.
#include <algorithm>

#include "base/log.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {
namespace {

// How long paused clients, who may be about to take what waits for them, are given.
constexpr std::uint32_t kPatienceSeconds = 10;

}  // namespace

void LoopServer::hold(std::ptrdiff_t change) {
  held_change_ += change;
  if (change < 0) look_at_budget_soon();
}

// Streams are written after the hooks at the end of a turn: what that changes is looked at in the next.
void LoopServer::look_at_budget_soon() {
  if ((over_budget_.empty() && beyond_budget_.empty()) || std::exchange(budget_look_posted_, true)) return;
  executor_.post([this] { budget_look_posted_ = false; });
}

void LoopServer::close_for_budget_soon(ConnectionId id) {
  beyond_budget_.push_back(id);
  look_at_budget_soon();
}

void LoopServer::account() {
  for (const ConnectionId id : std::exchange(beyond_budget_, {})) {
    Connection* connection = table_.find(id);
    if (connection != nullptr && connection->held() != 0) {
      connection->close_for_budget("the connections hold all of mqtt.memory.max.bytes");
    }
  }
  if (held_change_ != 0) exchange_.memory.change(std::exchange(held_change_, 0));
  load_ = exchange_.memory.load();
  if (over_budget_.empty()) return;
  if (load_ == Load::full) return;
  const std::vector<ConnectionId> waiting = std::exchange(over_budget_, {});
  for (const ConnectionId id : waiting) {
    Connection* connection = table_.find(id);
    if (connection == nullptr) continue;
    if (connection->over_identity_budget()) {
      over_budget_.push_back(id);
    } else if (exchange_.settings.bug != SeededBug::leave_paused) {
      connection->resume(Connection::Pause::budget);
    }
  }
}

// Once a second.
void LoopServer::shed() {
  account();
  for (const ConnectionId id : std::vector<ConnectionId>(over_budget_)) {
    Connection* connection = table_.find(id);
    if (connection != nullptr && connection->held_too_much_since(now_s_ - std::min(now_s_, kPatienceSeconds))) {
      connection->close_for_budget("its identity has held more than mqtt.identity.max.bytes for too long");
    }
  }
  if (load_ != Load::full) {
    full_since_s_ = 0;
    return;
  }
  if (full_since_s_ == 0) full_since_s_ = now_s_;
  if (now_s_ - full_since_s_ < kPatienceSeconds) return;
  full_since_s_ = now_s_ - kPatienceSeconds + 1;  // again in a second
  std::vector<std::pair<std::size_t, ConnectionId>> holders;
  std::size_t held = 0;
  table_.for_each([&](Connection& connection) {
    if (connection.held() == 0 || connection.is_closing()) return;
    holders.emplace_back(connection.held(), connection.id());
    held += connection.held();
  });
  std::ranges::sort(holders, std::greater<>());
  // This loop's part of what has to go.
  const std::size_t all = std::max<std::size_t>(exchange_.memory.held(), 1);
  const std::size_t share =
      std::min(held, static_cast<std::size_t>(static_cast<double>(exchange_.memory.excess()) *
                                              static_cast<double>(held) / static_cast<double>(all)) +
                         1);
  std::size_t freed = 0;
  std::size_t closed = 0;
  for (const auto& [bytes, id] : holders) {
    if (freed >= share) break;
    freed += bytes;
    ++closed;
    table_.find(id)->close_for_budget("all connections have held more than mqtt.memory.max.bytes for too long");
  }
  log::warn("mqtt_memory_full", {{"held_bytes", all}, {"closed", closed}, {"freed_bytes", freed}});
}

}  // namespace millrace::mqtt

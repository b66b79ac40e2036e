#include "mqtt/session/session_registry.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace::mqtt {
namespace {

MonoTime after(MonoTime now, std::uint32_t seconds) {
  return seconds == kNeverExpires ? MonoTime::max() : now + std::chrono::seconds(seconds);
}

}  // namespace

SessionRegistry::ClaimResult SessionRegistry::claim(std::string_view client_id, Claimant claimant) {
  return state_.with([&](State& state) {
    ClaimResult result;
    auto found = state.entries.find(client_id);
    if (found == state.entries.end()) {
      found = state.entries.emplace(std::string(client_id), std::make_unique<Entry>()).first;
      found->second->owner = claimant.connection;
      result.granted = true;
      return result;
    }
    Entry& entry = *found->second;
    if (entry.owner == ConnectionId{}) {
      entry.owner = claimant.connection;
      result.stored = std::move(entry.session);
      --state.stored;
      entry.ends_at = entry.will_at = MonoTime::max();
      result.granted = true;
      return result;
    }
    result.owner = entry.owner;
    if (entry.claimant) result.displaced = entry.claimant->connection;
    entry.claimant = claimant;
    return result;
  });
}

std::optional<SessionRegistry::Handover> SessionRegistry::release(std::string_view client_id,
                                                                  std::unique_ptr<Session> session, MonoTime now) {
  return state_.with([&](State& state) -> std::optional<Handover> {
    const auto found = state.entries.find(client_id);
    MR_ASSERT(found != state.entries.end());
    Entry& entry = *found->second;
    if (entry.claimant) {
      Handover handover{*entry.claimant, std::move(session)};
      entry.owner = entry.claimant->connection;
      entry.claimant.reset();
      return handover;
    }
    if (session == nullptr) {
      state.entries.erase(found);
      return std::nullopt;
    }
    entry.owner = ConnectionId{};
    entry.ends_at = after(now, session->expiry_s());
    if (session->will) entry.will_at = std::min(after(now, session->will->delay_s), entry.ends_at);
    state.next_due = std::min({state.next_due, entry.ends_at, entry.will_at});
    entry.session = std::move(session);
    ++state.stored;
    return std::nullopt;
  });
}

std::optional<Claimant> SessionRegistry::claimant(std::string_view client_id) const {
  return state_.with([&](const State& state) -> std::optional<Claimant> {
    const auto found = state.entries.find(client_id);
    return found == state.entries.end() ? std::nullopt : found->second->claimant;
  });
}

bool SessionRegistry::withdraw(std::string_view client_id, ConnectionId claimant) {
  return state_.with([&](State& state) {
    const auto found = state.entries.find(client_id);
    if (found == state.entries.end()) return false;
    Entry& entry = *found->second;
    if (!entry.claimant || entry.claimant->connection != claimant) return false;
    entry.claimant.reset();
    return true;
  });
}

SessionRegistry::Due SessionRegistry::take_due(MonoTime now) {
  return state_.with([&](State& state) {
    Due due;
    if (now < state.next_due) return due;
    MonoTime next = MonoTime::max();
    for (auto at = state.entries.begin(); at != state.entries.end();) {
      Entry& entry = *at->second;
      if (entry.will_at <= now) {
        due.wills.push_back({at->first, std::move(entry.session->will)});
        entry.will_at = MonoTime::max();
      }
      if (entry.ends_at <= now) {
        due.ended.push_back(std::move(entry.session));
        at = state.entries.erase(at);
        --state.stored;
        continue;
      }
      next = std::min({next, entry.ends_at, entry.will_at});
      ++at;
    }
    state.next_due = next;
    return due;
  });
}

void SessionRegistry::restore(const DeliveryId& delivery) {
  state_.with([&](State& state) {
    auto found = state.entries.find(delivery.client_id);
    if (found == state.entries.end()) {
      found = state.entries.emplace(std::string(delivery.client_id), std::make_unique<Entry>()).first;
      found->second->session = std::make_unique<Session>(std::string(delivery.client_id), kNeverExpires);
      ++state.stored;
    }
    found->second->session->received.set(delivery.packet_id, DeliveryState::recorded);
  });
}

std::size_t SessionRegistry::stored() const {
  return state_.with([](const State& state) { return state.stored; });
}

}  // namespace millrace::mqtt

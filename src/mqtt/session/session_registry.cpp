#include "mqtt/session/session_registry.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace millrace::mqtt {

MonoTime SessionRegistry::after(MonoTime now, std::uint32_t seconds) {
  return seconds == kNeverExpires ? MonoTime::max() : now + std::chrono::seconds(seconds);
}

SessionRegistry::ClaimResult SessionRegistry::claim(std::string_view client_id, Claimant claimant) {
  return state_.with([&](State& state) {
    ClaimResult result;
    const auto found = state.entries.find(client_id);
    if (found == state.entries.end()) {
      state.entries[std::string(client_id)].owner = claimant.connection;
      result.granted = true;
      return result;
    }
    Entry& entry = found->second;
    if (entry.owner == ConnectionId{}) {
      entry.owner = claimant.connection;
      result.stored = std::exchange(entry.kept, nullptr)->at;
      --state.stored;
      result.granted = true;
      return result;
    }
    result.owner = entry.owner;
    if (entry.claimant) result.displaced = entry.claimant->connection;
    entry.claimant = std::make_unique<Claimant>(claimant);
    return result;
  });
}

std::optional<Claimant> SessionRegistry::release(std::string_view client_id, const Keep* keep) {
  return state_.with([&](State& state) -> std::optional<Claimant> {
    const auto found = state.entries.find(client_id);
    MR_ASSERT(found != state.entries.end());
    Entry& entry = found->second;
    if (entry.claimant) {
      const Claimant next = *entry.claimant;
      entry.owner = next.connection;
      entry.claimant.reset();
      return next;
    }
    if (keep == nullptr) {
      state.entries.erase(found);
      return std::nullopt;
    }
    entry.owner = ConnectionId{};
    entry.kept = std::make_unique<Keep>(*keep);
    state.next_due = std::min({state.next_due, keep->ends_at, keep->will_at});
    ++state.stored;
    return std::nullopt;
  });
}

std::optional<Claimant> SessionRegistry::claimant(std::string_view client_id) const {
  return state_.with([&](const State& state) -> std::optional<Claimant> {
    const auto found = state.entries.find(client_id);
    if (found == state.entries.end() || found->second.claimant == nullptr) return std::nullopt;
    return *found->second.claimant;
  });
}

std::optional<ConnectionId> SessionRegistry::connection(std::string_view client_id) const {
  return state_.with([&](const State& state) -> std::optional<ConnectionId> {
    const auto found = state.entries.find(client_id);
    if (found == state.entries.end() || found->second.owner == ConnectionId{}) return std::nullopt;
    return found->second.owner;
  });
}

bool SessionRegistry::withdraw(std::string_view client_id, ConnectionId claimant) {
  return state_.with([&](State& state) {
    const auto found = state.entries.find(client_id);
    if (found == state.entries.end()) return false;
    Entry& entry = found->second;
    if (!entry.claimant || entry.claimant->connection != claimant) return false;
    entry.claimant.reset();
    return true;
  });
}

std::optional<StoredSession> SessionRegistry::evict(std::string_view client_id) {
  return state_.with([&](State& state) -> std::optional<StoredSession> {
    const auto found = state.entries.find(client_id);
    if (found == state.entries.end() || found->second.owner != ConnectionId{}) return std::nullopt;
    const StoredSession kept = found->second.kept->at;
    state.entries.erase(found);
    --state.stored;
    return kept;
  });
}

std::vector<SessionRegistry::Due> SessionRegistry::take_due(MonoTime now) {
  return state_.with([&](State& state) {
    std::vector<Due> due;
    if (now < state.next_due) return due;
    MonoTime next = MonoTime::max();
    for (auto at = state.entries.begin(); at != state.entries.end();) {
      Entry& entry = at->second;
      if (entry.owner != ConnectionId{}) {
        ++at;
        continue;
      }
      Keep& kept = *entry.kept;
      if (kept.will_at <= now) {
        due.push_back({at->first, kept.at, false});
        kept.will_at = MonoTime::max();
      }
      if (kept.ends_at <= now) {
        due.push_back({at->first, kept.at, true});
        at = state.entries.erase(at);
        --state.stored;
        continue;
      }
      next = std::min({next, kept.ends_at, kept.will_at});
      ++at;
    }
    state.next_due = next;
    return due;
  });
}

void SessionRegistry::restore(std::string_view client_id, const Keep& keep) {
  state_.with([&](State& state) {
    Entry& entry = state.entries[std::string(client_id)];
    entry.kept = std::make_unique<Keep>(keep);
    state.next_due = std::min({state.next_due, keep.ends_at, keep.will_at});
    ++state.stored;
  });
}

std::size_t SessionRegistry::stored() const {
  return state_.with([](const State& state) { return state.stored; });
}

}  // namespace millrace::mqtt

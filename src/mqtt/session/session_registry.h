// SessionRegistry: which connection owns a client identifier, and where the sessions are that wait for their client to
// come back. The one place where the loops of a server meet, touched at CONNECT and at the end of a session only.
//
// Taking over (MQTT 5.0 section 3.1.4): a claim on an owned identifier waits; the owner is told to give it up and does
// so by release(). A later claim displaces an earlier one that still waits. A session without a connection stays with
// the loop that had it last; whoever claims its identifier fetches it there. Thread: any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "mqtt/session/session.h"

namespace millrace::mqtt {

struct Claimant {
  ConnectionId connection;
  bool clean_start = true;
};

/// Where a session without a connection is. The serial tells it from a later one of the same client.
struct StoredSession {
  std::size_t loop = 0;
  std::uint64_t serial = 0;
};

class SessionRegistry {
 public:
  struct ClaimResult {
    bool granted = false;
    std::optional<StoredSession> stored;    // granted: what is left of an earlier connection, to be fetched
    std::optional<ConnectionId> owner;      // not granted: who must give it up
    std::optional<ConnectionId> displaced;  // not granted: an earlier claimant that will not get it any more
  };
  ClaimResult claim(std::string_view client_id, Claimant claimant);

  /// How long a session that is kept waits for its client.
  struct Keep {
    StoredSession at;
    MonoTime ends_at = MonoTime::max();
    MonoTime will_at = MonoTime::max();
  };
  /// The owner ends. `keep` is null when there is nothing to keep. With a claimant waiting the identifier is his and
  /// the caller must bring him the session; otherwise the session is kept until its expiry, or its will's time, has
  /// come.
  [[nodiscard]] std::optional<Claimant> release(std::string_view client_id, const Keep* keep);

  /// Who waits for `client_id`.
  [[nodiscard]] std::optional<Claimant> claimant(std::string_view client_id) const;
  /// A claimant gives up waiting; false when it was not (or no longer) the one waiting.
  bool withdraw(std::string_view client_id, ConnectionId claimant);
  /// The connection of a client, if it has one.
  [[nodiscard]] std::optional<ConnectionId> connection(std::string_view client_id) const;

  /// A session without a connection is not kept any more; the caller ends it there. nullopt when there is none.
  std::optional<StoredSession> evict(std::string_view client_id);

  struct Due {
    std::string client_id;
    StoredSession session;
    bool ended = false;  // else its will is due
  };
  /// Kept sessions whose expiry has come, and wills whose delay has passed.
  [[nodiscard]] std::vector<Due> take_due(MonoTime now);

  /// Before the first connection: a session that the log remembers.
  void restore(std::string_view client_id, const Keep& keep);

  /// The time `seconds` from `now`; never, for kNeverExpires.
  [[nodiscard]] static MonoTime after(MonoTime now, std::uint32_t seconds);
  [[nodiscard]] std::size_t stored() const;

 private:
  /// A client has neither of the two most of its life.
  struct Entry {
    ConnectionId owner;  // 0: the session is kept
    std::unique_ptr<Claimant> claimant;
    std::unique_ptr<Keep> kept;  // exactly when there is no owner
  };
  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>{}(id); }
  };
  using Entries = std::unordered_map<std::string, Entry, IdHash, std::equal_to<>>;
  struct State {
    Entries entries;
    std::size_t stored = 0;
    MonoTime next_due = MonoTime::max();
  };
  Guarded<State> state_;
};

}  // namespace millrace::mqtt

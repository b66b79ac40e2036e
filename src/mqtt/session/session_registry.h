// SessionRegistry: which connection owns a client identifier, and the sessions that wait for their client to come back.
// The one place where the loops of a server meet, touched at CONNECT and at the end of a session only.
//
// Taking over (MQTT 5.0 section 3.1.4): a claim on an owned identifier waits; the owner is told to give it up and does
// so by release(), which hands its session to the claimant. A later claim displaces an earlier one that still waits.
// Thread: any.
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

class SessionRegistry {
 public:
  struct ClaimResult {
    bool granted = false;
    std::unique_ptr<Session> stored;        // granted: what was kept of an earlier connection, if anything
    std::optional<ConnectionId> owner;      // not granted: who must give it up
    std::optional<ConnectionId> displaced;  // not granted: an earlier claimant that will not get it any more
  };
  ClaimResult claim(std::string_view client_id, Claimant claimant);

  struct Handover {
    Claimant claimant;
    std::unique_ptr<Session> session;
  };
  /// The owner ends. `session` is null when there is nothing to keep. With a claimant waiting the identifier is his and
  /// the caller must bring him the session; otherwise the session is stored until its expiry, or its will's time, has
  /// come.
  [[nodiscard]] std::optional<Handover> release(std::string_view client_id, std::unique_ptr<Session> session,
                                                MonoTime now);

  /// Who waits for `client_id`.
  [[nodiscard]] std::optional<Claimant> claimant(std::string_view client_id) const;
  /// A claimant gives up waiting; false when it was not (or no longer) the one waiting.
  bool withdraw(std::string_view client_id, ConnectionId claimant);

  struct Due {
    std::vector<std::unique_ptr<Session>> ended;
    struct Will {
      std::string client_id;
      std::unique_ptr<StoredWill> will;
    };
    std::vector<Will> wills;
  };
  /// Stored sessions whose expiry has come, and wills whose delay has passed.
  [[nodiscard]] Due take_due(MonoTime now);

  /// Puts back a delivery that was recorded before a restart; its session never expires by itself.
  void restore(const DeliveryId& delivery);

  [[nodiscard]] std::size_t stored() const;

 private:
  struct Entry {
    ConnectionId owner;  // 0: the session is stored
    std::optional<Claimant> claimant;
    std::unique_ptr<Session> session;  // stored
    MonoTime ends_at = MonoTime::max();
    MonoTime will_at = MonoTime::max();
  };
  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>{}(id); }
  };
  using Entries = std::unordered_map<std::string, std::unique_ptr<Entry>, IdHash, std::equal_to<>>;
  struct State {
    Entries entries;
    std::size_t stored = 0;
    MonoTime next_due = MonoTime::max();
  };
  Guarded<State> state_;
};

}  // namespace millrace::mqtt

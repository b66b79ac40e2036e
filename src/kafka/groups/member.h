// Member: one member of a consumer group, as its coordinator sees it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kafka/groups/group_events.h"

namespace millrace::kafka {

struct Member {
  std::string id;
  std::optional<std::string> instance_id = std::nullopt;
  std::string client_id = {};
  std::string client_host = {};
  std::chrono::milliseconds rebalance_timeout{};
  std::chrono::milliseconds session_timeout{};
  std::vector<GroupProtocol> protocols = {};  // in the order of its preference
  std::string assignment = {};                // of the stored generation
  /// It joined and has not been answered yet: it does not know its id, so it cannot send heartbeats.
  bool fresh = false;
  bool sync_pending = false;  // answered its join, has not sent SyncGroup in this generation
  MonoTime deadline{};        // of its session
  Reply<JoinGroupResult> awaiting_join = nullptr;
  Reply<SyncGroupResult> awaiting_sync = nullptr;

  /// Waiting for us counts as a heartbeat, unless the member is fresh.
  [[nodiscard]] bool can_expire() const { return fresh || (!awaiting_join && !awaiting_sync); }
  [[nodiscard]] bool supports(std::string_view protocol) const { return metadata_for(protocol) != nullptr; }
  [[nodiscard]] const std::string* metadata_for(std::string_view protocol) const {
    for (const GroupProtocol& one : protocols) {
      if (one.name == protocol) return &one.metadata;
    }
    return nullptr;
  }
};

}  // namespace millrace::kafka

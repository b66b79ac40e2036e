// What a server that starts takes from the log. Thread: the one that starts; blocks.
#pragma once

#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "mqtt/server/exchange.h"
#include "mqtt/session/session_record.h"
#include "mqtt/session/share_backlog.h"

namespace millrace::mqtt {

/// Retained messages, those that have expired left out. Errors: those of reading.
Result<void> restore_retained(const topics::TopicLog& log, Exchange& exchange);

/// What `__mqtt_sessions` holds.
struct SessionRecords {
  std::map<std::string, RestoredSession, std::less<>> sessions;  // by client id
  std::map<std::string, ShareRecord, std::less<>> shares;        // shared subscriptions by "<name>/<filter>"
  std::map<std::string, std::unique_ptr<StoredWill>, std::less<>>
      wills;  // of sessions that ended with the process, by key
  /// One record of the topic, in order. Errors: corrupt.
  Result<void> add(std::string_view key, const std::optional<ByteView>& value);
};
/// Errors: those of reading.
Result<SessionRecords> read_sessions(const topics::TopicLog& log);
/// Persistent sessions and shared subscriptions with what waits for them, spread over the loops. A will whose client
/// was connected, or whose delay has passed meanwhile, is published at the first tick. `delivery_ids`: exactly-once
/// deliveries that are open ("<client id>\0<packet id>"); their sessions come back even when nothing else is known of
/// them. Errors: those of reading the message topic.
Result<void> restore_sessions(SessionRecords sessions, Exchange& exchange, std::span<const std::string> delivery_ids);

}  // namespace millrace::mqtt

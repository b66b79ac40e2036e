// The rows about connectors: what their tasks may take, and where the worker keeps what it knows.
#include "app/connect_schema.h"

namespace millrace::app {
namespace {

using config::bytes;
using config::duration;
using config::integer;
using config::text;
using S = Settings;

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kTiB = 1LL << 40;

}  // namespace

void add_connect(std::vector<config::Setting>& rows) {
  rows.push_back(bytes<S>(
      "connect.memory.bytes", [](S& s) -> auto& { return s.connect.memory_bytes; }, {kMiB, kTiB},
      "Memory of all sinks together for what they keep; what is more goes to disk."));
  rows.push_back(bytes<S>(
      "connect.spill.bytes", [](S& s) -> auto& { return s.connect.spill_bytes; }, {0, kTiB},
      "Disk of all sinks together for what they keep beyond that; used up, they deliver smaller objects. 0: none."));
  rows.push_back(duration<S>(
      "offset.flush.interval.ms", [](S& s) -> auto& { return s.connect.offset_flush_interval; }, {10, 600'000},
      "How often sinks commit what they delivered; a full batch is committed at once."));
  rows.push_back(integer<S>(
      "connect.tasks.nice", [](S& s) -> auto& { return s.connect.tasks_nice; }, {0, 19},
      "By how much tasks of connectors give way to devices and Kafka clients where they want the same core (nice(1)). "
      "0: "
      "not at all."));
  rows.push_back(text<S>(
      "config.storage.topic", [](S& s) -> auto& { return s.connect.config_topic; },
      "Topic of the connectors' configurations. A Kafka Connect cluster on this broker needs another one."));
  rows.push_back(text<S>(
      "status.storage.topic", [](S& s) -> auto& { return s.connect.status_topic; },
      "Topic of the connectors' states. A Kafka Connect cluster on this broker needs another one."));
  rows.push_back(text<S>(
      "offset.storage.topic", [](S& s) -> auto& { return s.connect.offset_topic; },
      "Topic of how far source connectors have read. A Kafka Connect cluster on this broker needs another one."));
}

}  // namespace millrace::app

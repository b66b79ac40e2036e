// The rows about what MQTT clients may cost (decisions 0028 and 0029).
#include "app/mqtt_protection_schema.h"

#include <limits>

#include "app/settings_values.h"

namespace millrace::app {
namespace {

using config::bytes;
using config::duration;
using config::integer;
using S = Settings;

constexpr std::int64_t kInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kTiB = 1LL << 40;

}  // namespace

void add_mqtt_protection(std::vector<config::Setting>& rows) {
  rows.push_back(bytes<S>(
      "mqtt.memory.max.bytes", [](S& s) -> auto& { return s.mqtt.memory_max_bytes; }, {kMiB, kTiB},
      "Bytes that all MQTT connections may hold: unfinished packets, unread output, queues. Near it Receive Maximum "
      "shrinks, publishers are not read, nobody is accepted, and at last those that hold most are closed."));
  rows.push_back(bytes<S>(
      "mqtt.identity.max.bytes", [](S& s) -> auto& { return s.mqtt.identity_max_bytes; }, {65'536, kTiB},
      "The same for the connections of one user, or of one client that did not log in. Beyond, they are not read, and "
      "closed after 10 s."));
  rows.push_back(integer<S>(
      "mqtt.accept.rate", [](S& s) -> auto& { return s.mqtt.connect_rate; }, {0, 1'000'000},
      "Connections accepted per second on each MQTT listener; further ones wait to be accepted. 0: as they come."));
  rows.push_back(integer<S>(
      "mqtt.connect.rate.per.address", [](S& s) -> auto& { return s.mqtt.connect_rate_per_address; }, {0, 1'000'000},
      "MQTT clients per second from one IPv4 address or IPv6 /64 network, ten seconds' worth at once; further ones "
      "wait. 0: any number."));
  rows.push_back(integer<S>(
      "mqtt.connect.rate.per.identity", [](S& s) -> auto& { return s.mqtt.connect_rate_per_identity; }, {0, 1'000'000},
      "The same for one user, or one client identifier that did not log in. 0: any number."));
  rows.push_back(integer<S>(
      "mqtt.takeover.rate", [](S& s) -> auto& { return s.mqtt.takeover_rate; }, {0, 1'000'000},
      "The same for clients that take over a client identifier that is connected. 0: any number."));
  rows.push_back(duration<S>(
      "mqtt.connect.wait.max.ms", [](S& s) -> auto& { return s.mqtt.connect_wait_max; }, {0, 600'000},
      "Longest time that one of these rates keeps a client waiting; who would wait longer is refused."));
  rows.push_back(integer<S>(
      "mqtt.max.topic.levels", [](S& s) -> auto& { return s.mqtt.max_topic_levels; }, {1, 65'535},
      "Levels of a topic name or filter; a longer one is refused."));
  rows.push_back(integer<S>(
      "mqtt.max.topic.bytes", [](S& s) -> auto& { return s.mqtt.max_topic_bytes; }, {1, 65'535},
      "Bytes of a topic name or filter; a longer one is refused."));
  rows.push_back(integer<S>(
      "mqtt.retained.identity.max.messages", [](S& s) -> auto& { return s.mqtt.retained_max_messages_per_identity; },
      {0, kInt32},
      "Retained messages published last by one user, or one client that did not log in. 0: no limit of its own."));
  rows.push_back(bytes<S>(
      "mqtt.retained.identity.max.bytes", [](S& s) -> auto& { return s.mqtt.retained_max_bytes_per_identity; },
      {0, kTiB}, "Their bytes. 0: no limit of their own."));
}

}  // namespace millrace::app

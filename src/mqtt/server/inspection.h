// What people ask a running server: which clients and sessions there are, and to do something about one. Values, and
// the server's answers to them; every call gathers from all loops and answers on the asker's executor.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/executor.h"
#include "model/device_message.h"

namespace millrace::mqtt {

/// Told when what was asked for is on disk, or was refused (quota). In the loop that did it.
using Settled = std::move_only_function<void(ReceiptStatus)>;

/// A session, with its connection if it has one.
struct SessionState {
  std::string client_id;
  bool connected = false;
  // Of the connection:
  std::string user;
  std::string address;
  std::string protocol;  // "3.1", "3.1.1", "5.0"
  std::uint16_t keep_alive_s = 0;
  bool reading_paused = false;
  std::size_t output_bytes = 0;  // not taken by the kernel
  // Of the session:
  bool persistent = false;
  std::uint32_t expiry_s = 0;
  std::uint32_t in_flight = 0;
  std::size_t queued = 0;   // in memory
  std::size_t backlog = 0;  // in the log
  std::size_t subscription_count = 0;
  struct Subscribed {
    std::string filter;
    std::uint8_t qos = 0;
    bool no_local = false;
    bool retain_as_published = false;
  };
  std::vector<Subscribed> subscriptions;  // when asked for
};

struct SessionQuery {
  std::string prefix{};             // of the client id
  std::string after{};              // client ids above this one
  std::optional<std::string> only;  // this client id
  bool connected_only = false;
  bool with_subscriptions = false;
  std::size_t limit = 1'000;
};

/// A message of the administrator's. With a response topic it is a request (MQTT 5.0 section 4.10).
struct AdminPublish {
  std::string topic;
  std::string payload;
  std::uint8_t qos = 1;
  bool retain = false;
  std::string content_type{};
  std::string response_topic{};  // empty, for a request: one is made up
};

struct AdminResponse {
  std::string topic;
  std::string payload;
  std::string content_type;
};

/// Packets of one client, or messages on topics of one filter, are written to the log until then.
struct Trace {
  std::string client_id;  // empty: of the filter
  std::string filter;
  std::uint32_t until_s = 0;  // LoopServer::now_s(); 0: off
};

}  // namespace millrace::mqtt

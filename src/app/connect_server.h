// ConnectServer: the connectors' worker and its REST listener, on a loop and thread of their own, so that no connector
// delays a device.
#pragma once

#include <memory>
#include <thread>

#include "app/security.h"
#include "app/settings.h"
#include "base/result.h"
#include "connect/runtime/worker.h"
#include "io/file_system.h"
#include "metrics/registry.h"
#include "net/http/router.h"
#include "net/http/server.h"
#include "net/loop.h"
#include "topics/offset_store.h"
#include "topics/topic_log.h"

namespace millrace::app {

class ConnectServer {
 public:
  /// Binds and serves; connectors that were left running start at once. `data`: the data directory. Errors: those of
  /// Listener::bind.
  static Result<std::unique_ptr<ConnectServer>> start(const Settings& settings, const net::Address& address,
                                                      Security& security, topics::TopicLog& log,
                                                      topics::OffsetStore& offsets, const Clock& clock,
                                                      metrics::Registry& metrics, io::FileSystem& data);
  ~ConnectServer();

  [[nodiscard]] net::Address address() const { return address_; }
  /// Ends the tasks; what was not delivered comes again at the next start. Before the log and the offset store stop.
  void stop();

 private:
  ConnectServer(io::FileSystem& data, std::uint64_t spill_bytes)
      : spill_(data, "connect-spill", static_cast<std::int64_t>(spill_bytes)) {}

  net::http::Router router_;
  net::Loop loop_;
  std::unique_ptr<io::FileSystem> files_;  // the machine's, for config providers and file sinks
  connect::SpillFolder spill_;
  connect::Surroundings surroundings_;
  std::unique_ptr<connect::Worker> worker_;
  std::unique_ptr<net::http::Server> server_;
  net::Address address_;
  std::thread thread_;
};

}  // namespace millrace::app

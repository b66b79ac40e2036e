// Server: the composition root. Constructs every part from the settings, connects them, starts them, and stops them in
// reverse order. It holds no state of its own beyond the parts.
//
// Thread: start() and stop() are called by one thread; `on_fatal` may be called from the log's threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "app/settings.h"
#include "base/result.h"

namespace millrace::app {

class Server {
 public:
  /// Recovers the log, makes missing topics, binds every listener, and serves. Errors name what to do.
  /// `on_fatal`: the log died of a disk error; nothing is acknowledged any more and the process should end at once.
  static Result<std::unique_ptr<Server>> start(Settings settings, std::function<void(const Error&)> on_fatal);
  ~Server();

  /// "millrace ready: mqtt=127.0.0.1:1883 kafka=… (38 ms)"
  [[nodiscard]] std::string ready_line() const;

  /// Reads certificates, users and permissions again, each all or nothing. Errors name what was refused and kept.
  Result<void> reload();

  /// Takes nothing new, lets what was received become durable and be acknowledged (for at most stop.timeout), closes
  /// the log cleanly.
  Result<void> stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::app

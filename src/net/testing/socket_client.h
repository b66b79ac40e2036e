// SocketClient: a blocking loopback client for tests of servers on net. Every wait ends with a failure after some
// seconds. LoopThread: a loop with a thread that runs it.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "base/bytes.h"
#include "net/loop.h"

namespace millrace::net::testing {

class SocketClient {
 public:
  /// `receive_buffer` 0: the system's choice.
  explicit SocketClient(std::uint16_t port, int receive_buffer = 0);
  ~SocketClient();
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  /// False when the connection is gone.
  bool send(std::string_view bytes);
  /// Up to `count` bytes; fewer when the peer ended or nothing came for 10 s.
  std::string receive(std::size_t count);
  /// Everything until the peer ends.
  std::string receive_all();
  /// True when the peer ended cleanly or with a reset, without further bytes.
  bool ended();
  /// errno of the last receive that failed (ECONNRESET after an abort).
  [[nodiscard]] int last_error() const { return last_error_; }
  /// Segments that were sent and that the peer's kernel did not acknowledge yet.
  [[nodiscard]] std::uint32_t unacknowledged() const;
  void finish_sending();
  /// Closes with a reset.
  void reset();

 private:
  int fd_;
  bool connected_ = false;
  int last_error_ = 0;
};

class LoopThread {
 public:
  LoopThread();
  /// Stops the loop; everything that lives in it must have been destroyed with run() before, or outlive this object.
  ~LoopThread();
  Loop& loop() { return loop_; }
  /// Runs `action` in the loop and returns its result.
  template <class Action>
  auto run(Action action) {
    std::packaged_task<decltype(action())()> task(std::move(action));
    auto result = task.get_future();
    loop_.post([&task] { task(); });
    return result.get();
  }
  /// Ends the thread now; the loop stays.
  void stop();

 private:
  Loop loop_;
  std::thread thread_;
};

}  // namespace millrace::net::testing

// BlockingConnection: a TCP connection for programs that ask one thing after the other (the command line). Every wait
// ends at a deadline. Thread: one owner.
#pragma once

#include <chrono>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::net {

class BlockingConnection {
 public:
  /// `host` may be a name. Errors: unavailable (nobody there, no such host), timed_out.
  static Result<BlockingConnection> open(const std::string& host, std::uint16_t port,
                                         std::chrono::milliseconds timeout);
  BlockingConnection(BlockingConnection&& other) noexcept;
  BlockingConnection& operator=(BlockingConnection&&) = delete;
  ~BlockingConnection();

  /// All of it. Errors: closed, timed_out.
  Result<void> send(ByteView bytes);
  /// Exactly as many bytes as `into` has room for. Errors: closed, timed_out.
  Result<void> receive(MutableByteView into);

 private:
  explicit BlockingConnection(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace millrace::net

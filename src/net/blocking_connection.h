// BlockingConnection: a TCP connection for programs that ask one thing after the other (the command line). Every wait
// ends at a deadline. In clear, or, from start_tls() on, over TLS. Thread: one owner.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"

namespace millrace::net {

class TlsClient;
class TlsContext;

class BlockingConnection {
 public:
  /// `host` may be a name. Errors: unavailable (nobody there, no such host), timed_out.
  static Result<BlockingConnection> open(const std::string& host, std::uint16_t port,
                                         std::chrono::milliseconds timeout);
  BlockingConnection(BlockingConnection&& other) noexcept;
  BlockingConnection& operator=(BlockingConnection&&) = delete;
  ~BlockingConnection();

  /// The handshake, before anything else is sent. Requires a client's context. Errors: permission_denied (the server's
  /// certificate, or what else keeps the two from agreeing), closed, timed_out.
  Result<void> start_tls(std::shared_ptr<const TlsContext> context);
  /// All of it. Errors: closed, timed_out.
  Result<void> send(ByteView bytes);
  /// Exactly as many bytes as `into` has room for. Errors: closed, timed_out.
  Result<void> receive(MutableByteView into);

 private:
  explicit BlockingConnection(int fd);
  Result<void> send_raw(ByteView bytes);
  /// Some bytes, at least one.
  Result<std::size_t> receive_raw(MutableByteView into);
  /// Waits for bytes of the server and takes them into plain_.
  Result<void> take_sealed();

  int fd_;
  std::unique_ptr<TlsClient> tls_;
  Buffer plain_;  // decrypted and not asked for yet
};

}  // namespace millrace::net

// Link: one non-blocking TCP connection of the generator, plain or TLS. TCP_NODELAY is set: what is measured is the
// server, not Nagle.
//
// Bytes that the socket does not take are kept and sent when it is writable again; until then `blocked()` is true and
// nothing more should be produced. Incoming bytes are read into one buffer shared by all links (InBuffer); only a
// partial packet is kept here, so an idle link owns no buffer. Thread: one owner.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "load/poller.h"
#include "net/tls_client.h"

namespace millrace::load {

/// A resolved host and port.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string name;  // "127.0.0.1:1883", for messages
};
Result<Endpoint> resolve(const std::string& host, std::int64_t port);

/// The one buffer that all links of a thread read into; grows to the largest packet seen.
class InBuffer {
 public:
  explicit InBuffer(std::size_t capacity = 256_KiB) { bytes_.reserve(capacity); }
  [[nodiscard]] std::uint8_t* data() { return bytes_.data(); }
  [[nodiscard]] std::size_t capacity() const { return bytes_.capacity(); }
  void reserve(std::size_t capacity) { bytes_.reserve(capacity); }

 private:
  Buffer bytes_;
};

class Link {
 public:
  Link() = default;
  ~Link() { close(); }
  Link(Link&& other) noexcept;
  Link& operator=(Link&&) = delete;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// From the next connect() on over TLS; each link resumes its own last session. send() waits for the handshake.
  void use_tls(std::shared_ptr<const net::TlsContext> context);
  /// Starts to connect; the poller reports `id` writable when it is through (or has failed: finish_connect tells).
  Result<void> connect(const Endpoint& to, Poller& poller, std::uint32_t id);
  Result<void> finish_connect();
  /// Sends now what the socket takes and keeps the rest. False: the connection is lost, `why()` says how.
  bool send(ByteView bytes);
  /// Sends what was kept.
  bool flush();
  /// One read. The view starts with the partial packet kept before; it is empty when nothing waits. False: lost.
  /// `drained` is false when more may wait in the socket: call again.
  bool receive(InBuffer& in, ByteView& bytes, bool& drained);
  /// Appends what one read brings to `into` (for protocols with large frames, which keep their own buffer). False:
  /// lost.
  bool receive_into(Buffer& into, std::size_t at_most, bool& drained);
  /// Keeps the unparsed end of what receive() gave.
  void keep(ByteView rest);
  void close();
  /// Closes with a reset instead of a farewell.
  void reset();

  [[nodiscard]] bool open() const { return fd_ >= 0; }
  [[nodiscard]] bool blocked() const { return blocked_; }
  /// Over TLS: this connection resumed an earlier one.
  [[nodiscard]] bool resumed() const { return tls_ && tls_->client.resumed(); }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  struct Tls {
    explicit Tls(std::shared_ptr<const net::TlsContext> context) : client(std::move(context)) {}
    net::TlsClient client;
    Buffer waiting;  // plain, for the end of the handshake
  };

  bool lose(std::string why);
  bool send_raw(ByteView bytes);
  /// One recv(): how much came, 0 when nothing waits, -1 when the connection is lost.
  ssize_t receive_raw(std::uint8_t* into, std::size_t room);
  bool receive_tls(InBuffer& in, ByteView& bytes, bool& drained);

  std::unique_ptr<Tls> tls_;
  int fd_ = -1;
  bool blocked_ = false;
  std::size_t sent_ = 0;  // of pending_
  Buffer pending_;
  Buffer partial_;
  std::string why_;
};

}  // namespace millrace::load

#include "net/blocking_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/tls_client.h"

namespace millrace::net {
namespace {

std::unexpected<Error> lost(int error) {
  if (error == EAGAIN || error == EINPROGRESS) return fail(ErrorCode::timed_out, "the server does not answer in time");
  return fail(ErrorCode::closed, "the server closed the connection", error == 0 ? "" : std::strerror(error));
}

// The kernel keeps the deadline of connect (as a send), send and recv.
void set_timeouts(int fd, std::chrono::milliseconds timeout) {
  const timeval limit{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Result<BlockingConnection> BlockingConnection::open(const std::string& host, std::uint16_t port,
                                                    std::chrono::milliseconds timeout) {
  const std::string where = host + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return fail(ErrorCode::unavailable, "no such host", where + ": " + ::gai_strerror(code));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> free_list(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int fd = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    BlockingConnection connection(fd);
    set_timeouts(fd, timeout);
    if (::connect(fd, at->ai_addr, at->ai_addrlen) == 0) return connection;
    error = errno;
  }
  return fail(ErrorCode::unavailable, "no server there", where + ": " + std::strerror(error));
}

BlockingConnection::BlockingConnection(int fd) : fd_(fd) {}

BlockingConnection::BlockingConnection(BlockingConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)), plain_(std::move(other.plain_)) {}

BlockingConnection::~BlockingConnection() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> BlockingConnection::start_tls(std::shared_ptr<const TlsContext> context) {
  tls_ = std::make_unique<TlsClient>(std::move(context));
  Buffer hello;
  tls_->begin(hello);
  MR_TRY(send_raw(hello.view()));
  while (!tls_->is_ready()) MR_TRY(take_sealed());
  return {};
}

Result<void> BlockingConnection::take_sealed() {
  std::uint8_t bytes[16'384];
  MR_TRY_ASSIGN(const std::size_t count, receive_raw(bytes));
  const bool agreed = tls_->is_ready();
  Buffer answer;
  const bool good = tls_->take({bytes, count}, plain_, answer);
  if (!answer.empty()) MR_TRY(send_raw(answer.view()));  // an alert, too: the server's log then says why
  if (good) return {};
  return fail(agreed ? ErrorCode::closed : ErrorCode::permission_denied, "TLS", tls_->why());
}

Result<void> BlockingConnection::send(ByteView bytes) {
  if (!tls_) return send_raw(bytes);
  Buffer sealed;
  if (!tls_->seal(bytes, sealed)) return fail(ErrorCode::closed, "TLS", tls_->why());
  return send_raw(sealed.view());
}

Result<void> BlockingConnection::receive(MutableByteView into) {
  while (!into.empty()) {
    if (!tls_) {
      MR_TRY_ASSIGN(const std::size_t count, receive_raw(into));
      into = into.subspan(count);
    } else if (plain_.empty()) {
      MR_TRY(take_sealed());
    } else {
      const std::size_t count = std::min(into.size(), plain_.size());
      std::memcpy(into.data(), plain_.data(), count);
      plain_.consume(count);
      into = into.subspan(count);
    }
  }
  return {};
}

Result<void> BlockingConnection::send_raw(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return lost(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<std::size_t> BlockingConnection::receive_raw(MutableByteView into) {
  for (;;) {
    const ssize_t count = ::recv(fd_, into.data(), into.size(), 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0 || errno != EINTR) return lost(count == 0 ? 0 : errno);
  }
}

}  // namespace millrace::net

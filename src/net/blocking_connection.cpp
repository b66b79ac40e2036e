#include "net/blocking_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

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

BlockingConnection::BlockingConnection(BlockingConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

BlockingConnection::~BlockingConnection() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> BlockingConnection::send(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return lost(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> BlockingConnection::receive(MutableByteView into) {
  while (!into.empty()) {
    const ssize_t count = ::recv(fd_, into.data(), into.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return lost(count == 0 ? 0 : errno);
    into = into.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace millrace::net

#include "load/link.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace millrace::load {

Result<Endpoint> resolve(const std::string& host, std::int64_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0 || found == nullptr) {
    return fail(ErrorCode::not_found, "cannot resolve the host", fmt::format("{}: {}", host, gai_strerror(code)));
  }
  Endpoint endpoint;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  endpoint.length = found->ai_addrlen;
  endpoint.name = fmt::format("{}:{}", host, port);
  freeaddrinfo(found);
  return endpoint;
}

Link::Link(Link&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      blocked_(other.blocked_),
      sent_(other.sent_),
      pending_(std::move(other.pending_)),
      partial_(std::move(other.partial_)),
      why_(std::move(other.why_)) {}

Result<void> Link::connect(const Endpoint& to, Poller& poller, std::uint32_t id) {
  close();
  why_.clear();
  fd_ = ::socket(to.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    return fail(ErrorCode::io_error, "no more sockets (raise `ulimit -n`)", std::strerror(errno));
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to.address), to.length) != 0 && errno != EINPROGRESS) {
    const int code = errno;
    close();
    return fail(ErrorCode::unavailable, "cannot connect", fmt::format("{}: {}", to.name, std::strerror(code)));
  }
  blocked_ = true;
  return poller.add(fd_, id);
}

Result<void> Link::finish_connect() {
  int code = 0;
  socklen_t length = sizeof code;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &length);
  if (code != 0) {
    close();
    return fail(ErrorCode::unavailable, "cannot connect", std::strerror(code));
  }
  blocked_ = false;
  return {};
}

bool Link::lose(std::string why) {
  why_ = std::move(why);
  close();
  return false;
}

bool Link::send(ByteView bytes) {
  if (fd_ < 0) return false;
  if (!blocked_) {
    while (!bytes.empty()) {
      const ssize_t taken = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (taken >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(taken));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return lose(std::strerror(errno));
      blocked_ = true;
      break;
    }
  }
  pending_.append(bytes);
  return true;
}

bool Link::flush() {
  if (fd_ < 0) return false;
  while (sent_ < pending_.size()) {
    const ssize_t taken = ::send(fd_, pending_.data() + sent_, pending_.size() - sent_, MSG_NOSIGNAL);
    if (taken >= 0) {
      sent_ += static_cast<std::size_t>(taken);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return lose(std::strerror(errno));
    blocked_ = true;
    return true;
  }
  pending_.clear();
  sent_ = 0;
  blocked_ = false;
  return true;
}

bool Link::receive(InBuffer& in, ByteView& bytes, bool& drained) {
  bytes = {};
  drained = true;
  if (fd_ < 0) return false;
  const std::size_t kept = partial_.size();
  if (kept * 2 > in.capacity()) in.reserve(kept * 4);
  if (kept != 0) std::memcpy(in.data(), partial_.data(), kept);
  const std::size_t room = in.capacity() - kept;
  ssize_t got = 0;
  do {
    got = ::recv(fd_, in.data() + kept, room, 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return lose("closed by the server");
  if (got < 0) return errno == EAGAIN ? true : lose(std::strerror(errno));
  partial_.clear();
  drained = static_cast<std::size_t>(got) < room;
  bytes = {in.data(), kept + static_cast<std::size_t>(got)};
  return true;
}

bool Link::receive_into(Buffer& into, std::size_t at_most, bool& drained) {
  drained = true;
  if (fd_ < 0) return false;
  std::uint8_t* const at = into.prepare(at_most);
  ssize_t got = 0;
  do {
    got = ::recv(fd_, at, at_most, 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return lose("closed by the server");
  if (got < 0) return errno == EAGAIN ? true : lose(std::strerror(errno));
  into.commit(static_cast<std::size_t>(got));
  drained = static_cast<std::size_t>(got) < at_most;
  return true;
}

void Link::keep(ByteView rest) {
  partial_.clear();
  if (!rest.empty()) partial_.append(rest);
}

void Link::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  blocked_ = false;
  sent_ = 0;
  pending_.clear();
  partial_.clear();
}

void Link::reset() {
  if (fd_ < 0) return;
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

}  // namespace millrace::load

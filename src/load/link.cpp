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
    : tls_(std::move(other.tls_)),
      fd_(std::exchange(other.fd_, -1)),
      blocked_(other.blocked_),
      sent_(other.sent_),
      pending_(std::move(other.pending_)),
      partial_(std::move(other.partial_)),
      why_(std::move(other.why_)) {}

void Link::use_tls(std::shared_ptr<const net::TlsContext> context) {
  tls_ = std::make_unique<Tls>(std::move(context));
}

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
  if (!tls_) return {};
  Buffer hello;
  tls_->client.begin(hello);
  if (!send_raw(hello.view())) return fail(ErrorCode::unavailable, "cannot connect", why_);
  return {};
}

bool Link::lose(std::string why) {
  why_ = std::move(why);
  close();
  return false;
}

bool Link::send(ByteView bytes) {
  if (!tls_) return send_raw(bytes);
  if (fd_ < 0) return false;
  if (blocked_ || !tls_->client.is_ready()) {
    tls_->waiting.append(bytes);
    return true;
  }
  Buffer records;
  return tls_->client.seal(bytes, records) ? send_raw(records.view()) : lose(tls_->client.why());
}

bool Link::send_raw(ByteView bytes) {
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
  if (!tls_ || tls_->waiting.empty() || !tls_->client.is_ready()) return true;
  const Buffer waiting = std::exchange(tls_->waiting, Buffer());
  return send(waiting.view());
}

ssize_t Link::receive_raw(std::uint8_t* into, std::size_t room) {
  ssize_t got = 0;
  do {
    got = ::recv(fd_, into, room, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return got;
  if (got < 0 && errno == EAGAIN) return 0;
  lose(got == 0 ? "closed by the server" : std::strerror(errno));
  return -1;
}

bool Link::receive_tls(InBuffer& in, ByteView& bytes, bool& drained) {
  const ssize_t got = receive_raw(in.data(), in.capacity());
  if (got <= 0) return got == 0;
  drained = static_cast<std::size_t>(got) < in.capacity();
  Buffer plain = std::exchange(partial_, Buffer());
  Buffer answer;
  const bool good = tls_->client.take({in.data(), static_cast<std::size_t>(got)}, plain, answer);
  if (!answer.empty() && !send_raw(answer.view())) return false;
  if (!good && plain.empty()) return lose(tls_->client.why());
  if (!blocked_ && !flush()) return false;
  if (plain.size() > in.capacity()) in.reserve(2 * plain.size());
  if (!plain.empty()) std::memcpy(in.data(), plain.data(), plain.size());
  bytes = {in.data(), plain.size()};
  return true;
}

bool Link::receive(InBuffer& in, ByteView& bytes, bool& drained) {
  bytes = {};
  drained = true;
  if (fd_ < 0) return false;
  if (tls_) return receive_tls(in, bytes, drained);
  const std::size_t kept = partial_.size();
  if (kept * 2 > in.capacity()) in.reserve(kept * 4);
  if (kept != 0) std::memcpy(in.data(), partial_.data(), kept);
  const std::size_t room = in.capacity() - kept;
  const ssize_t got = receive_raw(in.data() + kept, room);
  if (got <= 0) return got == 0;
  partial_.clear();
  drained = static_cast<std::size_t>(got) < room;
  bytes = {in.data(), kept + static_cast<std::size_t>(got)};
  return true;
}

bool Link::receive_into(Buffer& into, std::size_t at_most, bool& drained) {
  drained = true;
  if (fd_ < 0) return false;
  const ssize_t got = receive_raw(into.prepare(at_most), at_most);
  if (got <= 0) return got == 0;
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
  if (tls_) tls_->waiting.clear();
}

void Link::reset() {
  if (fd_ < 0) return;
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

}  // namespace millrace::load

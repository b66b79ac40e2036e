#include "net/testing/socket_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace millrace::net::testing {

SocketClient::SocketClient(std::uint16_t port, int receive_buffer)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer != 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

SocketClient::~SocketClient() {
  if (fd_ >= 0) ::close(fd_);
}

std::uint32_t SocketClient::unacknowledged() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_unacked : ~std::uint32_t{0};
}

bool SocketClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string SocketClient::receive(std::size_t count) {
  std::string result;
  std::array<char, 65536> part;
  while (result.size() < count) {
    const ssize_t got = ::recv(fd_, part.data(), std::min(part.size(), count - result.size()), 0);
    if (got <= 0) {
      last_error_ = got < 0 ? errno : 0;
      break;
    }
    result.append(part.data(), static_cast<std::size_t>(got));
  }
  return result;
}

std::string SocketClient::receive_all() {
  return receive(static_cast<std::size_t>(-1));
}

bool SocketClient::ended() {
  char byte = 0;
  const ssize_t got = ::recv(fd_, &byte, 1, 0);
  last_error_ = got < 0 ? errno : 0;
  return got == 0 || (got < 0 && (errno == ECONNRESET || errno == EPIPE));
}

void SocketClient::finish_sending() {
  ::shutdown(fd_, SHUT_WR);
}

void SocketClient::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(std::exchange(fd_, -1));
}

LoopThread::LoopThread() : thread_([this] { loop_.run(); }) {}

LoopThread::~LoopThread() {
  stop();
}

void LoopThread::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace millrace::net::testing

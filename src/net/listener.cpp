#include "net/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/log.h"
#include "net/connection_count.h"
#include "net/loop_impl.h"
#include "net/proxy_stream.h"
#include "net/tcp_stream.h"

namespace millrace::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 64;
constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<SocketAddress> to_socket_address(const Address& address) {
  SocketAddress result;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (is_unix(address)) {
    sockaddr_un path{};
    if (address.host.size() >= sizeof path.sun_path) {
      return fail(ErrorCode::invalid_argument, "the path of a UNIX socket is too long (107 bytes at most)",
                  address.host);
    }
    path.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(path.sun_path), address.host.data(), address.host.size());
    std::memcpy(&result.storage, &path, sizeof path);
    result.size = sizeof path;
    return result;
  }
  if (::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.size = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.size = sizeof v6;
  } else {
    return fail(ErrorCode::invalid_argument, "not an IP address", address.host);
  }
  return result;
}

/// A socket that closes itself.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::unexpected<Error> refused(const char* what, const Address& address, int error) {
  const ErrorCode code = error == EADDRINUSE ? ErrorCode::already_exists
                         : error == EACCES   ? ErrorCode::permission_denied
                                             : ErrorCode::io_error;
  return fail(code, what, address.to_string() + ": " + std::strerror(error));
}

Result<Socket> bound_socket(const Address& address, const SocketAddress& where, bool share) {
  Socket socket(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return refused("cannot make a socket for", address, errno);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (share) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (where.storage.ss_family == AF_INET6) {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(socket.get(), where.get(), where.size) != 0) return refused("cannot listen on", address, errno);
  return socket;
}

// What a killed server left behind is in the way; a socket that somebody listens on, or a file, is not ours to remove.
Result<void> make_way(const Address& address, const SocketAddress& where) {
  struct stat found{};
  if (::lstat(address.host.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) return refused("there is a file that is no socket at", address, EADDRINUSE);
  const Socket probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), where.get(), where.size) == 0 || errno != ECONNREFUSED) {
    return refused("cannot listen on", address, EADDRINUSE);
  }
  ::unlink(address.host.c_str());
  return {};
}

}  // namespace

struct Listener::Impl final : Pollable {
  Impl(Loop& runs, int socket, Address bound, Accept callback, std::shared_ptr<ConnectionCount> counted)
      : owner(runs),
        loop(runs.impl()),
        fd(socket),
        address(std::move(bound)),
        accept(std::move(callback)),
        count(std::move(counted)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  void stop() {
    loop.timers.cancel(std::exchange(pause, 0));
    if (fd < 0) return;
    if (accepting) loop.remove(*this, fd);
    accepting = false;
    ::close(std::exchange(fd, -1));
    if (unlinks) ::unlink(address.host.c_str());
  }

  void resume() {
    if (fd < 0 || accepting) return;
    loop.add(*this, fd, EPOLLIN);
    accepting = true;
  }

  void on_ready(std::uint32_t) override {
    for (int i = 0; i < kAcceptsPerTurn && accepting; ++i) {
      if (gate != nullptr) {
        if (const auto wait = gate->wait(); wait.count() != 0) return pause_for(wait);
      }
      SocketAddress peer;
      peer.size = sizeof peer.storage;
      const int connection =
          ::accept4(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (connection < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_accepting(errno);
        return;  // EAGAIN: all taken; anything else belongs to a connection that is gone already
      }
      told = false;
      if (gate != nullptr) gate->accepted();
      if (!count->enter()) {
        ::close(connection);
        if (!std::exchange(full, true)) log::warn("connections_refused", {{"listener", address.to_string()}});
        continue;
      }
      full = false;
      const int on = 1;
      ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      accept(layered(std::make_unique<TcpStream>(loop, connection, peer.storage, ConnectionCount::Place(count))));
    }
  }

  [[nodiscard]] std::unique_ptr<Stream> layered(std::unique_ptr<Stream> stream) {
    if (!proxies.empty()) stream = behind_proxy(owner, std::move(stream), proxies);
    return tls ? tls->wrap(std::move(stream)) : std::move(stream);
  }

  // The waiting connections stay in the backlog; without the pause their readiness would keep the loop spinning.
  void pause_accepting(int error) {
    if (!std::exchange(told, true)) {
      log::warn("accept_paused", {{"listener", address.to_string()}, {"error", std::strerror(error)}});
    }
    pause_for(kPauseWithoutDescriptors);
  }

  void pause_for(std::chrono::milliseconds time) {
    loop.remove(*this, fd);
    accepting = false;
    pause = loop.timers.add(loop.now() + time, [this] {
      pause = 0;
      resume();
    });
  }

  Loop& owner;
  Loop::Impl& loop;
  int fd;
  Address address;
  Accept accept;
  AcceptGate* gate = nullptr;
  std::uint64_t pause = 0;
  bool unlinks = false;  // a UNIX socket's first listener removes its path
  bool accepting = false;
  bool told = false;  // the log line of this shortage was written
  std::shared_ptr<ConnectionCount> count;
  bool full = false;  // the log line of this fullness was written
  std::optional<TlsAcceptor> tls;
  std::vector<Network> proxies;
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() = default;
void Listener::limit_connections(std::size_t most, metrics::Counter& refused) {
  impl_->count->limit(most, refused);
}
void Listener::set_layers(const StreamLayers& layers) {
  if (layers.tls) impl_->tls.emplace(impl_->owner, layers.tls, layers.worker, layers.tls_metrics);
  impl_->proxies = layers.proxies;
}
void Listener::set_gate(AcceptGate& gate) {
  impl_->gate = &gate;
}
Address Listener::address() const {
  return impl_->address;
}
void Listener::start() {
  impl_->resume();
}
void Listener::stop() {
  impl_->stop();
}

Result<std::unique_ptr<Listener>> Listener::bind(Loop& loop, const Address& address, Accept accept,
                                                 const Listener* joins) {
  Address wanted = joins != nullptr ? joins->address() : address;
  MR_TRY_ASSIGN(const SocketAddress where, to_socket_address(wanted));
  if (is_unix(wanted)) {
    // There is one socket of that name: all loops accept from it.
    if (joins == nullptr) MR_TRY(make_way(wanted, where));
    Socket socket(joins != nullptr ? ::fcntl(joins->impl_->fd, F_DUPFD_CLOEXEC, 0)
                                   : ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.get() < 0) return refused("cannot make a socket for", wanted, errno);
    const bool first = joins == nullptr;
    if (first && (::bind(socket.get(), where.get(), where.size) != 0 || ::listen(socket.get(), kBacklog) != 0)) {
      return refused("cannot listen on", wanted, errno);
    }
    auto shared = first ? std::make_shared<ConnectionCount>() : joins->impl_->count;
    auto made = std::make_unique<Impl>(loop, socket.release(), std::move(wanted), std::move(accept), std::move(shared));
    made->unlinks = first;
    return std::unique_ptr<Listener>(new Listener(std::move(made)));
  }
  if (joins == nullptr && wanted.port != 0) {
    // SO_REUSEPORT would quietly share the port with another process of the same user; a bind without it tells.
    MR_TRY(bound_socket(wanted, where, false));
  }
  MR_TRY_ASSIGN(Socket socket, bound_socket(wanted, where, true));
  if (::listen(socket.get(), kBacklog) != 0) return refused("cannot listen on", wanted, errno);
  if (wanted.port == 0) {
    SocketAddress bound;
    bound.size = sizeof bound.storage;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) != 0) {
      return refused("cannot listen on", wanted, errno);
    }
    // Both address families keep the port at the same place.
    sockaddr_in in{};
    std::memcpy(&in, &bound.storage, sizeof in);
    wanted.port = ntohs(in.sin_port);
  }
  auto count = joins != nullptr ? joins->impl_->count : std::make_shared<ConnectionCount>();
  auto impl = std::make_unique<Impl>(loop, socket.release(), std::move(wanted), std::move(accept), std::move(count));
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

}  // namespace millrace::net

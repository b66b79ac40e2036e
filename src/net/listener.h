// Listener: accepts connections for one loop. With several loops each has its own socket on the same address
// (SO_REUSEPORT), so the kernel spreads connections and nothing is handed over. TCP_NODELAY is set on every connection;
// the backlog is 4096.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "metrics/registry.h"
#include "net/accept_gate.h"
#include "net/loop.h"
#include "net/proxy_header.h"
#include "net/stream.h"
#include "net/tls_stream.h"

namespace millrace::net {

struct Address {
  std::string host = "127.0.0.1";  // an IP address; "/path": a UNIX socket, without a port
  std::uint16_t port = 0;          // 0: any free one
  /// "127.0.0.1:1883", "[::1]:1883", "/run/millrace.sock"
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool is_loopback() const;
};
/// "host:port", "[v6]:port" or ":port"; invalid_argument otherwise.
Result<Address> parse_address(std::string_view text);

/// What stands between the sockets of a listener and its protocol.
struct StreamLayers {
  std::shared_ptr<TlsContext> tls{};  // null: plain
  Executor* worker = nullptr;         // calculates handshakes; null: the loop does
  TlsMetrics* tls_metrics = nullptr;
  bool proves_clients = false;     // clients must show a certificate, which says who they are
  std::vector<Network> proxies{};  // who must begin every connection with a PROXY header; empty: nobody
};

class Listener {
 public:
  using Accept = std::move_only_function<void(std::unique_ptr<Stream>)>;
  /// Binds and listens, not yet accepting. Thread: any, before the loop runs. already_exists when the port is taken,
  /// also by another process that would share it. The listeners of the other loops name the first one in `joins` and
  /// get its address. io_error: anything else the system refuses, in words.
  static Result<std::unique_ptr<Listener>> bind(Loop& loop, const Address& address, Accept accept,
                                                const Listener* joins = nullptr);
  ~Listener();
  /// Connections open at a time through this listener and all that join it, now or later. Further ones are closed at
  /// once and counted in `refused`, which outlives them all; a log line tells when that begins. Thread: any, before
  /// start().
  void limit_connections(std::size_t most, metrics::Counter& refused);
  /// Every connection passes through `layers`. Worker and metrics outlive the connections. Thread: any, before start().
  void set_layers(const StreamLayers& layers);
  /// Accepts only when `gate` lets it; the gate outlives this. Thread: any, before start().
  void set_gate(AcceptGate& gate);
  /// The bound address, port resolved.
  [[nodiscard]] Address address() const;
  /// Thread: the loop's. Accepting pauses by itself for a moment when file descriptors run out, with a log line.
  void start();
  void stop();

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::net

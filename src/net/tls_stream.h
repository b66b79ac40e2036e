// TlsAcceptor: makes streams whose bytes are encrypted on the stream below.
//
// Only whole TLS records are given to OpenSSL; the stream below keeps the rest, so a record that is only claimed costs
// nothing. Handshakes are calculated by the worker, when there is one, while the loop goes on: the session then belongs
// to the worker's task and nothing else touches it. How many are under way on a loop is bounded; further connections
// wait unread. The handler hears nothing before the handshake is done. An idle connection holds the session and no
// buffers. The stream ends with close_notify in both directions; an end without it is an end like any other, because
// every protocol here frames its messages. Thread: the loop's.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/executor.h"
#include "metrics/registry.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace millrace::net {

struct TlsLimits {
  std::chrono::milliseconds handshake_time{10'000};  // from the accept, waiting included
  std::size_t handshake_bytes = 128_KiB;             // that the other side may send until it is done
  std::size_t handshakes = 1000;                     // under way at a time on one loop
};

/// Handshakes by listener and outcome.
struct TlsMetrics {
  TlsMetrics(metrics::Registry& registry, const std::string& listener);
  metrics::Counter& full;
  metrics::Counter& resumed;
  metrics::Counter& failed;
};

/// For one listener on one loop. Its streams may outlive it; loop, worker and metrics outlive them. `worker` null:
/// handshakes are calculated in the loop.
class TlsAcceptor {
 public:
  TlsAcceptor(Loop& loop, std::shared_ptr<TlsContext> context, Executor* worker, TlsMetrics* metrics,
              TlsLimits limits = {});
  [[nodiscard]] std::unique_ptr<Stream> wrap(std::unique_ptr<Stream> below);

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace millrace::net

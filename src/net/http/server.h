// Server: HTTP/1.1 for one loop: a listener, its connections, and the checks that every request passes before its
// handler sees it. With several loops there is one Server per loop, sharing one Router.
//
//   http::Router router;
//   router.add_simple("GET", "/healthz", [](const http::Request&) { return http::Response::json(200, "{}"); });
//   MR_TRY_ASSIGN(auto server, http::Server::listen(loop, address, router, registry, {}));
//   loop.post([&] { server->start(); });
//
// Thread: the loop's, except listen(), which comes before the loop runs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "metrics/registry.h"
#include "net/http/request_reader.h"
#include "net/http/router.h"
#include "net/listener.h"
#include "net/loop.h"

namespace millrace::net::http {

/// Decides by the value of a request's Authorization header (empty: none) whether it may go on. `verdict` is called
/// once, on the server's loop.
using Guard = std::function<void(std::string_view authorization, std::move_only_function<void(bool)> verdict)>;

struct ServerOptions {
  ReadLimits read{};
  std::size_t max_connections = 1000;
  std::chrono::milliseconds request_timeout{10'000};  // from its first to its last byte
  std::chrono::milliseconds idle_timeout{60'000};
  std::vector<std::string> allowed_hosts{};  // names, in lower case, besides localhost and addresses
  std::string name = "http";                 // the value of the metrics' server label
  StreamLayers layers{};                     // TLS, when it is an HTTPS server
  Guard guard{};                             // for every route but those open to any host; empty: nobody is asked
};

/// May a browser's page have been meant for this server? `host` is a Host header's value: a name or address, with or
/// without a port.
bool is_trusted_host(std::string_view host, const std::vector<std::string>& allowed_hosts);

class Server {
 public:
  /// `router` must outlive the server. Errors: those of Listener::bind.
  static Result<std::unique_ptr<Server>> listen(Loop& loop, const Address& address, const Router& router,
                                                metrics::Registry& metrics, ServerOptions options,
                                                const Server* joins = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] Address address() const { return listener_->address(); }
  void start() { listener_->start(); }
  /// Stops accepting, closes idle connections, and the others when their request is answered.
  void drain();
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

  // For Connection.
  void handle(Request request, Responder responder);
  void forget(Connection& connection);
  void count(int status);
  void count_refused() { refused_.add(); }
  [[nodiscard]] Loop& loop() { return loop_; }
  [[nodiscard]] const ServerOptions& options() const { return options_; }

 private:
  Server(Loop& loop, const Router& router, metrics::Registry& metrics, ServerOptions options);
  void accept(std::unique_ptr<Stream> stream);
  void answer(Request request, Responder responder, const Router::Match& match);

  Loop& loop_;
  const Router& router_;
  ServerOptions options_;
  metrics::Counter* answered_[6];  // by the first digit of the status
  metrics::Counter& refused_;
  metrics::Counter& turned_away_;
  metrics::Gauge& open_;
  std::unique_ptr<Listener> listener_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
};

}  // namespace millrace::net::http

#include "net/http/server.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "net/http/connection.h"

namespace millrace::net::http {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// "host:port" without the port; brackets of IPv6 removed.
std::string host_part(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    return end == std::string_view::npos ? std::string() : std::string(authority.substr(1, end - 1));
  }
  return lower(authority.substr(0, authority.find(':')));
}

bool changes_something(const Request& request) {
  return request.method != "GET" && request.method != "HEAD";
}

/// The page that asks must have come from this server: "http://" or "https://" and the very authority of Host.
bool same_origin(std::string_view origin, std::string_view host) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && lower(origin.substr(scheme + 3)) == lower(host);
}

}  // namespace

bool is_trusted_host(std::string_view host, const std::vector<std::string>& allowed_hosts) {
  const std::string name = host_part(host);
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1 || ::inet_pton(AF_INET6, name.c_str(), &v6) == 1) return true;
  return name == "localhost" || std::find(allowed_hosts.begin(), allowed_hosts.end(), name) != allowed_hosts.end();
}

Server::Server(Loop& loop, const Router& router, metrics::Registry& metrics, ServerOptions options)
    : loop_(loop),
      router_(router),
      options_(std::move(options)),
      refused_(metrics.counter("millrace_http_malformed_requests_total", "Requests refused before a handler saw them",
                               {{"server", options_.name}})),
      turned_away_(metrics.counter("millrace_http_connections_refused_total",
                                   "Connections over the limit, closed at once", {{"server", options_.name}})),
      open_(metrics.gauge("millrace_http_connections", "Open HTTP connections", {{"server", options_.name}})) {
  for (std::size_t digit = 0; digit < std::size(answered_); ++digit) {
    answered_[digit] = &metrics.counter("millrace_http_responses_total", "HTTP responses by class of status",
                                        {{"server", options_.name}, {"status", std::to_string(digit) + "xx"}});
  }
}

Server::~Server() {
  open_.add(-static_cast<std::int64_t>(connections_.size()));
}

Result<std::unique_ptr<Server>> Server::listen(Loop& loop, const Address& address, const Router& router,
                                               metrics::Registry& metrics, ServerOptions options, const Server* joins) {
  std::unique_ptr<Server> server(new Server(loop, router, metrics, std::move(options)));
  MR_TRY_ASSIGN(
      server->listener_,
      Listener::bind(
          loop, address, [self = server.get()](std::unique_ptr<Stream> stream) { self->accept(std::move(stream)); },
          joins == nullptr ? nullptr : joins->listener_.get()));
  server->listener_->set_layers(server->options_.layers);
  return server;
}

void Server::accept(std::unique_ptr<Stream> stream) {
  if (connections_.size() >= options_.max_connections) {
    turned_away_.add();
    return;
  }
  auto connection = std::make_unique<Connection>(*this, std::move(stream));
  Connection* key = connection.get();
  connections_.emplace(key, std::move(connection));
  open_.add(1);
  key->start();
}

void Server::forget(Connection& connection) {
  connections_.erase(&connection);
  open_.add(-1);
}

void Server::count(int status) {
  const int digit = status / 100;
  answered_[digit > 0 && digit < 6 ? digit : 0]->add();
}

void Server::drain() {
  listener_->stop();
  for (auto& [key, connection] : connections_) connection->drain();
}

void Server::handle(Request request, Responder responder) {
  const std::string_view host = request.header("host");
  const Router::Match match = router_.match(request);
  const bool open = match.route != nullptr && match.route->access == Access::any_host && !changes_something(request);
  if (!open && !host.empty() && !is_trusted_host(host, options_.allowed_hosts)) {
    responder.respond(
        Response::error(403, "untrusted_host",
                        "'" + std::string(host) + "' is not a name of this server; add it to its allowed hosts"));
    return;
  }
  const std::string_view origin = request.header("origin");
  if (changes_something(request) && !origin.empty() && !same_origin(origin, host)) {
    responder.respond(Response::error(403, "foreign_origin", "pages of other sites may not change anything here"));
    return;
  }
  if (!open && options_.guard) {
    const std::string authorization(request.header("authorization"));
    options_.guard(authorization, [this, request = std::move(request), responder = std::move(responder),
                                   match](bool admitted) mutable {
      if (admitted) return answer(std::move(request), std::move(responder), match);
      Response response = Response::error(401, "unauthorized", "a user name and password that may do this are needed");
      response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"millrace\", charset=\"UTF-8\"");
      responder.respond(std::move(response));
    });
    return;
  }
  answer(std::move(request), std::move(responder), match);
}

void Server::answer(Request request, Responder responder, const Router::Match& match) {
  if (match.route != nullptr) {
    match.route->endpoint(std::move(request), std::move(responder));
    return;
  }
  if (match.allowed.empty()) {
    responder.respond(Response::error(404, "not_found", "there is nothing at " + request.path));
    return;
  }
  const bool asks = request.method == "OPTIONS";
  Response response = asks ? Response{204, "", {}, ""}
                           : Response::error(405, "method_not_allowed", request.path + " takes " + match.allowed);
  response.headers.emplace_back("Allow", match.allowed);
  responder.respond(std::move(response));
}

}  // namespace millrace::net::http

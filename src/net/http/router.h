// Router: which handler answers which request. A pattern is a path whose segments are words or {names}:
// "/connectors/{name}/status". A word wins over a {name}. Routes are added by the modules they belong to, before the
// server starts. Thread: any once complete.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/message.h"
#include "net/http/responder.h"

namespace millrace::net::http {

/// Called on the loop; answers now or later through the responder, from any thread.
using Endpoint = std::function<void(Request request, Responder responder)>;

/// Who may ask under which name. A page of another site can make a browser ask a server it can reach; the name it asks
/// under (Host) gives that away.
enum class Access : std::uint8_t {
  trusted_host,  // Host must be an address, localhost or an allowed name
  any_host,      // for probes and scrapers; only for GET, and for what is no secret
};

class Router {
 public:
  /// Requires a pattern that starts with '/' and was not added for this method before.
  void add(std::string_view method, std::string_view pattern, Endpoint endpoint, Access access = Access::trusted_host);
  /// Answers at once, from a function of the request.
  void add_simple(std::string_view method, std::string_view pattern, std::function<Response(const Request&)> answer,
                  Access access = Access::trusted_host);

  struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    Endpoint endpoint;
    Access access;
  };
  struct Match {
    const Route* route = nullptr;  // null: see allowed
    std::string allowed;           // methods of this path, for 405 and OPTIONS; empty: 404
  };
  /// Fills request.parameters. HEAD finds GET.
  Match match(Request& request) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace millrace::net::http

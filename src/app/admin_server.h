// AdminServer: the HTTP listener for people and monitors, on a loop and thread of its own, so that /healthz and
// /metrics answer while the other loops are busy.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin/readiness.h"
#include "app/mqtt_routes.h"
#include "app/rule_service.h"
#include "app/security.h"
#include "app/settings.h"
#include "base/result.h"
#include "metrics/registry.h"
#include "net/http/router.h"
#include "net/http/server.h"
#include "net/loop.h"

namespace millrace::app {

class AdminServer {
 public:
  using Listeners = std::vector<std::pair<std::string, std::string>>;

  /// Binds and serves at once (rules as soon as `rules` is started); not ready until readiness() says so. Errors: those
  /// of Listener::bind.
  static Result<std::unique_ptr<AdminServer>> start(const Settings& settings, const net::Address& address,
                                                    Security& security, metrics::Registry& metrics, RuleService& rules,
                                                    MqttService& mqtt);
  ~AdminServer();

  [[nodiscard]] net::Address address() const { return address_; }
  [[nodiscard]] admin::Readiness& readiness() { return readiness_; }
  /// What GET / shows. Before set_ready().
  void set_listeners(Listeners listeners);
  void stop();

 private:
  AdminServer() = default;

  Guarded<Listeners> listeners_;
  admin::Readiness readiness_;
  net::http::Router router_;
  net::Loop loop_;
  std::unique_ptr<net::http::Server> server_;
  net::Address address_;
  std::thread thread_;
};

}  // namespace millrace::app

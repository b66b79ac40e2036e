#include "app/admin_server.h"

#include "admin/routes.h"
#include "app/build_identity.h"
#include "app/reference_routes.h"
#include "app/rule_routes.h"
#include "base/thread_name.h"

namespace millrace::app {

Result<std::unique_ptr<AdminServer>> AdminServer::start(const Settings& settings, const net::Address& address,
                                                        Security& security, metrics::Registry& metrics,
                                                        RuleService& rules, MqttService& mqtt) {
  std::unique_ptr<AdminServer> admin(new AdminServer());
  AdminServer* const self = admin.get();
  admin::add_routes(
      admin->router_,
      {.metrics = metrics, .readiness = admin->readiness_, .build = build_identity(), .listeners = [self] {
         return self->listeners_.with([](const auto& all) { return all; });
       }});
  add_rule_routes(admin->router_, rules);
  add_reference_routes(admin->router_, rules);
  add_mqtt_routes(admin->router_, mqtt, admin->loop_);
  net::http::ServerOptions options;
  options.read.body_bytes = settings.http.max_body_bytes;
  options.max_connections = static_cast<std::size_t>(settings.http.max_connections);
  options.request_timeout = settings.http.request_timeout;
  options.idle_timeout = settings.http.idle_timeout;
  options.allowed_hosts = settings.http.allowed_hosts;
  options.layers = security.http_layers();
  options.guard = security.http_guard(admin->loop_);
  security.add_routes(admin->router_, admin->loop_);
  MR_TRY_ASSIGN(admin->server_, net::http::Server::listen(admin->loop_, address, admin->router_, metrics, options));
  admin->address_ = admin->server_->address();
  admin->loop_.post([self] { self->server_->start(); });
  admin->thread_ = std::thread([self] {
    name_this_thread("admin");
    self->loop_.run();
  });
  return admin;
}

AdminServer::~AdminServer() {
  stop();
}

void AdminServer::set_listeners(Listeners listeners) {
  listeners_.with([&](auto& all) { all = std::move(listeners); });
}

void AdminServer::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] { server_->drain(); });
  loop_.stop();
  thread_.join();
}

}  // namespace millrace::app

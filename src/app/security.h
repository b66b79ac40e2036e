// Security: certificates, users and permissions of the running server, put together from the settings: what every
// listener is given, and what is read again when the operator asks.
//
// Thread: construction and stop() the starting thread's; reload() any, one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/settings.h"
#include "auth/acls.h"
#include "auth/authenticator.h"
#include "auth/permissions.h"
#include "auth/users.h"
#include "base/clock.h"
#include "base/worker_thread.h"
#include "metrics/registry.h"
#include "net/http/router.h"
#include "net/http/server.h"
#include "net/listener.h"
#include "topics/table_topic.h"

namespace millrace::app {

class Security {
 public:
  /// Reads every file the settings name. Errors say which one and what to do.
  static Result<std::unique_ptr<Security>> open(const Settings& settings, metrics::Registry& metrics);
  ~Security();

  /// Users and ACLs of the log from here on. Blocks until they are read. `log` and `clock` outlive stop().
  Result<void> open_tables(topics::TopicLog& log, const Clock& clock);

  [[nodiscard]] net::StreamLayers mqtt_layers(bool tls);
  [[nodiscard]] net::StreamLayers kafka_layers(bool tls);
  [[nodiscard]] net::StreamLayers http_layers();
  [[nodiscard]] net::StreamLayers connect_layers();
  [[nodiscard]] auth::Authenticator& authenticator() { return authenticator_; }
  /// Null while no file of rules is configured.
  [[nodiscard]] const auth::PermissionSlot* permissions() const;
  /// Null while Kafka clients may do everything.
  [[nodiscard]] auth::Acls* acls();
  /// Lets only super users in; empty when the HTTP interface asks for no log-in. `loop` is the server's.
  [[nodiscard]] net::http::Guard http_guard(net::Loop& loop) { return guard(settings_.http_authentication, loop); }
  [[nodiscard]] net::http::Guard connect_guard(net::Loop& loop) {
    return guard(settings_.connect_authentication, loop);
  }
  /// GET /api/v1/users, PUT and DELETE /api/v1/users/{name}, GET /api/v1/acls, POST /api/v1/security/reload.
  void add_routes(net::http::Router& router, net::Loop& loop);

  /// Certificates, password file and permissions file, each all or nothing: what cannot be read stays as it was, with a
  /// log line; the result names the first of them.
  Result<void> reload();
  /// The worker ends: after the loops, before the log.
  void stop();

 private:
  class Table;
  Security(const Settings& settings, metrics::Registry& metrics);
  Result<void> open_tls();
  [[nodiscard]] net::http::Guard guard(const std::string& authentication, net::Loop& loop);
  Result<void> read_files();
  Result<void> read_permissions();
  [[nodiscard]] net::StreamLayers layers(const std::shared_ptr<net::TlsContext>& tls, net::TlsMetrics* tls_metrics,
                                         const std::vector<std::string>& proxies);

  const SecuritySettings settings_;
  const bool mqtt_tls_on_;
  const bool kafka_tls_on_;
  WorkerThread worker_;
  auth::Users users_;
  auth::Authenticator authenticator_;
  auth::PermissionSlot permissions_;
  auth::Acls acls_;
  std::shared_ptr<net::TlsContext> mqtt_tls_;
  std::shared_ptr<net::TlsContext> kafka_tls_;
  std::shared_ptr<net::TlsContext> http_tls_;
  std::shared_ptr<net::TlsContext> connect_tls_;
  net::TlsMetrics mqtt_tls_metrics_;
  net::TlsMetrics kafka_tls_metrics_;
  net::TlsMetrics http_tls_metrics_;
  net::TlsMetrics connect_tls_metrics_;
  std::unique_ptr<Table> users_table_;
  std::unique_ptr<Table> acls_table_;
};

}  // namespace millrace::app

#include "app/security.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <future>
#include <sstream>

#include "app/security_routes.h"
#include "base/log.h"
#include "base/rng.h"
#include "codec/base64.h"

namespace millrace::app {
namespace {

Result<std::string> read_file(const std::string& path, std::string_view key) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) {
    return fail(ErrorCode::invalid_argument, "cannot read a file of the configuration",
                path + " ('" + std::string(key) + "'): " + std::strerror(errno) +
                    "; it must exist and be readable by the user millrace runs as");
  }
  return std::move(text).str();
}

Result<net::TlsMaterial> read_material(const SecuritySettings& settings) {
  net::TlsMaterial material;
  MR_TRY_ASSIGN(material.certificates, read_file(settings.tls_certificate_file, "tls.certificate.file"));
  MR_TRY_ASSIGN(material.key, read_file(settings.tls_key_file, "tls.key.file"));
  if (!settings.tls_client_ca_file.empty()) {
    MR_TRY_ASSIGN(material.authorities, read_file(settings.tls_client_ca_file, "tls.client.ca.file"));
  }
  return material;
}

net::ClientCertificates client_certificates(std::string_view word) {
  if (word == "required") return net::ClientCertificates::required;
  return word == "requested" ? net::ClientCertificates::requested : net::ClientCertificates::none;
}

void warn_of_expiry(const net::TlsContext& context) {
  constexpr std::int64_t kDay = 86'400;
  const std::int64_t left = context.expires_at_s() - SystemClock().wall().count() / 1000;
  if (left < 14 * kDay) log::warn("tls_certificate_ends", {{"days_left", left / kDay}});
}

}  // namespace

/// A topic of the log that holds a table of names. Thread: the worker's, but for open().
class Security::Table final : public auth::Storage {
 public:
  /// Blocks until `restore` has seen all of it.
  static Result<std::unique_ptr<Table>> open(topics::TopicLog& log, const Clock& clock, WorkerThread& worker,
                                             std::string_view name, topics::TableTopic::Visit restore) {
    std::promise<Result<std::shared_ptr<topics::TableTopic>>> opened;
    auto result = opened.get_future();
    worker.post([&] {
      topics::TableTopic::open(
          log, clock, worker, {.name = std::string(name)}, std::move(restore),
          [&opened](Result<std::shared_ptr<topics::TableTopic>> table) { opened.set_value(std::move(table)); });
    });
    auto made = std::make_unique<Table>();
    MR_TRY_ASSIGN(made->topic_, result.get());
    return made;
  }
  void put(std::string_view name, const std::optional<std::string>& text, Done done) override {
    const auto value = text ? std::optional<ByteView>(as_bytes(*text)) : std::nullopt;
    topic_->put(as_bytes(name), value, std::move(done));
  }

 private:
  std::shared_ptr<topics::TableTopic> topic_;
};

Security::Security(const Settings& settings, metrics::Registry& metrics)
    : settings_(settings.security),
      mqtt_tls_on_(settings.mqtt_tls_listener.port.has_value() || settings.ws_tls_listener.port.has_value()),
      kafka_tls_on_(settings.kafka_tls_listener.port.has_value()),
      worker_("security"),
      users_(true),
      authenticator_(users_, &worker_, metrics, &system_entropy),
      acls_(true, settings.security.everyone_without_acl),
      mqtt_tls_metrics_(metrics, "mqtts"),
      kafka_tls_metrics_(metrics, "kafka_tls"),
      http_tls_metrics_(metrics, "https"),
      connect_tls_metrics_(metrics, "connect") {
  // Where cores are few a storm of handshakes must not keep the loops from those who are connected. (The nice value of
  // Linux is a thread's.)
  constexpr int kBehindTheLoops = 5;
  worker_.post([] { (void)::setpriority(PRIO_PROCESS, 0, kBehindTheLoops); });
}

Security::~Security() {
  stop();
}

Result<std::unique_ptr<Security>> Security::open(const Settings& settings, metrics::Registry& metrics) {
  std::unique_ptr<Security> security(new Security(settings, metrics));
  MR_TRY(security->open_tls());
  MR_TRY(security->read_files());
  const auto& plain = settings.security.kafka_sasl;
  if (std::ranges::find(plain, "PLAIN") != plain.end() &&
      !net::Address{settings.kafka_listener.host, 0}.is_loopback()) {
    log::warn("passwords_in_the_clear",
              {{"listener", "kafka"}, {"what_to_do", "use SCRAM there, or PLAIN on the listener over TLS"}});
  }
  return security;
}

Result<void> Security::open_tls() {
  if (!mqtt_tls_on_ && !kafka_tls_on_ && !settings_.http_tls && !settings_.connect_tls) return {};
  MR_TRY_ASSIGN(const net::TlsMaterial material, read_material(settings_));
  const auto make = [&](std::string_view certificates) {
    return net::TlsContext::server(material, {.client_certificates = client_certificates(certificates)});
  };
  if (mqtt_tls_on_) {
    MR_TRY_ASSIGN(mqtt_tls_, make(settings_.mqtt_client_certificates));
  }
  if (kafka_tls_on_) {
    MR_TRY_ASSIGN(kafka_tls_, make(settings_.kafka_client_certificates));
  }
  if (settings_.http_tls) {
    MR_TRY_ASSIGN(http_tls_, make("none"));
  }
  if (settings_.connect_tls) {
    MR_TRY_ASSIGN(connect_tls_, make("none"));
  }
  // All have the same certificate.
  warn_of_expiry(mqtt_tls_ ? *mqtt_tls_ : kafka_tls_ ? *kafka_tls_ : http_tls_ ? *http_tls_ : *connect_tls_);
  return {};
}

Result<void> Security::read_files() {
  if (!settings_.password_file.empty()) {
    MR_TRY_ASSIGN(const std::string text, read_file(settings_.password_file, "auth.password.file"));
    MR_TRY(users_.load_password_file(text));
  }
  if (!settings_.permissions_file.empty()) return read_permissions();
  return {};
}

Result<void> Security::read_permissions() {
  MR_TRY_ASSIGN(const std::string text, read_file(settings_.permissions_file, "auth.permissions.file"));
  MR_TRY_ASSIGN(auto permissions, auth::Permissions::parse(text));
  acls_.set_fixed(permissions->acls());
  permissions_.store(std::move(permissions));
  return {};
}

Result<void> Security::reload() {
  Result<void> first{};
  const auto note = [&](std::string_view what, Result<void> result) {
    if (result) {
      log::info("reloaded", {{"what", what}});
      return;
    }
    log::error("reload_refused", {{"what", what}, {"reason", result.error().message()}, {"kept", "what held before"}});
    if (first) first = std::move(result);
  };
  if (mqtt_tls_ || kafka_tls_ || http_tls_ || connect_tls_) {
    note("certificates", [this]() -> Result<void> {
      MR_TRY_ASSIGN(const net::TlsMaterial material, read_material(settings_));
      for (const auto& context : {mqtt_tls_, kafka_tls_, http_tls_, connect_tls_}) {
        if (context) MR_TRY(context->check(material));  // all listeners, or none
      }
      for (const auto& context : {mqtt_tls_, kafka_tls_, http_tls_, connect_tls_}) {
        if (context) MR_TRY(context->reload(material));
      }
      return {};
    }());
  }
  if (!settings_.password_file.empty()) {
    note("users", [this]() -> Result<void> {
      MR_TRY_ASSIGN(const std::string text, read_file(settings_.password_file, "auth.password.file"));
      return users_.load_password_file(text);
    }());
  }
  if (!settings_.permissions_file.empty()) note("permissions", read_permissions());
  return first;
}

Result<void> Security::open_tables(topics::TopicLog& log, const Clock& clock) {
  MR_TRY_ASSIGN(
      users_table_,
      Table::open(log, clock, worker_, auth::kUsersTopic, [this](ByteView key, std::optional<ByteView> value) {
        users_.restore(as_text(key), value ? std::optional(as_text(*value)) : std::nullopt);
      }));
  users_.set_storage(*users_table_, worker_);
  if (acls() == nullptr) return {};
  MR_TRY_ASSIGN(acls_table_,
                Table::open(log, clock, worker_, auth::kAclsTopic, [this](ByteView key, std::optional<ByteView> value) {
                  acls_.restore(as_text(key), value.has_value());
                }));
  acls_.set_storage(*acls_table_, worker_);
  return {};
}

void Security::stop() {
  worker_.stop();
}

const auth::PermissionSlot* Security::permissions() const {
  return settings_.permissions_file.empty() ? nullptr : &permissions_;
}

auth::Acls* Security::acls() {
  return settings_.kafka_authorization == "acls" ? &acls_ : nullptr;
}

net::StreamLayers Security::layers(const std::shared_ptr<net::TlsContext>& tls, net::TlsMetrics* tls_metrics,
                                   const std::vector<std::string>& proxies) {
  net::StreamLayers made{.tls = tls, .worker = &worker_, .tls_metrics = tls_metrics};
  for (const std::string& network : proxies) {
    if (auto parsed = net::Network::parse(network)) made.proxies.push_back(*parsed);  // checked with the settings
  }
  return made;
}

net::StreamLayers Security::mqtt_layers(bool tls) {
  auto made = layers(tls ? mqtt_tls_ : nullptr, &mqtt_tls_metrics_, settings_.mqtt_proxies);
  made.proves_clients = tls && settings_.mqtt_client_certificates == "required";
  return made;
}

net::StreamLayers Security::kafka_layers(bool tls) {
  auto made = layers(tls ? kafka_tls_ : nullptr, &kafka_tls_metrics_, settings_.kafka_proxies);
  made.proves_clients = tls && settings_.kafka_client_certificates == "required";
  return made;
}

net::StreamLayers Security::http_layers() {
  return layers(http_tls_, &http_tls_metrics_, {});
}

net::StreamLayers Security::connect_layers() {
  return layers(connect_tls_, &connect_tls_metrics_, {});
}

net::http::Guard Security::guard(const std::string& authentication, net::Loop& loop) {
  if (authentication != "required") return {};
  return [this, &loop](std::string_view authorization, std::move_only_function<void(bool)> verdict) {
    constexpr std::string_view kBasic = "Basic ";
    std::string pair(authorization.size(), '\0');
    const bool basic = authorization.starts_with(kBasic);
    const auto size =
        basic ? decode_base64(authorization.substr(kBasic.size()), reinterpret_cast<std::uint8_t*>(pair.data()))
              : std::nullopt;
    pair.resize(size.value_or(0));
    const std::size_t colon = pair.find(':');
    const std::string name = pair.substr(0, colon);
    if (colon == std::string::npos || std::ranges::find(settings_.super_users, name) == settings_.super_users.end()) {
      return verdict(false);
    }
    authenticator_.check_password(name, pair.substr(colon + 1), loop,
                                  [verdict = std::move(verdict)](const Result<auth::Identity>& identity) mutable {
                                    verdict(identity.has_value());
                                  });
  };
}

void Security::add_routes(net::http::Router& router, net::Loop& loop) {
  add_security_routes(
      router,
      {.users = users_, .permissions = permissions_, .acls = acls_, .loop = loop, .worker = worker_, .reload = [this] {
         return reload();
       }});
}

}  // namespace millrace::app

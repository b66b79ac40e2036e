// The rows about who may connect: TLS, log-in, permissions.
#include "app/security_schema.h"

#include "app/settings_values.h"
#include "kafka/server/sasl_session.h"
#include "net/proxy_header.h"

namespace millrace::app {
namespace {

using config::boolean;
using config::choice;
using config::custom;
using config::duration;
using config::text;
using S = Settings;
using Names = std::vector<std::string>;

config::Setting names(std::string_view key, std::string_view type, Names SecuritySettings::* member,
                      bool (*valid)(const std::string&), std::string_view wrong, std::string_view sentence) {
  return custom<S>(
      key, type,
      [=](S& s, const config::Node& node, config::Problems& problems) {
        Names& all = s.security.*member;
        read_names(all, key, node, problems);
        for (const std::string& name : all) {
          if (!valid(name)) problems.add(node, "'" + std::string(key) + "': '" + name + "' " + std::string(wrong));
        }
      },
      [=](const S& s) { return print_names(s.security.*member); }, sentence);
}

bool is_mechanism(const std::string& name) {
  return kafka::mechanism_named(name).has_value();
}
bool is_network(const std::string& name) {
  return net::Network::parse(name).has_value();
}
bool is_anything(const std::string&) {
  return true;
}

void add_tls(std::vector<config::Setting>& rows) {
  rows.push_back(text<S>(
      "tls.certificate.file", [](S& s) -> auto& { return s.security.tls_certificate_file; },
      "PEM file with the server's certificate first and then those that lead to its authority."));
  rows.push_back(text<S>(
      "tls.key.file", [](S& s) -> auto& { return s.security.tls_key_file; },
      "PEM file with the certificate's private key, without a pass phrase."));
  rows.push_back(text<S>(
      "tls.client.ca.file", [](S& s) -> auto& { return s.security.tls_client_ca_file; },
      "PEM file with the authorities that sign clients' certificates."));
  rows.push_back(choice<S>(
      "mqtt.tls.client.certificates", [](S& s) -> auto& { return s.security.mqtt_client_certificates; },
      {"none", "requested", "required"},
      "Whether MQTT clients over TLS show a certificate. Its common name is then the user."));
  rows.push_back(choice<S>(
      "kafka.tls.client.certificates", [](S& s) -> auto& { return s.security.kafka_client_certificates; },
      {"none", "requested", "required"}, "Whether Kafka clients over TLS show a certificate (ssl.client.auth)."));
  rows.push_back(boolean<S>(
      "http.tls", [](S& s) -> auto& { return s.security.http_tls; },
      "Makes the HTTP listener an HTTPS listener, with the certificate of tls.certificate.file."));
  rows.push_back(boolean<S>(
      "connect.tls", [](S& s) -> auto& { return s.security.connect_tls; }, "The same for the connectors' listener."));
}

void add_log_in(std::vector<config::Setting>& rows) {
  rows.push_back(choice<S>(
      "mqtt.authentication", [](S& s) -> auto& { return s.security.mqtt_authentication; }, {"off", "required"},
      "Whether MQTT clients must log in, with a certificate or with user name and password."));
  rows.push_back(choice<S>(
      "http.authentication", [](S& s) -> auto& { return s.security.http_authentication; }, {"off", "required"},
      "Whether HTTP requests need a super user's name and password (Basic); probes and /metrics do not."));
  rows.push_back(choice<S>(
      "connect.authentication", [](S& s) -> auto& { return s.security.connect_authentication; }, {"off", "required"},
      "Whether requests to the connectors' listener need a super user's name and password (Basic)."));
  rows.push_back(names("kafka.sasl.mechanisms", "list of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
                       &SecuritySettings::kafka_sasl, is_mechanism, "is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                       "What clients of the Kafka listener must log in with. Empty: they need not."));
  rows.push_back(names("kafka.tls.sasl.mechanisms", "list of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
                       &SecuritySettings::kafka_tls_sasl, is_mechanism, "is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                       "The same for the Kafka listener over TLS."));
  rows.push_back(duration<S>(
      "connections.max.reauth.ms", [](S& s) -> auto& { return s.security.max_reauth; }, {0, 2'147'483'647},
      "How long a Kafka log-in holds before the client must renew it. 0: as long as the connection."));
  rows.push_back(
      names("super.users", "list of user names", &SecuritySettings::super_users, is_anything, "",
            "Users who may do everything on Kafka's listeners, change other users, and use the HTTP interface "
            "when that asks for a log-in. ANONYMOUS: Kafka clients that did not log in."));
  rows.push_back(choice<S>(
      "kafka.authorization", [](S& s) -> auto& { return s.security.kafka_authorization; }, {"off", "acls"},
      "acls: a Kafka client may do what an ACL allows (kafka-acls, 'millrace acls', auth.permissions.file) and nothing "
      "else. off: everything."));
  rows.push_back(boolean<S>(
      "allow.everyone.if.no.acl.found", [](S& s) -> auto& { return s.security.everyone_without_acl; },
      "With kafka.authorization: whether everybody may use a topic, group or cluster that no ACL is about."));
  rows.push_back(text<S>(
      "auth.password.file", [](S& s) -> auto& { return s.security.password_file; },
      "File of users, lines of name:credential as 'millrace users hash' prints them. SIGHUP reads it again."));
  rows.push_back(text<S>(
      "auth.permissions.file", [](S& s) -> auto& { return s.security.permissions_file; },
      "File of rules about who may publish and subscribe to what over MQTT, and of ACLs for Kafka. Without it "
      "everybody "
      "who may connect over MQTT may do everything. SIGHUP reads it again."));
  rows.push_back(names("mqtt.proxies", "list of networks", &SecuritySettings::mqtt_proxies, is_network,
                       "is not an address or a network like 10.0.0.0/8",
                       "Proxies that begin every MQTT connection with a PROXY header. Others may then not connect."));
  rows.push_back(names("kafka.proxies", "list of networks", &SecuritySettings::kafka_proxies, is_network,
                       "is not an address or a network like 10.0.0.0/8", "The same for Kafka connections."));
}

}  // namespace

void add_security(std::vector<config::Setting>& rows) {
  add_tls(rows);
  add_log_in(rows);
}

void check_security(const Settings& s, config::Problems& problems) {
  const config::Node nowhere;
  const SecuritySettings& security = s.security;
  const bool any_tls = s.mqtt_tls_listener.port || s.ws_tls_listener.port || s.kafka_tls_listener.port ||
                       security.http_tls || security.connect_tls;
  if (any_tls && (security.tls_certificate_file.empty() || security.tls_key_file.empty())) {
    problems.add(nowhere, "a TLS listener needs 'tls.certificate.file' and 'tls.key.file'");
  }
  const bool certificates = security.mqtt_client_certificates != "none" || security.kafka_client_certificates != "none";
  if (certificates && security.tls_client_ca_file.empty()) {
    problems.add(nowhere, "client certificates need 'tls.client.ca.file': the authorities that sign them");
  }
  if (security.kafka_authorization == "acls" && security.super_users.empty() && security.permissions_file.empty() &&
      !security.everyone_without_acl) {
    problems.add(nowhere,
                 "'kafka.authorization' allows nothing without 'super.users' or 'auth.permissions.file': name who may "
                 "make ACLs");
  }
  const std::pair<std::string_view, const std::string&> guarded[] = {
      {"http.authentication", security.http_authentication},
      {"connect.authentication", security.connect_authentication}};
  for (const auto& [key, asks] : guarded) {
    if (asks == "required" && security.super_users.empty()) {
      problems.add(nowhere, "'" + std::string(key) + "' lets only users of 'super.users' in: name at least one");
    }
  }
}

bool asks_who_connects(const Settings& s, std::string_view listener) {
  const SecuritySettings& security = s.security;
  if (listener == "mqtt" || listener == "ws") return security.mqtt_authentication == "required";
  if (listener == "mqtt.tls" || listener == "ws.tls") {
    return security.mqtt_authentication == "required" || security.mqtt_client_certificates == "required";
  }
  if (listener == "kafka") return !security.kafka_sasl.empty();
  if (listener == "kafka.tls")
    return !security.kafka_tls_sasl.empty() || security.kafka_client_certificates == "required";
  if (listener == "connect") return security.connect_authentication == "required";
  return listener == "http" && security.http_authentication == "required";
}

}  // namespace millrace::app

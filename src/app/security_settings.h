// SecuritySettings: who may connect, and over what. Plain values; the rows are in security_schema.cpp.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace millrace::app {

struct SecuritySettings {
  // Files of every TLS listener, PEM.
  std::string tls_certificate_file;
  std::string tls_key_file;
  std::string tls_client_ca_file;

  std::string mqtt_client_certificates = "none";   // none, requested, required; for MQTT over TLS
  std::string kafka_client_certificates = "none";  // the same for Kafka over TLS
  std::string mqtt_authentication = "off";         // off, required
  std::string http_authentication = "off";
  std::string connect_authentication = "off";
  bool http_tls = false;
  bool connect_tls = false;
  std::string kafka_authorization = "off";  // off, acls
  bool everyone_without_acl = false;
  std::vector<std::string> kafka_sasl;      // mechanisms of the plain listener; empty: no log-in
  std::vector<std::string> kafka_tls_sasl;  // of the TLS listener
  std::vector<std::string> mqtt_proxies;    // networks that must begin connections with a PROXY header
  std::vector<std::string> kafka_proxies;

  std::string password_file;
  std::string permissions_file;
  std::vector<std::string> super_users;
  std::chrono::milliseconds max_reauth{0};
};

}  // namespace millrace::app

// Certificates made on the spot, for tests of TLS: an authority and what it signs, elliptic-curve keys (P-256).
#pragma once

#include <memory>
#include <string>

#include "net/tls_context.h"

struct evp_pkey_st;
struct x509_st;

namespace millrace::net::testing {

struct KeyPair {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  ~Authority();
  [[nodiscard]] const std::string& certificate() const { return pem_; }
  /// `alternatives` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1,URI:urn:truck:7". `days` may be negative.
  [[nodiscard]] KeyPair issue(const std::string& common_name, const std::string& alternatives = {}, int days = 1) const;
  /// What a server needs: a certificate for localhost, and this authority to judge clients by.
  [[nodiscard]] TlsMaterial server(const std::string& common_name = "localhost") const;

 private:
  x509_st* certificate_;
  evp_pkey_st* key_;
  std::string pem_;
};

}  // namespace millrace::net::testing

// TlsContext: what the TLS connections of one listener (or one client) share: certificate, key, whom they believe, and
// the keys of session tickets. TLS 1.2 (RFC 5246) and 1.3 (RFC 8446); no renegotiation, no compression, no early data.
//
// reload() replaces certificate, key and authorities for connections that come later, all or nothing; those that are
// open keep what they have. Session tickets survive a reload unless the authorities changed: a ticket must not outlive
// the trust it was given for. They do not survive a restart. Thread: any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/guarded.h"
#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace millrace::net {

enum class ClientCertificates : std::uint8_t {
  none,       // not asked for
  requested,  // asked for; one that is shown must be valid
  required,
};

/// PEM texts, not names of files.
struct TlsMaterial {
  std::string certificates{};  // the leaf first, then what leads to the authority
  std::string key{};           // without a pass phrase
  std::string authorities{};   // a server: who signs clients; a client: who signs servers (empty: the system's)
};

struct TlsRules {
  ClientCertificates client_certificates = ClientCertificates::none;
  bool tls_1_3_only = false;
};

class TlsContext {
 public:
  /// invalid_argument, in words that say which text is wrong and what to do about it.
  static Result<std::shared_ptr<TlsContext>> server(const TlsMaterial& material, const TlsRules& rules);
  /// `server_name`: whom the certificate must be for, a DNS name or an IP address; empty: anyone the authorities
  /// signed. `material.certificates` may be empty.
  static Result<std::shared_ptr<TlsContext>> client(const TlsMaterial& material, std::string server_name);

  /// Whether reload() would take it.
  [[nodiscard]] Result<void> check(const TlsMaterial& material) const;
  /// On an error everything stays as it was. The errors of server().
  Result<void> reload(const TlsMaterial& material);

  /// Seconds since 1970 when the leaf certificate ends; 0: there is none.
  [[nodiscard]] std::int64_t expires_at_s() const;

  struct FreeSession {
    void operator()(ssl_st* session) const;
  };
  using Session = std::unique_ptr<ssl_st, FreeSession>;
  /// A session ready for its handshake, in server or client state, without a transport.
  [[nodiscard]] Session new_session() const;
  [[nodiscard]] bool is_server() const { return server_; }

 private:
  struct State {
    std::shared_ptr<ssl_ctx_st> context;
    std::string authorities;
    std::int64_t expires_at_s = 0;
  };
  TlsContext(bool server, TlsRules rules, std::string server_name)
      : server_(server), rules_(rules), server_name_(std::move(server_name)) {}
  Result<State> build(const TlsMaterial& material) const;

  const bool server_;
  const TlsRules rules_;
  const std::string server_name_;
  Guarded<State> state_;
};

}  // namespace millrace::net

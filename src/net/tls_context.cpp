#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "net/ticket_keys.h"

namespace millrace::net {
namespace {

template <class T, void (*free)(T*)>
struct Free {
  void operator()(T* object) const { free(object); }
};
using Bio = std::unique_ptr<BIO, Free<BIO, BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX, SSL_CTX_free>>;

std::unexpected<Error> wrong(const char* what) {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  std::string detail = reason != nullptr ? reason : "";
  ERR_clear_error();
  return fail(ErrorCode::invalid_argument, what, std::move(detail));
}

Bio over(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key with a pass phrase would make OpenSSL ask on the terminal.
int no_pass_phrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

/// All certificates of a PEM text; empty when one of them cannot be read.
std::vector<Certificate> read_certificates(const std::string& text) {
  std::vector<Certificate> all;
  const Bio bio = over(text);
  ERR_clear_error();
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) all.emplace_back(next);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (at_end && !all.empty()) {
    ERR_clear_error();
  } else {
    all.clear();
  }
  return all;
}

Result<PrivateKey> read_key(const std::string& text) {
  bool asked = false;
  PrivateKey key(PEM_read_bio_PrivateKey(over(text).get(), nullptr, no_pass_phrase, &asked));
  if (asked) {
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument,
                "the private key has a pass phrase: store it without one (openssl pkey -in KEY -out KEY.plain) and let "
                "the file's permissions protect it");
  }
  if (key == nullptr) return wrong("the private key is not one PEM block 'BEGIN PRIVATE KEY'");
  return key;
}

std::int64_t end_of(const X509* certificate) {
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return 0;
  return static_cast<std::int64_t>(::timegm(&end));
}

/// The leaf's end.
Result<std::int64_t> use_certificates(SSL_CTX* context, const TlsMaterial& material) {
  const auto chain = read_certificates(material.certificates);
  if (chain.empty())
    return wrong("the certificate is not a PEM text of 'BEGIN CERTIFICATE' blocks, the server's first");
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) return wrong("the certificate cannot be used");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return wrong("the certificate chain cannot be used");
  }
  MR_TRY_ASSIGN(const PrivateKey key, read_key(material.key));
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    return wrong("the private key does not belong to the first certificate");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return wrong("the private key cannot be used");
  return end_of(chain.front().get());
}

Result<void> use_authorities(SSL_CTX* context, const std::string& text, bool name_them) {
  const auto authorities = read_certificates(text);
  if (authorities.empty()) return wrong("the authorities are not a PEM text of 'BEGIN CERTIFICATE' blocks");
  for (const Certificate& authority : authorities) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) {
      return wrong("an authority's certificate cannot be used");
    }
    if (name_them && SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return wrong("an authority's certificate cannot be used");
    }
  }
  return {};
}

int verify_mode(ClientCertificates certificates) {
  switch (certificates) {
    case ClientCertificates::none:
      return SSL_VERIFY_NONE;
    case ClientCertificates::requested:
      return SSL_VERIFY_PEER;
    case ClientCertificates::required:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/// Not a name, which would go into the server name extension (RFC 6066 section 3).
bool is_address(const std::string& name) {
  return !name.empty() &&
         (name.find(':') != std::string::npos || name.find_first_not_of("0123456789.") == std::string::npos);
}

}  // namespace

void TlsContext::FreeSession::operator()(ssl_st* session) const {
  SSL_free(session);
}

Result<TlsContext::State> TlsContext::build(const TlsMaterial& material) const {
  Context context(SSL_CTX_new(server_ ? TLS_server_method() : TLS_client_method()));
  MR_ASSERT(context != nullptr);
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, rules_.tls_1_3_only ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection keeps no record buffers.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 0);
  State state;
  state.authorities = material.authorities;
  if (server_ || !material.certificates.empty()) {
    MR_TRY_ASSIGN(state.expires_at_s, use_certificates(raw, material));
  }
  if (server_) {
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets only: nothing is kept for clients that are gone
    SSL_CTX_set_num_tickets(raw, 1);
    static const SystemClock clock;
    TicketKeys::attach(raw, std::make_shared<TicketKeys>(clock));
    constexpr std::string_view kName = "millrace";
    SSL_CTX_set_session_id_context(raw, as_bytes(kName).data(), kName.size());
    SSL_CTX_set_verify(raw, verify_mode(rules_.client_certificates), nullptr);
    if (rules_.client_certificates != ClientCertificates::none) {
      if (material.authorities.empty()) {
        return fail(ErrorCode::invalid_argument, "client certificates are asked for, but no authority that signs them");
      }
      MR_TRY(use_authorities(raw, material.authorities, true));
    }
  } else {
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    if (material.authorities.empty()) {
      SSL_CTX_set_default_verify_paths(raw);
    } else {
      MR_TRY(use_authorities(raw, material.authorities, false));
    }
  }
  state.context = std::shared_ptr<ssl_ctx_st>(context.release(), SSL_CTX_free);
  return state;
}

Result<std::shared_ptr<TlsContext>> TlsContext::server(const TlsMaterial& material, const TlsRules& rules) {
  std::shared_ptr<TlsContext> made(new TlsContext(true, rules, {}));
  MR_TRY_ASSIGN(State state, made->build(material));
  made->state_.with([&](State& current) { current = std::move(state); });
  return made;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const TlsMaterial& material, std::string server_name) {
  std::shared_ptr<TlsContext> made(new TlsContext(false, {}, std::move(server_name)));
  MR_TRY_ASSIGN(State state, made->build(material));
  made->state_.with([&](State& current) { current = std::move(state); });
  return made;
}

Result<void> TlsContext::check(const TlsMaterial& material) const {
  MR_TRY(build(material));
  return {};
}

Result<void> TlsContext::reload(const TlsMaterial& material) {
  MR_TRY_ASSIGN(State state, build(material));
  state_.with([&](State& current) {
    if (server_ && current.authorities == state.authorities) {
      TicketKeys::attach(state.context.get(), TicketKeys::of(current.context.get()));
    }
    current = std::move(state);
  });
  return {};
}

std::int64_t TlsContext::expires_at_s() const {
  return state_.with([](const State& state) { return state.expires_at_s; });
}

TlsContext::Session TlsContext::new_session() const {
  const auto context = state_.with([](const State& state) { return state.context; });
  Session session(SSL_new(context.get()));
  MR_ASSERT(session != nullptr);
  if (server_) {
    SSL_set_accept_state(session.get());
    return session;
  }
  SSL_set_connect_state(session.get());
  if (is_address(server_name_)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), server_name_.c_str());
  } else if (!server_name_.empty()) {
    // The macro for this holds an old-style cast.
    SSL_ctrl(session.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(server_name_.c_str()));
    SSL_set1_host(session.get(), server_name_.c_str());
  }
  return session;
}

}  // namespace millrace::net

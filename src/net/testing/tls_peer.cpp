#include "net/testing/tls_peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <array>
#include <utility>

#include "base/assert.h"

namespace millrace::net::testing {
namespace {

X509* read_certificate(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return certificate;
}

EVP_PKEY* read_key(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return key;
}

}  // namespace

TlsPeer::TlsPeer(const Choice& choice) : context_(SSL_CTX_new(TLS_client_method())) {
  if (choice.version != 0) {
    SSL_CTX_set_min_proto_version(context_, choice.version);
    SSL_CTX_set_max_proto_version(context_, choice.version);
  }
  if (!choice.authorities.empty()) {
    X509* authority = read_certificate(choice.authorities);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), authority);
    X509_free(authority);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  }
  if (!choice.pair.certificate.empty()) {
    X509* certificate = read_certificate(choice.pair.certificate);
    EVP_PKEY* key = read_key(choice.pair.key);
    MR_ASSERT(SSL_CTX_use_certificate(context_, certificate) == 1 && SSL_CTX_use_PrivateKey(context_, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context_, keep_session);
  reconnect();
}

TlsPeer::~TlsPeer() {
  SSL_SESSION_free(session_);
  SSL_free(connection_);
  SSL_CTX_free(context_);
}

int TlsPeer::keep_session(ssl_st* connection, ssl_session_st* session) {
  auto* self = static_cast<TlsPeer*>(SSL_get_app_data(connection));
  SSL_SESSION_free(std::exchange(self->session_, session));
  return 1;  // the reference is ours
}

void TlsPeer::reconnect() {
  // A connection that ends without a word spoils its session.
  if (connection_ != nullptr) SSL_set_shutdown(connection_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(connection_);
  connection_ = SSL_new(context_);
  SSL_set_app_data(connection_, this);
  SSL_set_bio(connection_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(connection_);
  if (session_ != nullptr) SSL_set_session(connection_, session_);
  received_.clear();
  error_.clear();
  ended_ = false;
}

void TlsPeer::note(int result) {
  const int error = SSL_get_error(connection_, result);
  if (error == SSL_ERROR_ZERO_RETURN) ended_ = true;
  if (error == SSL_ERROR_SSL && error_.empty()) {
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    error_ = reason != nullptr ? reason : "unknown";
  }
  ERR_clear_error();
}

std::string TlsPeer::exchange(std::string_view from_server) {
  ERR_clear_error();
  if (!from_server.empty())
    BIO_write(SSL_get_rbio(connection_), from_server.data(), static_cast<int>(from_server.size()));
  if (!connected()) {
    const int result = SSL_do_handshake(connection_);
    if (result != 1) note(result);
  }
  while (connected() && error_.empty()) {
    std::array<char, 16'384> plain{};
    const int got = SSL_read(connection_, plain.data(), static_cast<int>(plain.size()));
    if (got <= 0) {
      note(got);
      break;
    }
    received_.append(plain.data(), static_cast<std::size_t>(got));
  }
  std::string out;
  std::array<char, 16'384> bytes{};
  for (int got = 0; (got = BIO_read(SSL_get_wbio(connection_), bytes.data(), static_cast<int>(bytes.size()))) > 0;) {
    out.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return out;
}

void TlsPeer::write(std::string_view plain) {
  if (plain.empty()) return;
  const int written = SSL_write(connection_, plain.data(), static_cast<int>(plain.size()));
  if (written <= 0) note(written);
}

void TlsPeer::finish() {
  SSL_shutdown(connection_);
}

bool TlsPeer::connected() const {
  return SSL_is_init_finished(connection_) == 1;
}

bool TlsPeer::resumed() const {
  return SSL_session_reused(connection_) == 1;
}

std::string TlsPeer::server_common_name() const {
  X509* certificate = SSL_get1_peer_certificate(connection_);
  if (certificate == nullptr) return {};
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
  X509_free(certificate);
  return name.data();
}

}  // namespace millrace::net::testing

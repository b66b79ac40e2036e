#include "net/tls_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.h"

namespace millrace::net {

void TlsClient::FreeTicket::operator()(ssl_session_st* ticket) const {
  SSL_SESSION_free(ticket);
}

TlsClient::TlsClient(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {
  MR_ASSERT(!context_->is_server());
}

TlsClient::~TlsClient() = default;

void TlsClient::begin(Buffer& out) {
  keep_ticket();
  ready_ = false;
  why_.clear();
  session_ = context_->new_session();
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const from = BIO_new(BIO_s_mem());
  MR_ASSERT(in != nullptr && from != nullptr);
  BIO_ctrl(in, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nullptr);  // the macro for this holds an old-style cast
  SSL_set_bio(session_.get(), in, from);
  if (ticket_) SSL_set_session(session_.get(), ticket_.get());
  (void)SSL_do_handshake(session_.get());
  collect(out);
}

// The ticket of TLS 1.3 comes behind the handshake. A connection that ends without close_notify would take it along.
void TlsClient::keep_ticket() {
  if (!session_) return;
  SSL_set_shutdown(session_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  decltype(ticket_) ticket(SSL_get1_session(session_.get()));
  if (ticket && SSL_SESSION_is_resumable(ticket.get()) == 1) ticket_ = std::move(ticket);
}

bool TlsClient::take(ByteView bytes, Buffer& plain, Buffer& out) {
  ERR_clear_error();
  BIO_write(SSL_get_rbio(session_.get()), bytes.data(), static_cast<int>(bytes.size()));
  if (!ready_) {
    const int done = SSL_do_handshake(session_.get());
    collect(out);
    if (done != 1) {
      return SSL_get_error(session_.get(), done) == SSL_ERROR_WANT_READ || fail_with("the handshake failed");
    }
    ready_ = true;
  }
  constexpr std::size_t kPiece = 16_KiB;
  for (;;) {
    std::size_t got = 0;
    const int done = SSL_read_ex(session_.get(), plain.prepare(kPiece), kPiece, &got);
    plain.commit(got);
    if (done == 1) continue;
    collect(out);
    return SSL_get_error(session_.get(), done) == SSL_ERROR_WANT_READ || fail_with("closed by the server");
  }
}

bool TlsClient::seal(ByteView plain, Buffer& out) {
  std::size_t written = 0;
  const bool good = plain.empty() || SSL_write_ex(session_.get(), plain.data(), plain.size(), &written) == 1;
  collect(out);
  return good || fail_with("cannot encrypt");
}

void TlsClient::collect(Buffer& out) {
  BIO* const from = SSL_get_wbio(session_.get());
  const std::size_t waiting = BIO_ctrl_pending(from);
  if (waiting == 0) return;
  const int got = BIO_read(from, out.prepare(waiting), static_cast<int>(waiting));
  out.commit(got > 0 ? static_cast<std::size_t>(got) : 0);
}

bool TlsClient::fail_with(const char* what) {
  why_ = what;
  const long verified = SSL_get_verify_result(session_.get());
  if (const char* const reason = ERR_reason_error_string(ERR_peek_error())) why_ += std::string(": ") + reason;
  if (verified != X509_V_OK) why_ += std::string(": ") + X509_verify_cert_error_string(verified);
  return false;
}

bool TlsClient::resumed() const {
  return session_ && SSL_session_reused(session_.get()) == 1;
}

}  // namespace millrace::net

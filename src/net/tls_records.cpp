#include "net/tls_records.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/endian.h"

namespace millrace::net {
namespace {

constexpr std::size_t kHeaderBytes = 5;             // RFC 8446 section 5.1: type, version, length
constexpr std::size_t kMaxRecord = 16_KiB + 2_KiB;  // RFC 5246 section 6.2.3: what a record may grow to
constexpr std::size_t kPlainRecord = 16_KiB;
constexpr std::uint8_t kFirstType = 20;
constexpr std::uint8_t kLastType = 24;

TlsRecords& records_of(BIO* bio) {
  return *static_cast<TlsRecords*>(BIO_get_data(bio));
}

int read_bio(BIO* bio, char* into, std::size_t most, std::size_t* got) {
  BIO_clear_retry_flags(bio);
  *got = records_of(bio).pull(reinterpret_cast<std::uint8_t*>(into), most);
  if (*got != 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int write_bio(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  BIO_clear_retry_flags(bio);
  records_of(bio).push(as_bytes({bytes, size}));
  *written = size;
  return 1;
}

long control_bio(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* transport() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "millrace stream");
    MR_ASSERT(made != nullptr && BIO_meth_set_read_ex(made, read_bio) == 1 &&
              BIO_meth_set_write_ex(made, write_bio) == 1 && BIO_meth_set_ctrl(made, control_bio) == 1);
    return made;
  }();
  return method;
}

/// UTF-8; empty for what holds a NUL, which would end the name early for others.
std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text.find('\0') == std::string::npos ? text : std::string();
}

std::string common_name_of(const X509_NAME* subject) {
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) last = at;
  return last < 0 ? std::string() : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
}

std::string distinguished_name_of(const X509_NAME* subject) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  X509_NAME_print_ex(bio.get(), subject, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

void add_alternative_names(X509* certificate, PeerIdentity& identity) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) identity.dns_names.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_URI) identity.uris.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  std::erase(identity.dns_names, "");
  std::erase(identity.uris, "");
}

}  // namespace

TlsRecords::TlsRecords(TlsContext::Session session) : session_(std::move(session)) {
  BIO* bio = BIO_new(transport());
  MR_ASSERT(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(session_.get(), bio, bio);  // one reference serves both directions
}

std::size_t TlsRecords::whole(ByteView bytes) {
  std::size_t at = 0;
  while (bytes.size() - at >= kHeaderBytes) {
    const std::uint8_t* header = bytes.data() + at;
    const std::size_t size = load_be<std::uint16_t>(header + 3);
    if (header[0] < kFirstType || header[0] > kLastType || size > kMaxRecord) return bytes.size();
    if (bytes.size() - at - kHeaderBytes < size) return at;
    at += kHeaderBytes + size;
  }
  if (at != bytes.size() && (bytes[at] < kFirstType || bytes[at] > kLastType)) return bytes.size();
  return at;
}

std::size_t TlsRecords::pull(std::uint8_t* into, std::size_t most) {
  const std::size_t count = std::min(most, pulled_.size());
  if (count != 0) std::memcpy(into, pulled_.data(), count);
  pulled_ = pulled_.subspan(count);
  return count;
}

void TlsRecords::push(ByteView bytes) {
  if (below_ != nullptr) {
    below_->output().append(bytes);
    wrote_ = true;
  } else {
    output_.append(bytes);
  }
}

TlsRecords::Progress TlsRecords::judge(int result) {
  if (below_ != nullptr && std::exchange(wrote_, false)) below_->mark_dirty();
  const int error = SSL_get_error(session_.get(), result);
  if (error == SSL_ERROR_NONE) return Progress::done;
  if (error == SSL_ERROR_WANT_READ) return Progress::more;
  if (error == SSL_ERROR_ZERO_RETURN) return Progress::ended;
  const unsigned long reason = ERR_peek_error();
  const char* text = reason != 0 ? ERR_reason_error_string(reason) : nullptr;
  error_ = text != nullptr ? text : "unknown error";
  const long verified = SSL_get_verify_result(session_.get());
  if (verified != X509_V_OK) error_ += std::string(": ") + X509_verify_cert_error_string(verified);
  ERR_clear_error();
  return Progress::failed;
}

TlsRecords::Progress TlsRecords::handshake() {
  ERR_clear_error();
  below_ = nullptr;
  pulled_ = input_.view();
  const Progress progress = judge(SSL_do_handshake(session_.get()));
  const std::size_t left = pulled_.size();
  pulled_ = {};
  input_.consume(input_.size() - left);
  return progress;
}

Buffer TlsRecords::take_input() {
  return std::exchange(input_, Buffer());
}

TlsRecords::Progress TlsRecords::read(ByteView records, Buffer& plain, Stream& below) {
  ERR_clear_error();
  below_ = &below;
  pulled_ = records;
  int result = 0;
  while (true) {
    std::size_t got = 0;
    std::uint8_t* const room = plain.prepare(kPlainRecord);
    result = SSL_read_ex(session_.get(), room, kPlainRecord, &got);
    if (result != 1) break;
    plain.commit(got);
  }
  pulled_ = {};
  return judge(result);
}

bool TlsRecords::write(ByteView plain, Stream& below) {
  if (plain.empty()) return true;
  ERR_clear_error();
  below_ = &below;
  std::size_t written = 0;
  return judge(SSL_write_ex(session_.get(), plain.data(), plain.size(), &written)) == Progress::done;
}

void TlsRecords::finish(Stream& below) {
  ERR_clear_error();
  below_ = &below;
  (void)judge(SSL_shutdown(session_.get()));
}

bool TlsRecords::resumed() const {
  return SSL_session_reused(session_.get()) == 1;
}

std::optional<PeerIdentity> TlsRecords::peer_identity() const {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(session_.get()), &X509_free);
  if (certificate == nullptr || SSL_get_verify_result(session_.get()) != X509_V_OK) return std::nullopt;
  PeerIdentity identity;
  const X509_NAME* subject = X509_get_subject_name(certificate.get());
  identity.common_name = common_name_of(subject);
  identity.distinguished_name = distinguished_name_of(subject);
  add_alternative_names(certificate.get(), identity);
  return identity;
}

}  // namespace millrace::net

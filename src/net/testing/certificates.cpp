#include "net/testing/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>

#include "base/assert.h"
#include "base/bytes.h"

namespace millrace::net::testing {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string pem_of(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return text_of(bio);
}

std::string pem_of(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(bio);
}

void add_extension(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  MR_ASSERT(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* new_certificate(const std::string& common_name, EVP_PKEY* key, int days) {
  static std::atomic<long> serial{1};
  constexpr long kDay = 24L * 60 * 60;
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * kDay);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  for (const auto& [field, text] : {std::pair<const char*, std::string>{"O", "Fleet"}, {"CN", common_name}}) {
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, as_bytes(text).data(), static_cast<int>(text.size()), -1,
                               0);
  }
  return certificate;
}

}  // namespace

Authority::Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
  certificate_ = new_certificate(name, key_, 10);
  X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
  add_extension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate_, certificate_, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate_, certificate_, NID_subject_key_identifier, "hash");
  MR_ASSERT(X509_sign(certificate_, key_, EVP_sha256()) != 0);
  pem_ = pem_of(certificate_);
}

Authority::~Authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

KeyPair Authority::issue(const std::string& common_name, const std::string& alternatives, int days) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = new_certificate(common_name, key, days);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate_));
  add_extension(certificate, certificate_, NID_authority_key_identifier, "keyid");
  if (!alternatives.empty()) add_extension(certificate, certificate_, NID_subject_alt_name, alternatives);
  MR_ASSERT(X509_sign(certificate, key_, EVP_sha256()) != 0);
  KeyPair pair{pem_of(certificate), pem_of(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

TlsMaterial Authority::server(const std::string& common_name) const {
  const KeyPair pair = issue(common_name, "DNS:localhost,IP:127.0.0.1");
  return {.certificates = pair.certificate + pem_, .key = pair.key, .authorities = pem_};
}

}  // namespace millrace::net::testing

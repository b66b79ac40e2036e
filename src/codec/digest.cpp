#include "codec/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/assert.h"
#include "codec/hex.h"

namespace millrace {
namespace {

struct Algorithm {
  const char* name;
  std::size_t size;   // of the digest
  std::size_t block;  // what HMAC pads its key to
};

constexpr std::array<Algorithm, 6> kAlgorithms = {{{"MD5", 16, 64},
                                                   {"SHA1", 20, 64},
                                                   {"SHA224", 28, 64},
                                                   {"SHA256", 32, 64},
                                                   {"SHA384", 48, 128},
                                                   {"SHA512", 64, 128}}};
constexpr std::size_t kMaxBlock = 128;

const Algorithm& algorithm(DigestKind kind) {
  return kAlgorithms.at(static_cast<std::size_t>(kind));
}

/// Looked up once: OpenSSL 3 otherwise searches its providers at every use, which costs more than a short digest.
const EVP_MD* fetched(DigestKind kind) {
  static const auto all = [] {
    std::array<const EVP_MD*, kAlgorithms.size()> found{};
    for (std::size_t i = 0; i < found.size(); ++i) {
      found.at(i) = EVP_MD_fetch(nullptr, kAlgorithms.at(i).name, nullptr);
    }
    return found;
  }();
  const EVP_MD* md = all.at(static_cast<std::size_t>(kind));
  MR_ASSERT(md != nullptr);
  return md;
}

}  // namespace

std::size_t digest_size(DigestKind kind) {
  return algorithm(kind).size;
}

std::string Digest::hex() const {
  return to_hex(view());
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Hasher::Hasher(DigestKind kind) : kind_(kind), context_(EVP_MD_CTX_new()) {
  MR_ASSERT(context_ != nullptr && EVP_DigestInit_ex2(context_.get(), fetched(kind_), nullptr) == 1);
}

Hasher::Hasher(const Hasher& other) : kind_(other.kind_), context_(EVP_MD_CTX_new()) {
  MR_ASSERT(context_ != nullptr && EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()) == 1);
}

Hasher& Hasher::operator=(const Hasher& other) {
  kind_ = other.kind_;
  MR_ASSERT(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()) == 1);
  return *this;
}

Hasher::~Hasher() = default;

Hasher& Hasher::update(ByteView bytes) {
  MR_ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest Hasher::finish() {
  Digest result(digest_size(kind_));
  MR_ASSERT(EVP_DigestFinal_ex(context_.get(), result.bytes().data(), nullptr) == 1 &&
            EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) == 1);
  return result;
}

namespace {

/// A hasher that has taken the key, padded to one block and combined with `pad`.
Hasher keyed(DigestKind kind, ByteView key, std::uint8_t pad) {
  std::array<std::uint8_t, kMaxBlock> block{};
  const std::size_t size = algorithm(kind).block;
  if (key.size() > size) {
    const Digest shorter = digest(kind, key);
    std::copy_n(shorter.view().data(), shorter.view().size(), block.data());
  } else if (!key.empty()) {
    std::copy_n(key.data(), key.size(), block.data());
  }
  for (auto& byte : block) byte ^= pad;
  Hasher hasher(kind);
  hasher.update(ByteView(block).first(size));
  OPENSSL_cleanse(block.data(), block.size());
  return hasher;
}

}  // namespace

Hmac::Hmac(DigestKind kind, ByteView key)
    : inner_start_(keyed(kind, key, 0x36)), outer_start_(keyed(kind, key, 0x5C)), inner_(inner_start_) {}

Hmac& Hmac::update(ByteView bytes) {
  inner_.update(bytes);
  return *this;
}

Digest Hmac::finish() {
  const Digest inside = inner_.finish();
  inner_ = inner_start_;
  return Hasher(outer_start_).update(inside.view()).finish();
}

Digest digest(DigestKind kind, ByteView bytes) {
  return Hasher(kind).update(bytes).finish();
}

Digest hmac(DigestKind kind, ByteView key, ByteView bytes) {
  return Hmac(kind, key).update(bytes).finish();
}

void pbkdf2(DigestKind kind, ByteView password, ByteView salt, std::uint32_t iterations, MutableByteView key) {
  MR_ASSERT(iterations > 0 && !key.empty());
  // A null password means "no password" to OpenSSL only together with length 0, which is what an empty view is.
  const auto* const text = reinterpret_cast<const char*>(password.data());
  const int made =
      PKCS5_PBKDF2_HMAC(text, static_cast<int>(password.size()), salt.data(), static_cast<int>(salt.size()),
                        static_cast<int>(iterations), fetched(kind), static_cast<int>(key.size()), key.data());
  MR_ASSERT(made == 1);
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace millrace

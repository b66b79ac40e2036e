// Message digests (RFC 1321, FIPS 180-4), HMAC (RFC 2104) and PBKDF2 (RFC 8018 section 5.2) over libcrypto, and the one
// comparison that is safe for secrets. MD5 and SHA-1 are here for the languages and protocols that name them, not for
// security. Thread: the functions any; an object one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace millrace {

enum class DigestKind : std::uint8_t { md5, sha1, sha224, sha256, sha384, sha512 };

/// Bytes of one digest: 16, 20, 28, 32, 48, 64.
[[nodiscard]] std::size_t digest_size(DigestKind kind);

/// A digest or an authentication code.
class Digest {
 public:
  static constexpr std::size_t kMaxBytes = 64;
  explicit Digest(std::size_t size) : size_(size) {}
  [[nodiscard]] ByteView view() const { return {bytes_.data(), size_}; }
  [[nodiscard]] MutableByteView bytes() { return {bytes_.data(), size_}; }
  /// Lower-case hexadecimal digits.
  [[nodiscard]] std::string hex() const;

 private:
  std::array<std::uint8_t, kMaxBytes> bytes_{};
  std::size_t size_;
};

/// A digest of bytes that come in pieces.
class Hasher {
 public:
  explicit Hasher(DigestKind kind);
  Hasher(const Hasher& other);  // continues from the same state
  Hasher& operator=(const Hasher& other);
  ~Hasher();
  Hasher& update(ByteView bytes);
  /// The digest of everything since the start, which is where the hasher then stands again.
  [[nodiscard]] Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  DigestKind kind_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// A keyed authentication code of bytes that come in pieces. The key's blocks are hashed once, in the constructor.
class Hmac {
 public:
  Hmac(DigestKind kind, ByteView key);
  Hmac& update(ByteView bytes);
  /// The code of everything since the start, which is where the object then stands again.
  [[nodiscard]] Digest finish();

 private:
  Hasher inner_start_;
  Hasher outer_start_;
  Hasher inner_;
};

[[nodiscard]] Digest digest(DigestKind kind, ByteView bytes);
[[nodiscard]] Digest hmac(DigestKind kind, ByteView key, ByteView bytes);

/// Fills `key` from the password with HMAC of `kind` as the pseudo-random function. Takes iterations × 2 compressions
/// for each digest of output: at 4,096 iterations about a millisecond. `iterations` is at least 1.
void pbkdf2(DigestKind kind, ByteView password, ByteView salt, std::uint32_t iterations, MutableByteView key);

/// Whether both are the same, in a time that depends on their sizes only. Use it for everything a client sends to prove
/// who it is.
[[nodiscard]] bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace millrace

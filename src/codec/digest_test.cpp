// Published vectors: RFC 1321 A.5, FIPS 180-4's examples, RFC 2202 and RFC 4231 (HMAC), RFC 6070 and RFC 7914 section
// 11 (PBKDF2).
#include "codec/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/hex.h"

namespace millrace {
namespace {

struct HashCase {
  DigestKind kind;
  std::string text;
  const char* hex;
};

std::vector<HashCase> hash_cases() {
  const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  return {
      {DigestKind::md5, "", "d41d8cd98f00b204e9800998ecf8427e"},
      {DigestKind::md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {DigestKind::sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {DigestKind::sha1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
      {DigestKind::sha224, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
      {DigestKind::sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {DigestKind::sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {DigestKind::sha256, two_blocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {DigestKind::sha256, std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
      {DigestKind::sha384, "abc",
       "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
      {DigestKind::sha512, "abc",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
       "454d4423643ce80e2a9ac94fa54ca49f"},
  };
}

TEST(Digest, PublishedVectors) {
  for (const auto& c : hash_cases()) {
    EXPECT_EQ(digest(c.kind, as_bytes(c.text)).hex(), c.hex);
    EXPECT_EQ(digest(c.kind, as_bytes(c.text)).view().size(), digest_size(c.kind));
  }
}

TEST(Digest, PiecesOfAnySizeGiveTheSame) {
  const std::string text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  const std::string whole = digest(DigestKind::sha256, as_bytes(text)).hex();
  Hasher hasher(DigestKind::sha256);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    hasher.update(as_bytes(text).first(at)).update(as_bytes(text).subspan(at));
    EXPECT_EQ(hasher.finish().hex(), whole);  // and the hasher is as new
  }
  hasher.update(as_bytes("abc"));
  Hasher copy = hasher;
  (void)hasher.update(as_bytes("x")).finish();
  EXPECT_EQ(copy.finish().hex(), hash_cases()[6].hex);
}

TEST(Hmac, PublishedVectors) {
  const std::string jefe = "what do ya want for nothing?";
  const auto code = [](DigestKind kind, const std::string& key, const std::string& text) {
    return hmac(kind, as_bytes(key), as_bytes(text)).hex();
  };
  EXPECT_EQ(code(DigestKind::md5, "Jefe", jefe), "750c783e6ab0b503eaa86e310a5db738");
  EXPECT_EQ(code(DigestKind::sha1, "Jefe", jefe), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(code(DigestKind::sha256, "Jefe", jefe), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(code(DigestKind::sha512, "Jefe", jefe),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
  // A key longer than a block is hashed first (RFC 4231 case 6).
  const std::string longer = "Test Using Larger Than Block-Size Key - Hash Key First";
  EXPECT_EQ(code(DigestKind::sha256, std::string(131, '\xAA'), longer),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(code(DigestKind::sha384, std::string(131, '\xAA'), longer),
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952");
}

TEST(Hmac, StandsAtItsStartAfterFinish) {
  Hmac code(DigestKind::sha256, as_bytes("Jefe"));
  for (int i = 0; i < 3; ++i) {
    code.update(as_bytes("what do ya want")).update(as_bytes(" for nothing?"));
    EXPECT_EQ(code.finish().hex(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
}

struct Pbkdf2Case {
  DigestKind kind;
  std::string password;
  std::string salt;
  std::uint32_t iterations;
  const char* hex;
};

TEST(Pbkdf2, PublishedVectors) {
  const std::vector<Pbkdf2Case> cases = {
      {DigestKind::sha1, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
      {DigestKind::sha1, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"},
      {DigestKind::sha1, {"pass\0word", 9}, {"sa\0lt", 5}, 4096, "56fa6aa75548099dcc37d7f03425e0c3"},
      {DigestKind::sha256, "passwd", "salt", 1,
       "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
       "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"},
      {DigestKind::sha256, "Password", "NaCl", 80000,
       "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
       "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"},
  };
  for (const auto& c : cases) {
    std::vector<std::uint8_t> key(std::string_view(c.hex).size() / 2);
    pbkdf2(c.kind, as_bytes(c.password), as_bytes(c.salt), c.iterations, key);
    EXPECT_EQ(to_hex(key), c.hex);
  }
}

TEST(ConstantTime, ComparesSizeAndEveryByte) {
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_TRUE(equal_in_constant_time(as_bytes("secret"), as_bytes("secret")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("secret"), as_bytes("secreT")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("secret"), as_bytes("Secret")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("secret"), as_bytes("secret ")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes(""), as_bytes("s")));
}

}  // namespace
}  // namespace millrace

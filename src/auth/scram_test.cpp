// SCRAM with the example of RFC 7677 section 3, everything that must be refused, and a seeded client.
#include "auth/scram.h"

#include <gtest/gtest.h>

#include "auth/testing/scram_client.h"

namespace millrace::auth {
namespace {

std::vector<std::uint8_t> bytes(std::string_view text) {
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

ScramExchange::LookUp only(std::string name, ScramCredential credential) {
  return [name = std::move(name),
          credential = std::move(credential)](std::string_view user) -> std::optional<ScramCredential> {
    if (user != name) return std::nullopt;
    return credential;
  };
}

// RFC 7677 section 3; the salt is W22ZaJ0SNY7soEsUEjb6gQ==.
ScramCredential rfc_credential() {
  const std::vector<std::uint8_t> salt = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
                                          0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
  return make_scram(ScramKind::sha256, "pencil", salt, 4096);
}

TEST(Scram, ExampleOfTheRfc) {
  ScramExchange exchange(ScramKind::sha256, only("user", rfc_credential()), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", {});
  const auto first = exchange.step("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(*first, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  const auto final = exchange.step(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  ASSERT_TRUE(final.has_value()) << final.error().message();
  EXPECT_EQ(*final, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  EXPECT_TRUE(exchange.done());
  EXPECT_EQ(exchange.user(), "user");
  EXPECT_FALSE(exchange.step("more").has_value());
}

TEST(Scram, BothKindsThereAndBack) {
  for (const ScramKind kind : {ScramKind::sha256, ScramKind::sha512}) {
    for (const std::string user : {"alice", "a,b=c", "\xC3\xA4"}) {
      const auto credential = make_scram(kind, "secret", bytes("0123456789abcdef"), 4096);
      ScramExchange exchange(kind, only(user, credential), "server", bytes("decoy"));
      testing::ScramClient client(kind, user, "secret");
      const auto first = exchange.step(client.first());
      ASSERT_TRUE(first.has_value());
      const auto final = exchange.step(client.final(*first));
      ASSERT_TRUE(final.has_value()) << final.error().message();
      EXPECT_TRUE(client.accepts(*final));
    }
  }
}

TEST(Scram, TheQuirkOfOldLibrdkafka) {
  ScramExchange exchange(ScramKind::sha256, only("user", rfc_credential()), "server", {});
  testing::ScramClient client(ScramKind::sha256, "user", "pencil");
  const auto first = exchange.step(client.first());
  const auto final = exchange.step(client.final_with_nonce_twice(*first, rfc_credential()));
  ASSERT_TRUE(final.has_value()) << final.error().message();
  EXPECT_TRUE(client.accepts(*final));
}

TEST(Scram, UnknownUsersAndWrongPasswordsLookTheSame) {
  const auto answer = [](const std::string& user, const std::string& password) {
    ScramExchange exchange(ScramKind::sha256, only("user", rfc_credential()), "server", bytes("decoy"));
    testing::ScramClient client(ScramKind::sha256, user, password);
    const auto first = exchange.step(client.first());
    const auto final = exchange.step(client.final(*first));
    return std::pair(*first, final ? "accepted" : final.error().message());
  };
  const auto wrong = answer("user", "pen");
  const auto unknown = answer("nobody", "pen");
  EXPECT_EQ(wrong.second, unknown.second);
  EXPECT_EQ(wrong.first.size(), unknown.first.size());
  EXPECT_EQ(unknown.first, answer("nobody", "other").first);  // the salt does not give it away
  EXPECT_NE(unknown.first, answer("nobody2", "other").first);
}

TEST(Scram, RefusesWhatIsNoScram) {
  for (const char* message : {"", "n", "n,,", "p=tls-unique,,n=user,r=abc", "n,,r=abc", "n,,n=,r=abc", "n,,n=user",
                              "n,,n=user,r=", "n,,n=us=er,r=abc", "n,,n=user,r=a b", "x,,n=user,r=abc",
                              "n,,m=ext,n=user,r=abc", "n,a=other,n=user,r=abc", "n,,n=user,r=abc,tokenauth=true"}) {
    ScramExchange exchange(ScramKind::sha256, only("user", rfc_credential()), "server", {});
    EXPECT_FALSE(exchange.step(message).has_value()) << message;
    EXPECT_FALSE(exchange.step("n,,n=user,r=abc").has_value()) << "it does not begin again";
  }
  for (const char* message : {"", "c=biws,r=abcserver", "c=biws,r=abcserver,p=", "c=biws,r=abcserver,p=AAAA",
                              "c=eSws,r=abcserver,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                              "c=biws,r=abcother,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="}) {
    ScramExchange exchange(ScramKind::sha256, only("user", rfc_credential()), "server", {});
    ASSERT_TRUE(exchange.step("n,,n=user,r=abc").has_value());
    EXPECT_FALSE(exchange.step(message).has_value()) << message;
    EXPECT_FALSE(exchange.done());
  }
}

TEST(Scram, AClientRefusesAServerThatIsAnother) {
  testing::ScramClient client(ScramKind::sha256, "user", "pencil");
  for (const char* first : {"", "r=client", "r=clientserver,s=QSXCR+Q6sek8bf92", "r=clientserver,s=*,i=4096",
                            "r=clientserver,s=QSXCR+Q6sek8bf92,i=0", "r=clientserver,s=QSXCR+Q6sek8bf92,i=4095",
                            "r=clientserver,s=QSXCR+Q6sek8bf92,i=9999999", "r=client,s=QSXCR+Q6sek8bf92,i=4096",
                            "r=otherserver,s=QSXCR+Q6sek8bf92,i=4096"}) {
    EXPECT_EQ(client.final(first), "") << first;
    EXPECT_FALSE(client.accepts(""));
  }
  ASSERT_NE(client.final("r=clientserver,s=QSXCR+Q6sek8bf92,i=4096"), "");
  EXPECT_FALSE(client.accepts("v=AAAA"));
}

TEST(Scram, PasswordsAreCheckedAgainstTheSameKeys) {
  EXPECT_TRUE(verify(rfc_credential(), "pencil"));
  EXPECT_FALSE(verify(rfc_credential(), "pencils"));
  EXPECT_FALSE(verify(rfc_credential(), ""));
}

}  // namespace
}  // namespace millrace::auth

// Credentials, the password file, and users that change.
#include "auth/users.h"

#include <gtest/gtest.h>

#include "auth/authenticator.h"
#include "base/queue_executor.h"

namespace millrace::auth {
namespace {

std::uint64_t counted() {
  static std::uint64_t next = 0;
  return ++next * 0x9E3779B97F4A7C15ULL;
}

TEST(Credential, TextThereAndBack) {
  const std::string token(40, 'x');
  const std::vector<std::pair<Credential, std::string>> all = {
      {make_scram_credential(ScramKind::sha256, "secret", counted), "secret"},
      {make_scram_credential(ScramKind::sha512, "secret", counted), "secret"},
      {make_password_credential("correct horse", counted), "correct horse"},
      {*make_token_credential(token, counted), token}};
  for (const auto& [credential, secret] : all) {
    const auto again = parse_credential(to_text(credential));
    ASSERT_TRUE(again.has_value()) << to_text(credential);
    EXPECT_EQ(*again, credential);
    EXPECT_TRUE(matches({&*again, 1}, secret));
    EXPECT_FALSE(matches({&*again, 1}, secret + "."));
    EXPECT_FALSE(matches({&*again, 1}, ""));
    EXPECT_EQ(to_text(credential).find(secret), std::string::npos);
  }
  EXPECT_FALSE(make_token_credential("short", counted).has_value());
  EXPECT_FALSE(matches({}, ""));
}

TEST(Credential, RefusesWhatIsOutOfBounds) {
  const std::string scram = to_text(make_scram_credential(ScramKind::sha256, "x", counted));
  for (const std::string& text :
       {std::string(), std::string("secret"), std::string("$plain$secret"), std::string("$scram-sha-256$"),
        "$scram-sha-512" + scram.substr(14), "$scram-sha-256$i=1" + scram.substr(20),
        "$scram-sha-256$i=99999" + scram.substr(20), std::string("$argon2id$v=19$m=99999999,t=2,p=1$c2FsdA$aGFzaA"),
        std::string("$argon2id$v=19$m=8,t=2$c2FsdA$aGFzaA"), std::string("$token-sha256$AAAA$AAAA"), scram + "$"}) {
    EXPECT_FALSE(parse_credential(text).has_value()) << text;
  }
}

TEST(PasswordFile, IsAllOrNothingAndNeverQuotesASecret) {
  const std::string good = to_text(make_scram_credential(ScramKind::sha256, "x", counted));
  Users users;
  ASSERT_TRUE(users.load_password_file("# people\nalice:" + good + "\r\n\nbob:" + good + "\n").has_value());
  EXPECT_EQ(users.table()->fixed().size(), 2U);
  for (const std::string& text :
       {std::string(), std::string("# nothing\n"), "alice:" + good + "\ncarol:hunter2\n", "alice:" + good + "\ncarol\n",
        std::string("\x7F"
                    "ELF:"),
        ":" + good}) {
    const auto loaded = users.load_password_file(text);
    ASSERT_FALSE(loaded.has_value()) << text;
    EXPECT_EQ(loaded.error().message().find("hunter2"), std::string::npos);
    EXPECT_EQ(users.table()->fixed().size(), 2U);
  }
}

/// Keeps what was put until the test says how it went.
struct HeldStorage final : Storage {
  void put(std::string_view name, const std::optional<std::string>& text, Done done) override {
    last = std::string(name) + "=" + text.value_or("(removed)");
    waiting.push_back(std::move(done));
  }
  void settle(Result<void> result) {
    auto done = std::move(waiting.front());
    waiting.erase(waiting.begin());
    done(std::move(result));
  }
  std::string last;
  std::vector<Done> waiting;
};

TEST(Users, AChangeHoldsOnceItIsDurable) {
  QueueExecutor loop;
  HeldStorage storage;
  Users users;
  users.set_storage(storage, loop);
  std::vector<std::string> outcomes;
  const auto change = [&](const std::string& name, Result<Credentials> wanted) {
    users.change(
        name, [wanted](const Credentials&) { return wanted; }, loop,
        [&](const Result<void>& result) {
          outcomes.push_back(result ? "ok" : std::string(to_string(result.error().code)));
        });
    loop.run_ready();
  };
  const Credentials some = {make_scram_credential(ScramKind::sha256, "x", counted)};
  change("alice", some);
  EXPECT_EQ(users.table()->find("alice"), nullptr);
  storage.settle({});
  loop.run_ready();
  EXPECT_NE(users.table()->find("alice"), nullptr);
  EXPECT_TRUE(storage.last.starts_with("alice=$scram-sha-256$"));

  change("alice", Credentials());
  storage.settle(fail(ErrorCode::disk_full, "no room"));
  loop.run_ready();
  EXPECT_NE(users.table()->find("alice"), nullptr);  // the change did not happen

  change("alice", Credentials());
  storage.settle({});
  change("alice", Credentials());
  change("a:b", some);
  EXPECT_EQ(users.table()->find("alice"), nullptr);
  ASSERT_TRUE(users.load_password_file("bob:" + to_text(some.front())).has_value());
  change("bob", some);
  EXPECT_EQ(outcomes,
            (std::vector<std::string>{"ok", "disk_full", "ok", "not_found", "invalid_argument", "permission_denied"}));
}

TEST(Users, RestoreTakesTheLastValueAndLeavesOutWhatItDoesNotKnow) {
  Users users;
  const std::string text = to_text(make_scram_credential(ScramKind::sha256, "x", counted));
  users.restore("alice", text);
  users.restore("bob", text);
  users.restore("alice", std::nullopt);
  users.restore("carol", "$future$1");
  EXPECT_EQ(users.table()->stored().size(), 1U);
  EXPECT_TRUE(users.table()->scram("bob", ScramKind::sha256).has_value());
  EXPECT_FALSE(users.table()->scram("bob", ScramKind::sha512).has_value());
}

TEST(Authenticator, ChecksOnTheWorkerAndAnswersOnTheLoop) {
  Users users;
  QueueExecutor worker;
  QueueExecutor loop;
  metrics::Registry registry;
  const std::string token(32, 't');
  users.restore("person", to_text(make_scram_credential(ScramKind::sha256, "secret", counted)));
  users.restore("device", to_text(*make_token_credential(token, counted)));
  Authenticator authenticator(users, &worker, registry, counted);
  std::vector<std::string> outcomes;
  const auto check = [&](const std::string& name, const std::string& secret) {
    authenticator.check_password(name, secret, loop, [&](const Result<Identity>& verdict) {
      outcomes.push_back(verdict ? verdict->name : std::string(to_string(verdict.error().code)));
    });
  };
  check("device", token);
  EXPECT_EQ(loop.run_ready(), 1U);  // a token costs too little for the worker
  check("person", "secret");
  check("person", "wrong");
  check("nobody", "secret");
  EXPECT_EQ(loop.run_ready(), 0U);
  EXPECT_EQ(worker.run_ready(), 3U);
  loop.run_ready();
  EXPECT_EQ(outcomes, (std::vector<std::string>{"device", "person", "permission_denied", "permission_denied"}));
}

TEST(Authenticator, ABoundedNumberWaits) {
  Users users;
  QueueExecutor worker;
  QueueExecutor loop;
  metrics::Registry registry;
  Authenticator authenticator(users, &worker, registry, counted);
  std::size_t busy = 0;
  for (std::size_t i = 0; i < Authenticator::kMostWaiting + 5; ++i) {
    authenticator.check_password("nobody", "x", loop, [&](const Result<Identity>& verdict) {
      busy += !verdict && verdict.error().code == ErrorCode::busy ? 1 : 0;
    });
  }
  loop.run_ready();
  EXPECT_EQ(busy, 5U);
}

}  // namespace
}  // namespace millrace::auth

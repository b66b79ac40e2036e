// Patterns against a model that tries every topic of a small world, and the rules built on them.
#include "auth/permissions.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace millrace::auth {
namespace {

// -- patterns

std::vector<std::string> small_world() {
  const std::vector<std::string> levels = {"a", "b", "", "$x"};
  std::vector<std::string> topics;
  for (const auto& one : levels) {
    if (!one.empty()) topics.push_back(one);
    for (const auto& two : levels) {
      topics.push_back(one + "/" + two);
      for (const auto& three : levels) topics.push_back(one + "/" + two + "/" + three);
    }
  }
  return topics;
}

std::string random_filter(Rng& rng) {
  const std::vector<std::string> levels = {"a", "b", "+", "", "$x"};
  std::string filter;
  const auto count = 1 + rng.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i != 0) filter += '/';
    filter += i + 1 == count && rng.chance(1, 3) ? "#" : levels[rng.below(levels.size())];
  }
  return filter.empty() ? "a" : filter;
}

TEST(TopicPattern, MatchesAsTheStandardSays) {
  EXPECT_TRUE(matches_topic("sport/tennis/#", "sport/tennis"));
  EXPECT_TRUE(matches_topic("sport/+", "sport/"));
  EXPECT_FALSE(matches_topic("sport/+", "sport"));
  EXPECT_FALSE(matches_topic("+", "/finance"));
  EXPECT_TRUE(matches_topic("/+", "/finance"));
  EXPECT_FALSE(matches_topic("#", "$SYS/uptime"));
  EXPECT_FALSE(matches_topic("+/uptime", "$SYS/uptime"));
  EXPECT_TRUE(matches_topic("$SYS/#", "$SYS/uptime"));
}

TEST(TopicPattern, CoverAndOverlapAgreeWithTryingEveryTopic) {
  Rng rng(1);
  const auto world = small_world();
  int covering = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string a = random_filter(rng);
    const std::string b = random_filter(rng);
    bool all = true;
    bool any = false;
    for (const std::string& topic : world) {
      if (!matches_topic(b, topic)) continue;
      all = all && matches_topic(a, topic);
      any = any || matches_topic(a, topic);
    }
    // covers() may be stricter than a world of three levels shows; it must never be laxer.
    if (covers(a, b)) {
      ++covering;
      EXPECT_TRUE(all) << a << " covers " << b;
    }
    if (any) {
      EXPECT_TRUE(overlap(a, b)) << a << " and " << b;
      EXPECT_TRUE(overlap(b, a));
    }
  }
  EXPECT_GT(covering, 500);
  EXPECT_TRUE(covers("a/#", "a"));
  EXPECT_TRUE(covers("a/+", "a/b"));
  EXPECT_TRUE(covers("#", "+/a"));
  EXPECT_FALSE(covers("a/+", "a/#"));
  EXPECT_FALSE(overlap("a/+", "a"));
  EXPECT_FALSE(overlap("#", "$SYS/a"));
}

TEST(TopicPattern, PlaceholdersNeverWiden) {
  const auto pattern = TopicPattern::parse("trucks/${clientid}/by/${username}");
  ASSERT_TRUE(pattern.has_value());
  EXPECT_EQ(pattern->resolve("t1", "ann"), "trucks/t1/by/ann");
  for (const char* bad : {"", "+", "#", "a/b", "t#", "+t"}) {
    EXPECT_EQ(pattern->resolve(bad, "ann"), std::nullopt) << bad;
    EXPECT_EQ(pattern->resolve("t1", bad), std::nullopt) << bad;
  }
  EXPECT_EQ(TopicPattern::parse("x-${clientid}")->resolve("${username}", "ann"), "x-${username}");  // once only
  for (const char* bad : {"", "a/#/b", "a+", "a/b#", "${client}", "${clientid"}) {
    EXPECT_FALSE(TopicPattern::parse(bad).has_value()) << bad;
  }
}

// -- rules

std::shared_ptr<const Permissions> parsed(const std::string& text) {
  auto permissions = Permissions::parse(text);
  EXPECT_TRUE(permissions.has_value()) << (permissions ? "" : permissions.error().message());
  return permissions ? *permissions : nullptr;
}

const char* const kRules =
    "# who               what       topics\n"
    "allow user:dispatch all        #\n"
    "allow *             publish    trucks/${clientid}/#\r\n"
    "allow *             subscribe  commands/${clientid}/+\n"
    "\n"
    "deny  user:guest    subscribe  trucks/+/driver\n"
    "allow user:guest    subscribe  trucks/#\n"
    "allow anonymous     publish    demo/with blank/#\n";

TEST(Permissions, DenyByDefaultAndDenyWins) {
  PermissionSlot slot;
  slot.store(parsed(kRules));
  Access truck(&slot, {"truck", Proof::password}, "t1");
  EXPECT_TRUE(truck.may_publish("trucks/t1/position"));
  EXPECT_FALSE(truck.may_publish("trucks/t2/position"));
  EXPECT_TRUE(truck.may_subscribe("commands/t1/+"));
  EXPECT_TRUE(truck.may_subscribe("commands/t1/go"));
  EXPECT_FALSE(truck.may_subscribe("commands/+/go"));
  EXPECT_FALSE(truck.may_subscribe("#"));
  EXPECT_FALSE(truck.may_publish("commands/t1/go"));

  Access guest(&slot, {"guest", Proof::password}, "g");
  EXPECT_TRUE(guest.may_subscribe("trucks/t1/position"));
  EXPECT_FALSE(guest.may_subscribe("trucks/t1/driver"));
  EXPECT_FALSE(guest.may_subscribe("trucks/#"));  // would bring what is denied
  EXPECT_TRUE(guest.may_receive("trucks/t1/position"));
  EXPECT_FALSE(guest.may_receive("trucks/t1/driver"));

  Access dispatch(&slot, {"dispatch", Proof::scram}, "d");
  EXPECT_TRUE(dispatch.may_subscribe("#"));
  EXPECT_FALSE(dispatch.may_subscribe("$SYS/#"));
  Access anonymous(&slot, {}, "t1");
  EXPECT_FALSE(anonymous.may_publish("trucks/t1/position"));
  EXPECT_TRUE(anonymous.may_publish("demo/with blank/x"));
}

TEST(Permissions, AClientIdWithWildcardsGetsNothingFromIt) {
  PermissionSlot slot;
  slot.store(parsed(kRules));
  for (const char* id : {"+", "#", "a/b"}) {
    Access access(&slot, {"truck", Proof::password}, id);
    EXPECT_FALSE(access.may_publish("trucks/t1/position")) << id;
    EXPECT_FALSE(access.may_subscribe(std::string("commands/") + id + "/+")) << id;
  }
  slot.store(parsed("deny * all secret/${clientid}\nallow * all #\n"));
  Access access(&slot, {"truck", Proof::password}, "+");
  EXPECT_FALSE(access.may_publish("anything"));  // what is denied cannot be told, so everything is
}

TEST(Permissions, AReloadIsSeenAtTheNextQuestion) {
  PermissionSlot slot;
  Access access(&slot, {"truck", Proof::password}, "t1");
  EXPECT_TRUE(access.may_publish("anything"));  // no file, no refusals
  slot.store(parsed("allow * publish a/#\n"));
  EXPECT_FALSE(access.may_publish("anything"));
  EXPECT_TRUE(access.may_publish("a/b"));
  EXPECT_TRUE(access.may_publish("a/b"));
  slot.store(parsed("deny * publish a/b\nallow * publish a/#\n"));
  EXPECT_FALSE(access.may_publish("a/b"));
  Access unlimited(nullptr, {}, "x");
  EXPECT_TRUE(unlimited.may_subscribe("#"));
}

TEST(Permissions, TheMemoryNeverMixesQuestionsUp) {
  PermissionSlot slot;
  slot.store(parsed("allow * publish p/#\nallow * subscribe s/#\n"));
  Access access(&slot, {"u", Proof::password}, "c");
  Rng rng(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::string topic = (rng.chance(1, 2) ? "p/" : "s/") + std::to_string(rng.below(40));
    EXPECT_EQ(access.may_publish(topic), topic.starts_with('p'));
    EXPECT_EQ(access.may_receive(topic), topic.starts_with('s'));
  }
}

TEST(Permissions, AFileIsAllOrNothing) {
  const auto good = parsed(kRules);
  ASSERT_EQ(good->rules().size(), 6U);
  std::string again;
  for (const PermissionRule& rule : good->rules()) again += to_text(rule) + "\n";
  EXPECT_EQ(parsed(again)->rules().size(), 6U);
  for (const char* bad : {"", "# only\n", "allow * publish\n", "allow * write a\n", "permit * publish a\n",
                          "allow user: publish a\n", "allow user:* all #\n", "allow * all a/#/b\n",
                          "\x7F"
                          "ELF"}) {
    const auto refused = Permissions::parse(bad);
    ASSERT_FALSE(refused.has_value()) << bad;
  }
  EXPECT_NE(Permissions::parse("allow * all a\nallow * all ${x}\n").error().message().find("line 2"),
            std::string::npos);
}

}  // namespace
}  // namespace millrace::auth

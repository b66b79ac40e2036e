// The parts of session state alone: subscription tree against a plain matcher, inflight window, QoS 2 states.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"
#include "mqtt/session/inflight_window.h"
#include "mqtt/session/packet_id_states.h"
#include "mqtt/session/session.h"
#include "mqtt/session/subscription_tree.h"

namespace millrace::mqtt {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> levels(1);
  for (const char c : text) {
    if (c == '/') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  return levels;
}

// Section 4.7 written down as plainly as possible.
bool matches(std::string_view filter, std::string_view topic) {
  const auto f = split(filter);
  const auto t = split(topic);
  if (topic.starts_with('$') && (f[0] == "#" || f[0] == "+")) return false;
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (f[i] == "#") return true;
    if (i >= t.size()) return false;
    if (f[i] != "+" && f[i] != t[i]) return false;
  }
  // "a/#" also matches "a": the loop has returned true only when '#' was reached.
  return f.size() == t.size();
}
bool matches_with_parent(std::string_view filter, std::string_view topic) {
  return matches(filter, topic) || (filter.ends_with("/#") && matches(filter.substr(0, filter.size() - 2), topic));
}

TEST(SubscriptionTree, AgreesWithThePlainMatcher) {
  Rng rng(11);
  static constexpr std::string_view kTopicLevels[] = {"a", "b", "", "$s", "cc"};
  static constexpr std::string_view kFilterLevels[] = {"a", "b", "", "$s", "cc", "+", "+"};
  const auto random_topic = [&] {
    std::string topic;
    const std::size_t levels = 1 + rng.below(4);
    for (std::size_t i = 0; i < levels; ++i) topic += (i != 0 ? "/" : "") + std::string(kTopicLevels[rng.below(5)]);
    return topic;
  };
  const auto random_filter = [&] {
    std::string filter;
    const std::size_t levels = 1 + rng.below(4);
    for (std::size_t i = 0; i < levels; ++i) {
      if (i != 0) filter += '/';
      if (i + 1 == levels && rng.chance(1, 3)) {
        filter += '#';
      } else {
        filter += kFilterLevels[rng.below(7)];
      }
    }
    return filter;
  };
  for (int round = 0; round < 40; ++round) {
    SubscriptionTree tree;
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 4; ++i) sessions.push_back(std::make_unique<Session>(std::to_string(i), 0));
    std::set<std::pair<std::size_t, std::string>> model;
    for (int step = 0; step < 120; ++step) {
      const std::size_t who = rng.below(sessions.size());
      const std::string filter = random_filter();
      if (filter.empty()) continue;
      if (rng.chance(2, 3)) {
        EXPECT_EQ(tree.add(filter, {sessions[who].get(), nullptr, 0, {}}), model.emplace(who, filter).second);
      } else {
        EXPECT_EQ(tree.remove(filter, {.session = sessions[who].get()}), model.erase({who, filter}) == 1);
      }
      ASSERT_EQ(tree.size(), model.size());
      const std::string topic = random_topic();
      if (topic.empty()) continue;
      std::map<const Session*, int> found;
      tree.match(topic, [&](const Subscriber& s) { ++found[s.session]; });
      std::map<const Session*, int> expected;
      for (const auto& [session, subscribed] : model) {
        if (matches_with_parent(subscribed, topic)) ++expected[sessions[session].get()];
      }
      ASSERT_EQ(found, expected) << topic;
    }
  }
}

TEST(SubscriptionTree, RulesOfTheStandard) {
  EXPECT_TRUE(matches_with_parent("sport/tennis/player1/#", "sport/tennis/player1"));
  EXPECT_FALSE(matches_with_parent("+", "/finance"));
  EXPECT_TRUE(matches_with_parent("+/+", "/finance"));
  EXPECT_FALSE(matches_with_parent("#", "$SYS/x"));
  EXPECT_TRUE(matches_with_parent("$SYS/#", "$SYS/x"));
}

TEST(InflightWindow, IdentifiersAreNeverReusedInFlight) {
  Rng rng(5);
  InflightWindow window;
  window.set_limit(20);
  std::set<std::uint16_t> in_flight;
  for (int i = 0; i < 300'000; ++i) {
    if (!window.full() && (in_flight.empty() || rng.chance(1, 2))) {
      const std::uint16_t id = window.allot(1, nullptr);
      ASSERT_NE(id, 0);
      ASSERT_TRUE(in_flight.insert(id).second);
    } else if (!in_flight.empty()) {
      const auto id = rng.chance(1, 50) ? in_flight.begin()
                                        : std::next(in_flight.begin(), static_cast<long>(rng.below(in_flight.size())));
      ASSERT_TRUE(window.acknowledge(*id).known);
      ASSERT_FALSE(window.acknowledge(*id).known);
      in_flight.erase(id);
    }
    ASSERT_EQ(window.in_flight(), in_flight.size());
  }
  EXPECT_FALSE(window.acknowledge(0).known);
}

// One that is never acknowledged holds its identifier however many others come and go: the window closes instead.
TEST(InflightWindow, TheOldestHoldsItsPlace) {
  InflightWindow window;
  const std::uint16_t stuck = window.allot(1, nullptr);
  for (std::uint32_t i = 1; i < InflightWindow::kIdentifiers; ++i)
    ASSERT_TRUE(window.acknowledge(window.allot(1, nullptr)).known);
  EXPECT_TRUE(window.full());
  EXPECT_TRUE(window.acknowledge(stuck).known);
  EXPECT_FALSE(window.full());
  EXPECT_EQ(window.allot(1, nullptr), stuck);
}

TEST(PacketIdStates, AgreesWithAMap) {
  Rng rng(9);
  PacketIdStates states;
  std::map<std::uint16_t, DeliveryState> model;
  for (int i = 0; i < 200'000; ++i) {
    const auto id = static_cast<std::uint16_t>(1 + rng.below(rng.chance(1, 2) ? 40 : 65'535));
    switch (rng.below(3)) {
      case 0:
        if (model.size() < 300) {
          const auto state = static_cast<DeliveryState>(1 + rng.below(3));
          states.set(id, state);
          model[id] = state;
        }
        break;
      case 1:
        states.erase(id);
        model.erase(id);
        break;
      default:
        ASSERT_EQ(states.get(id), model.contains(id) ? model[id] : DeliveryState::absent);
    }
    ASSERT_EQ(states.size(), model.size());
  }
  for (const auto& [id, state] : model) EXPECT_EQ(states.get(id), state);
}

}  // namespace
}  // namespace millrace::mqtt

#include "load/replay_check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace millrace::load {
namespace {

TEST(FindMember, OnlyMembersNotTextInsideStrings) {
  EXPECT_EQ(find_member(R"({"a":"x","replay_seq": 12,"b":1})", "replay_seq"), "12");
  EXPECT_EQ(find_member(R"({"replay_seq":7})", "replay_seq"), "7");
  EXPECT_EQ(find_member(R"({"note":"\"replay_seq\":9","replay_seq":3})", "replay_seq"), "3");
  EXPECT_EQ(find_member(R"({"note":"replay_seq","replay_seq" : 3 })", "replay_seq"), "3");
  EXPECT_EQ(find_member(R"({"device_no":"A-1"})", "device_no"), "A-1");
  EXPECT_EQ(find_member(R"({"xreplay_seq":1})", "replay_seq"), "");
  EXPECT_EQ(find_member("", "replay_seq"), "");
  EXPECT_EQ(find_member(R"("replay_seq":)", "replay_seq"), "");
}

class ReplayCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        testing::TempDir() + "replay_check_" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
    std::ofstream(path_) << "id,v\na,1\na,2\nb,1\na,3\n";
    ReplayMapping mapping;
    mapping.key = "id";
    script_ = std::move(*ReplayScript::load({path_}, mapping, "me", 0));
  }
  void TearDown() override { std::filesystem::remove(path_); }
  static std::string record(const std::string& device, int number, const std::string& run = "me") {
    return R"({"device_no":")" + device + R"(","replay_run":")" + run + R"(","replay_seq":)" + std::to_string(number) +
           "}";
  }
  struct Seen {
    std::int32_t partition;
    std::string device;
    int number;
  };
  ReplayCheck::Findings findings(const std::vector<Seen>& seen, const std::vector<std::uint64_t>& resent = {0, 0}) {
    ReplayCheck check(script_, resent);
    for (const Seen& s : seen) check.see("t", s.partition, s.device, record(s.device, s.number));
    check.see("t", 0, "a", record("a", 1, "other"));
    check.see("t", 0, "", "not json at all");
    return check.findings();
  }
  std::string path_;
  ReplayScript script_;
};

TEST_F(ReplayCheckTest, OnceAndInOrderIsGood) {
  const auto f = findings({{0, "a", 1}, {1, "b", 1}, {0, "a", 2}, {0, "a", 3}});
  EXPECT_TRUE(f.good());
  EXPECT_EQ(f.found, 4U);
}

TEST_F(ReplayCheckTest, EveryKindOfDamageIsFound) {
  EXPECT_EQ(findings({{0, "a", 1}, {0, "a", 3}, {1, "b", 1}}).missing, 1U);
  EXPECT_EQ(findings({{0, "a", 1}, {0, "a", 3}, {0, "a", 2}, {1, "b", 1}}).out_of_order, 1U);
  EXPECT_EQ(findings({{0, "a", 1}, {2, "a", 2}, {0, "a", 3}, {1, "b", 1}}).moved, 1U);
  EXPECT_EQ(findings({{0, "a", 1}, {0, "a", 2}, {0, "a", 3}, {0, "a", 4}, {1, "b", 1}}).strangers, 1U);
  EXPECT_EQ(findings({{0, "c", 1}}).strangers, 1U);
  ReplayCheck check(script_, {});
  check.see("t", 0, "b", record("a", 1));
  EXPECT_EQ(check.findings().wrong_key, 1U);
}

TEST_F(ReplayCheckTest, DuplicatesAreLegalAsFarAsMessagesWereSentAgain) {
  const std::vector<Seen> twice = {{0, "a", 1}, {0, "a", 2}, {0, "a", 1}, {0, "a", 2}, {0, "a", 3}, {1, "b", 1}};
  const auto bad = findings(twice);
  EXPECT_EQ(bad.unexplained, 2U);
  EXPECT_FALSE(bad.good());
  const auto good = findings(twice, {2, 0});
  EXPECT_EQ(good.duplicates, 2U);
  EXPECT_TRUE(good.good());
  EXPECT_EQ(findings(twice, {1, 5}).unexplained, 1U);
}

}  // namespace
}  // namespace millrace::load

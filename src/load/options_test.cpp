#include "load/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::load {
namespace {

struct Fixture {
  std::int64_t publishers = 50;
  double rate = 0;
  double duration = 5;
  bool json = false;
  std::vector<std::string> files;
  Options options{"millrace test", "A test."};
  Fixture() {
    options.heading("Load");
    options.count("--publishers", "N", "how many", publishers, 0, 1000);
    options.real("--rate", "N", "per second", rate, 0);
    options.seconds("--duration", "how long", duration);
    options.flag("--json", "machine-readable", json);
    options.positional("FILE", "what to read", files);
  }
  Result<bool> parse(std::vector<std::string_view> args) { return options.parse(args); }
};

TEST(Options, TakesBothSpellingsAndUnits) {
  Fixture f;
  ASSERT_TRUE(f.parse({"--publishers", "7", "--rate=300k", "a.csv", "--duration", "500ms", "--json"}));
  EXPECT_EQ(f.publishers, 7);
  EXPECT_EQ(f.rate, 300'000);
  EXPECT_EQ(f.duration, 0.5);
  EXPECT_TRUE(f.json);
  EXPECT_THAT(f.files, testing::ElementsAre("a.csv"));
}

TEST(Options, ErrorsSayWhatToDo) {
  const auto text = [](std::vector<std::string_view> args) {
    Fixture f;
    const Result<bool> result = f.parse(std::move(args));
    return result ? std::string("accepted") : result.error().message();
  };
  EXPECT_THAT(text({"--publisher", "7"}), testing::HasSubstr("did you mean --publishers?"));
  EXPECT_THAT(text({"--nonsense-entirely"}), testing::HasSubstr("--help lists them all"));
  EXPECT_THAT(text({"--publishers"}), testing::HasSubstr("needs a value: --publishers N"));
  EXPECT_THAT(text({"--publishers", "5000"}), testing::HasSubstr("--publishers: '5000' is not from 0 to 1000"));
  EXPECT_THAT(text({"--publishers", "many"}), testing::HasSubstr("--publishers: 'many' is not a whole number"));
  EXPECT_THAT(text({"--duration", "-1"}), testing::HasSubstr("--duration: '-1' is not a duration"));
  EXPECT_THAT(text({"--json=1"}), testing::HasSubstr("takes no value: --json"));
}

TEST(Options, HelpShowsEveryRowWithItsDefault) {
  Fixture f;
  EXPECT_FALSE(*f.parse({"--help"}));
  const std::string help = f.options.help();
  EXPECT_THAT(help, testing::HasSubstr("  --publishers N            how many [50]"));
  EXPECT_THAT(help, testing::HasSubstr("  FILE"));
  EXPECT_THAT(help, testing::HasSubstr("\nLoad\n"));
}

TEST(Options, CountsSecondsAndEndpoints) {
  EXPECT_EQ(*parse_count("1.5k"), 1500);
  EXPECT_EQ(*parse_count("2M"), 2'000'000);
  EXPECT_FALSE(parse_count("1.5"));
  EXPECT_FALSE(parse_count(""));
  EXPECT_FALSE(parse_count("12x"));
  EXPECT_EQ(*parse_seconds("2m"), 120);
  EXPECT_FALSE(parse_seconds("ms"));
  std::string host = "127.0.0.1";
  std::int64_t port = 1;
  ASSERT_TRUE(parse_endpoint(":1884", host, port));
  EXPECT_EQ(host, "127.0.0.1");
  EXPECT_EQ(port, 1884);
  ASSERT_TRUE(parse_endpoint("[::1]:9", host, port));
  EXPECT_EQ(host, "::1");
  EXPECT_FALSE(parse_endpoint("broker", host, port));
  EXPECT_FALSE(parse_endpoint("broker:70000", host, port));
}

}  // namespace
}  // namespace millrace::load

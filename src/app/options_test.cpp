#include "app/options.h"

#include <gtest/gtest.h>

namespace millrace::app {
namespace {

constexpr OptionRow kRows[] = {{"--config", "FILE", ""}, {"--set", "KEY=VALUE", ""}, {"--deep", "", ""}};

Result<Options> parse(std::vector<std::string_view> arguments) {
  return parse_options(arguments, kRows);
}

TEST(Options, BothFormsOfValuesFlagsAndTheRest) {
  const auto options = parse({"--config", "a.yaml", "--set=x=1", "--set", "y=2", "--deep", "dir"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->get("--config"), "a.yaml");
  EXPECT_EQ(options->all("--set"), (std::vector<std::string>{"x=1", "y=2"}));
  EXPECT_TRUE(options->has("--deep"));
  EXPECT_EQ(options->rest, (std::vector<std::string>{"dir"}));
  EXPECT_EQ(options->get("--missing", "z"), "z");
}

TEST(Options, ErrorsSayWhatToDo) {
  EXPECT_NE(parse({"--confg", "x"}).error().detail.find("did you mean --config?"), std::string::npos);
  EXPECT_EQ(parse({"--config"}).error().detail, "--config FILE");
  EXPECT_FALSE(parse({"--deep=1"}));
}

}  // namespace
}  // namespace millrace::app

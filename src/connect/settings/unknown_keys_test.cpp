#include "connect/settings/unknown_keys.h"

#include <gtest/gtest.h>

namespace millrace::connect {
namespace {

constexpr ConfigKey kRows[] = {{.name = "topics"}, {.name = "flush.size"}, {.name = "tasks.max"}};

TEST(UnknownKeys, NamesTheOneItMayBe) {
  const auto unknown =
      unknown_keys(ConfigTable().add(kRows), {{"topics", "cars"}, {"flush.sise", "10"}, {"confluent.license", "x"}});
  ASSERT_EQ(unknown.size(), 2U);
  EXPECT_EQ(unknown[0].name, "confluent.license");
  EXPECT_EQ(unknown[0].nearest, "");
  EXPECT_EQ(unknown[1].name, "flush.sise");
  EXPECT_EQ(unknown[1].nearest, "flush.size");
}

TEST(UnknownKeys, KnowsWhatIsMadeAtRunTime) {
  ConfigTable table;
  table.add("transforms.day.", kRows, "Transforms");
  EXPECT_TRUE(unknown_keys(table, {{"transforms.day.flush.size", "1"}}).empty());
}

}  // namespace
}  // namespace millrace::connect

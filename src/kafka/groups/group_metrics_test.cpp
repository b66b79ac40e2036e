// Metrics of groups: what is told of each, and that the page stays small however many there are.
#include "kafka/groups/group_metrics.h"

#include <gtest/gtest.h>

#include "kafka/testing/memory_topic_log.h"

namespace millrace::kafka::testing {
namespace {

std::shared_ptr<Group> group_with(const std::string& id, std::int32_t partitions, std::int64_t offset) {
  auto group = std::make_shared<Group>(id);
  for (std::int32_t i = 0; i < partitions; ++i) {
    group->offset_entry({"events", i}).stored = StoredOffset{.offset = {.offset = offset}};
  }
  return group;
}

std::size_t lines_of(const std::string& page, std::string_view name) {
  std::size_t count = 0;
  for (std::size_t at = page.find(name); at != std::string::npos; at = page.find(name, at + 1)) {
    count += at == 0 || page[at - 1] == '\n' ? 1 : 0;
  }
  return count;
}

struct Page {
  std::string text() {
    metrics::Registry registry;
    register_group_series(registry, log,
                          [this] { return std::vector<std::shared_ptr<const GroupSnapshot>>{snapshot}; });
    return registry.prometheus_text();
  }
  MemoryTopicLog log;
  std::shared_ptr<GroupSnapshot> snapshot = std::make_shared<GroupSnapshot>();
};

TEST(GroupMetrics, LagIsToldByGroupTopicAndPartition) {
  Page page;
  ASSERT_TRUE(page.log.create({.name = "events", .partitions = 2, .config = {}}));
  page.snapshot->add(*group_with("readers", 3, 0));
  const std::string text = page.text();
  EXPECT_NE(text.find("millrace_kafka_group_lag_records{group=\"readers\",topic=\"events\",partition=\"1\"} 0\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(lines_of(text, "millrace_kafka_group_lag_records{"), 2U) << "not of a partition that is not there";
  EXPECT_EQ(lines_of(text, "millrace_kafka_group_committed_offset{"), 3U);
  EXPECT_NE(text.find("millrace_kafka_groups 1\n"), std::string::npos);
}

TEST(GroupMetrics, AtMostSoManySeriesAndTheRestIsCounted) {
  Page page;
  for (std::size_t i = 0; i < kMaxGroupSeries + 7; ++i) page.snapshot->add(*group_with("g" + std::to_string(i), 11, 5));
  const std::string text = page.text();
  EXPECT_EQ(lines_of(text, "millrace_kafka_group_members{"), kMaxGroupSeries);
  EXPECT_EQ(lines_of(text, "millrace_kafka_group_committed_offset{"), kMaxOffsetSeries);
  EXPECT_NE(text.find("millrace_kafka_groups 1007\n"), std::string::npos);
  EXPECT_NE(text.find("millrace_kafka_group_series_left_out 1007\n"), std::string::npos)
      << "7 groups, and 1,000 offsets of those that are shown";
}

}  // namespace
}  // namespace millrace::kafka::testing

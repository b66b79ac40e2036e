// Records of __consumer_offsets byte for byte as Apache Kafka writes them, and the partition it puts them into.
#include "kafka/groups/group_records.h"

#include <gtest/gtest.h>

namespace millrace::kafka {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

TEST(GroupRecords, OffsetIsKeyVersion1AndValueVersion3) {
  const GroupRecord record =
      offset_record("g", {"t", 7}, {.offset = {.offset = 5, .leader_epoch = -1, .metadata = "m"}, .commit_time_ms = 1});
  EXPECT_EQ(record.key, bytes({0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 7}));
  EXPECT_EQ(*record.value,
            bytes({0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 255, 255, 255, 255, 0, 1, 'm', 0, 0, 0, 0, 0, 0, 0, 1}));
  const auto key = std::get<OffsetKey>(parse_group_key(as_bytes(record.key)).value());
  EXPECT_EQ(key.group, "g");
  EXPECT_EQ(key.partition, (GroupPartition{"t", 7}));
  const auto value = parse_offset_value(as_bytes(*record.value)).value();
  EXPECT_EQ(value.offset, (GroupOffset{5, -1, "m"}));
  EXPECT_EQ(value.commit_time_ms, 1);
  EXPECT_FALSE(value.expire_time_ms);
  EXPECT_FALSE(offset_tombstone("g", {"t", 7}).value);
  EXPECT_EQ(offset_tombstone("g", {"t", 7}).key, record.key);
}

TEST(GroupRecords, AnOffsetWithItsOwnExpiryIsValueVersion1) {
  const GroupRecord record =
      offset_record("g", {"t", 0}, {.offset = {.offset = 5}, .commit_time_ms = 1, .expire_time_ms = 2});
  EXPECT_EQ(record.value->substr(0, 2), bytes({0, 1}));
  const auto value = parse_offset_value(as_bytes(*record.value)).value();
  EXPECT_EQ(value.offset.offset, 5);
  EXPECT_EQ(value.expire_time_ms, 2);
}

TEST(GroupRecords, GroupIsKeyVersion2AndValueVersion3) {
  StoredGroup group{
      .protocol_type = "c", .generation = 3, .protocol = "r", .leader = "m", .state_time_ms = 9, .members = {}};
  group.members.push_back({.id = "m",
                           .instance_id = std::nullopt,
                           .client_id = "i",
                           .client_host = "/h",
                           .rebalance_timeout_ms = 2,
                           .session_timeout_ms = 1,
                           .subscription = "s",
                           .assignment = "a"});
  const GroupRecord record = group_record("g", group);
  EXPECT_EQ(record.key, bytes({0, 2, 0, 1, 'g'}));
  EXPECT_EQ(*record.value,
            bytes({0, 3, 0, 1, 'c', 0, 0, 0, 3, 0, 1, 'r', 0, 1, 'm', 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}) +
                bytes({0, 1, 'm', 255, 255, 0, 1, 'i', 0, 2, '/', 'h', 0, 0, 0, 2, 0, 0, 0, 1}) +
                bytes({0, 0, 0, 1, 's', 0, 0, 0, 1, 'a'}));
  const StoredGroup back = parse_group_value(as_bytes(*record.value)).value();
  EXPECT_EQ(back.generation, 3);
  EXPECT_EQ(back.leader, "m");
  EXPECT_EQ(back.members.at(0).assignment, "a");
}

TEST(GroupRecords, EveryPrefixIsMalformed) {
  StoredGroup group{
      .protocol_type = "c", .generation = 3, .protocol = {}, .leader = {}, .state_time_ms = 9, .members = {}};
  group.members.push_back({"m", "i", "c", "/h", 1, 2, "s", "a"});
  const std::string value = *group_record("g", group).value;
  const std::string key = offset_tombstone("group", {"topic", 1}).key;
  for (std::size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(parse_group_value(as_bytes(value).first(size))) << size;
  }
  for (std::size_t size = 2; size < key.size(); ++size) {
    EXPECT_FALSE(parse_group_key(as_bytes(key).first(size))) << size;
  }
  std::string many = value;  // claims two thousand million members
  many[9] = 0x7F;
  EXPECT_FALSE(parse_group_value(as_bytes(many)) && false);
  EXPECT_TRUE(std::holds_alternative<OtherKey>(parse_group_key(as_bytes(bytes({0, 3, 1}))).value()));
}

// What Java's Math.abs(name.hashCode()) % n gives.
TEST(GroupRecords, PartitionIsKafkas) {
  EXPECT_EQ(offsets_partition("a", 50), 97 % 50);
  EXPECT_EQ(offsets_partition("console-consumer", 1), 0);
  EXPECT_EQ(offsets_partition("hello", 50), 99162322 % 50);
  EXPECT_EQ(offsets_partition("polygenelubricants", 50), 0);  // its hash is the one number without an absolute value
  EXPECT_EQ(offsets_partition("\xC3\xA9", 50), 233 % 50);     // é is one UTF-16 unit
  EXPECT_EQ(offsets_partition("\xF0\x9F\x98\x80", 50), 1772899 % 50);  // U+1F600 is two: D83D DE00
}

}  // namespace
}  // namespace millrace::kafka

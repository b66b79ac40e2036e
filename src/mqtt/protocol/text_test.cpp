#include "mqtt/protocol/text.h"

#include <gtest/gtest.h>

#include <string>

#include "mqtt/protocol/property.h"

namespace millrace::mqtt::protocol {
namespace {

using namespace std::string_view_literals;

TEST(Utf8String, EdgesOfEveryLength) {
  constexpr std::string_view kGood[] = {"",
                                        "a",
                                        "\x7F",
                                        "\xC2\x80",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",
                                        "\xEE\x80\x80",
                                        "\xEF\xBB\xBF",
                                        "\xEF\xBF\xBF",
                                        "\xF0\x90\x80\x80",
                                        "\xF4\x8F\xBF\xBF",
                                        "\x01\x1F"};
  for (const auto text : kGood) EXPECT_TRUE(is_utf8_string(text)) << text;
  const std::string_view bad[] = {"\0"sv,
                                  "a\0"sv,
                                  "\x80",
                                  "\xBF",
                                  "\xC0\x80",
                                  "\xC1\xBF",
                                  "\xC2",
                                  "\xC2\x41",
                                  "\xE0\x9F\xBF",
                                  "\xE1\x80",
                                  "\xE1\x41\x80",
                                  "\xE1\x80\x41",
                                  "\xED\xA0\x80",
                                  "\xED\xBF\xBF",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xF1\x80\x80",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xFE",
                                  "\xFF"};
  for (const auto text : bad) EXPECT_FALSE(is_utf8_string(text));
}

// The fast path looks at eight bytes at a time; a bad byte must be seen wherever it stands.
TEST(Utf8String, BadBytesAreSeenAtEveryPosition) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char bad : {'\0', '\xFF', '\x80'}) {
        std::string text(size, 'x');
        text[at] = bad;
        EXPECT_FALSE(is_utf8_string(text)) << size << " " << at;
        EXPECT_FALSE(check_topic_name(text).has_value());
      }
      for (const char wildcard : {'+', '#'}) {
        std::string text(size, 'x');
        text[at] = wildcard;
        EXPECT_TRUE(is_utf8_string(text));
        ASSERT_FALSE(check_topic_name(text).has_value());
        EXPECT_EQ(check_topic_name(text).error().reason, ReasonCode::topic_name_invalid);
      }
      for (const char fine : {'"', '$', '*', ',', '/', '\x01', '\x7F', '\x22', '\x24'}) {
        std::string text(size, 'x');
        text[at] = fine;
        EXPECT_TRUE(check_topic_name(text).has_value()) << size << " " << at << " " << fine;
      }
    }
  }
}

TEST(TopicName, EmptyIsInvalidSlashIsNot) {
  EXPECT_FALSE(check_topic_name("").has_value());
  EXPECT_TRUE(check_topic_name("/").has_value());
  EXPECT_TRUE(check_topic_name("$SYS/x").has_value());
  EXPECT_TRUE(check_topic_name("공장/1/온도").has_value());
  EXPECT_EQ(check_topic_name("a\xFF").error().reason, ReasonCode::malformed_packet);
}

TEST(TopicFilter, PlacesOfWildcards) {
  for (const auto filter :
       {"#", "+", "/", "a", "a/b", "a/#", "+/#", "+/+", "a/+/b", "/+", "+/", "/#", "$SYS/#", "a b", "//"}) {
    EXPECT_TRUE(parse_topic_filter(filter).has_value()) << filter;
  }
  for (const auto filter : {"", "a#", "#/", "#/a", "a/#/b", "a+", "+a", "a/+b", "a/b+/c", "##", "++", "a/##", "+#"}) {
    ASSERT_FALSE(parse_topic_filter(filter).has_value()) << filter;
    EXPECT_EQ(parse_topic_filter(filter).error().reason, ReasonCode::topic_filter_invalid);
  }
}

TEST(TopicFilter, SharedSubscriptions) {
  const auto parts = parse_topic_filter("$share/group/a/+/#");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->share_name, "group");
  EXPECT_EQ(parts->filter, "a/+/#");
  EXPECT_EQ(parse_topic_filter("$share/g//")->filter, "/");
  EXPECT_EQ(parse_topic_filter("$shared/a")->share_name, "");
  for (const auto filter :
       {"$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a", "$share/g/a#"}) {
    EXPECT_FALSE(parse_topic_filter(filter).has_value()) << filter;
  }
}

TEST(PropertyTable, HasTheTwentySevenOfTheStandardInOrder) {
  const auto table = property_table();
  ASSERT_EQ(table.size(), 27U);
  for (std::size_t i = 1; i < table.size(); ++i) EXPECT_LT(table[i - 1].id, table[i].id);
  for (const PropertyRow& row : table) EXPECT_EQ(find_property(static_cast<std::uint32_t>(row.id)), &row);
  for (const std::uint32_t none : {0U, 4U, 7U, 10U, 12U, 16U, 20U, 27U, 29U, 30U, 32U, 43U, 127U, 100'000U}) {
    EXPECT_EQ(find_property(none), nullptr);
  }
}

TEST(ReasonCode, PacketsOfTheStandard) {
  EXPECT_TRUE(is_allowed(ReasonCode::no_matching_subscribers, PacketType::puback));
  EXPECT_FALSE(is_allowed(ReasonCode::no_matching_subscribers, PacketType::pubcomp));
  EXPECT_FALSE(is_allowed(static_cast<ReasonCode>(0x03), PacketType::suback));
  EXPECT_EQ(to_string(ReasonCode::receive_maximum_exceeded), "receive_maximum_exceeded");
  EXPECT_EQ(to_string(static_cast<ReasonCode>(0xFF)), "unknown");
}

}  // namespace
}  // namespace millrace::mqtt::protocol

// Golden packets written by hand from the specification, random round trips, every split of the byte stream.
#include <gtest/gtest.h>

#include "mqtt/protocol/decoder.h"
#include "mqtt/protocol/encoder.h"
#include "mqtt/testing/hex.h"
#include "mqtt/testing/random_packet.h"

namespace millrace::mqtt::protocol {
namespace {

using testing::from_hex;
using testing::to_hex;

constexpr std::size_t kMax = 1_MiB;

std::string encoded(const Packet& packet, Version version) {
  Buffer out;
  encode(out, packet, version);
  return std::string(as_text(out.view()));
}

template <class T>
T decoded(std::string_view bytes, Version version) {
  const auto frame = next_frame(as_bytes(bytes), kMax);
  EXPECT_TRUE(frame.has_value() && frame->complete());
  auto packet = decode(*frame, version);
  EXPECT_TRUE(packet.has_value()) << packet.error().why;
  return std::get<T>(std::move(*packet));
}

struct Golden {
  const char* name;
  Version version;
  const char* hex;
};

// Each is decoded and must encode to the same bytes.
constexpr Golden kGolden[] = {
    {"3.1 connect", Version::v3_1, "10 0f 0006'MQIsdp' 03 02 003c 0001'a'"},
    {"3.1.1 connect, clean", Version::v3_1_1, "10 0d 0004'MQTT' 04 02 003c 0001'a'"},
    {"3.1.1 connect, will, user, password", Version::v3_1_1,
     "10 22 0004'MQTT' 04 ee 000a 0002'id' 0003'w/t' 0002'by' 0004'user' 0003'pwd'"},
    {"5 connect, session expiry and receive maximum", Version::v5,
     "10 16 0004'MQTT' 05 02 003c 08 11 0000000a 21 0014 0001'a'"},
    {"5 connect, will with delay and user property", Version::v5,
     "10 24 0004'MQTT' 05 0e 0000 00 0001'a' 0c 18 00000005 26 0001'k' 0001'v' 0002'wt' 0003'pay'"},
    {"3.1.1 connack", Version::v3_1_1, "20 02 01 00"},
    {"3.1.1 connack refused", Version::v3_1_1, "20 02 00 02"},
    {"5 connack with properties", Version::v5, "20 0b 00 00 08 21 0014 27 00010000"},
    {"5 connack refused", Version::v5, "20 03 00 84 00"},
    {"3.1.1 publish QoS 0", Version::v3_1_1, "30 0a 0003'a/b' 'hello'"},
    {"3.1.1 publish QoS 1 dup retain", Version::v3_1_1, "3b 08 0003'a/b' 000a 'x'"},
    {"3.1.1 publish QoS 2 empty payload", Version::v3_1_1, "34 07 0003'a/b' ffff"},
    {"5 publish no properties", Version::v5, "32 0a 0003'a/b' 000a 00 'hi'"},
    {"5 publish every property", Version::v5,
     "30 35 0003'a/b' 2d 01 01 02 0000003c 03 0004'json' 08 0003'r/t' 09 0002 00ff 0b ff7f 23 0001 26 0001'k' 0001'v' "
     "26 "
     "0001'k' 0001'w' '{}'"},
    {"5 publish with alias only", Version::v5, "30 07 0000 03 23 0007 'p'"},
    {"puback", Version::v3_1_1, "40 02 1234"},
    {"5 puback short", Version::v5, "40 02 1234"},
    {"5 puback with reason", Version::v5, "40 03 1234 10"},
    {"5 puback with reason string", Version::v5, "40 09 1234 97 05 1f 0002'no'"},
    {"pubrec", Version::v5, "50 02 0001"},
    {"pubrel", Version::v3_1_1, "62 02 0001"},
    {"5 pubrel not found", Version::v5, "62 03 0001 92"},
    {"pubcomp", Version::v5, "70 03 0001 92"},
    {"3.1.1 subscribe two", Version::v3_1_1, "82 0e 000a 0003'a/b' 01 0003'c/#' 02"},
    {"5 subscribe with options and identifier", Version::v5, "82 0b 000a 02 0b 07 0003'a/+' 2d"},
    {"3.1.1 suback", Version::v3_1_1, "90 05 000a 00 01 80"},
    {"5 suback", Version::v5, "90 06 000a 00 00 02 8f"},
    {"3.1.1 unsubscribe", Version::v3_1_1, "a2 07 000b 0003'a/b'"},
    {"5 unsubscribe", Version::v5, "a2 08 000b 00 0003'a/b'"},
    {"3.1.1 unsuback", Version::v3_1_1, "b0 02 000b"},
    {"5 unsuback", Version::v5, "b0 05 000b 00 00 11"},
    {"pingreq", Version::v3_1_1, "c0 00"},
    {"pingresp", Version::v5, "d0 00"},
    {"3.1.1 disconnect", Version::v3_1_1, "e0 00"},
    {"5 disconnect", Version::v5, "e0 00"},
    {"5 disconnect with will", Version::v5, "e0 01 04"},
    {"5 disconnect with session expiry", Version::v5, "e0 07 00 05 11 00000000"},
    {"5 auth", Version::v5, "f0 07 18 05 15 0002'sc'"},
    {"5 auth success", Version::v5, "f0 00"},
};

TEST(Codec, GoldenPacketsDecodeAndEncodeToTheSameBytes) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(golden.name);
    const std::string bytes = from_hex(golden.hex);
    const auto frame = next_frame(as_bytes(bytes), kMax);
    ASSERT_TRUE(frame.has_value()) << frame.error().why;
    ASSERT_EQ(frame->size, bytes.size());
    const auto packet = decode(*frame, golden.version);
    ASSERT_TRUE(packet.has_value()) << packet.error().why;
    EXPECT_EQ(to_hex(as_bytes(encoded(*packet, golden.version))), to_hex(as_bytes(bytes)));
  }
}

TEST(Codec, ConnectFields) {
  const std::string bytes = from_hex("10 22 0004'MQTT' 04 ee 000a 0002'id' 0003'w/t' 0002'by' 0004'user' 0003'pwd'");
  const auto packet = decoded<Connect>(bytes, Version::v3_1_1);
  EXPECT_EQ(packet.version, Version::v3_1_1);
  EXPECT_TRUE(packet.clean_start);
  EXPECT_EQ(packet.keep_alive_s, 10);
  EXPECT_EQ(packet.client_id, "id");
  ASSERT_TRUE(packet.will.has_value());
  EXPECT_EQ(packet.will->topic, "w/t");
  EXPECT_EQ(as_text(packet.will->payload), "by");
  EXPECT_EQ(packet.will->qos, 1);
  EXPECT_TRUE(packet.will->retain);
  EXPECT_EQ(packet.username, "user");
  EXPECT_EQ(as_text(*packet.password), "pwd");
}

TEST(Codec, PublishFields) {
  const std::string bytes = from_hex(
      "30 35 0003'a/b' 2d 01 01 02 0000003c 03 0004'json' 08 0003'r/t' 09 "
      "0002 00ff 0b ff7f 23 0001 26 0001'k' 0001'v' "
      "26 0001'k' 0001'w' '{}'");
  const auto packet = decoded<Publish>(bytes, Version::v5);
  EXPECT_EQ(packet.topic, "a/b");
  EXPECT_EQ(as_text(packet.payload), "{}");
  EXPECT_EQ(packet.properties.number(PropertyId::message_expiry_interval, 0), 60U);
  EXPECT_EQ(packet.properties.number(PropertyId::subscription_identifier, 0), 16'383U);
  EXPECT_EQ(packet.properties.number(PropertyId::topic_alias, 0), 1U);
  EXPECT_EQ(packet.properties.text(PropertyId::content_type), "json");
  EXPECT_EQ(packet.properties.text(PropertyId::response_topic), "r/t");
  EXPECT_EQ(packet.properties.text(PropertyId::correlation_data), std::string_view("\0\xff", 2));
  std::string users;
  packet.properties.for_each([&](const Property& p) {
    if (p.id == PropertyId::user_property) users += std::string(p.text) + "=" + std::string(p.value) + ";";
  });
  EXPECT_EQ(users, "k=v;k=w;");
}

TEST(Codec, SubscribeOptions) {
  const std::string bytes = from_hex("82 0b 000a 02 0b 07 0003'a/+' 2d");
  const auto packet = decoded<Subscribe>(bytes, Version::v5);
  ASSERT_EQ(packet.entries.size(), 1U);
  EXPECT_EQ(packet.entries[0].options, (SubscriptionOptions{1, true, true, RetainHandling::do_not_send}));
  EXPECT_EQ(packet.properties.number(PropertyId::subscription_identifier, 0), 7U);
}

TEST(Codec, ShortAckIsTheOrdinaryOne) {
  for (const PacketType type : {PacketType::puback, PacketType::pubrec, PacketType::pubrel, PacketType::pubcomp}) {
    Buffer fast;
    encode_short_ack(fast, type, 0xABCD);
    EXPECT_EQ(std::string(as_text(fast.view())), encoded(PublishAck{type, 0xABCD, {}, {}}, Version::v5));
  }
}

TEST(Codec, RandomPacketsSurviveTheRoundTrip) {
  for (const Version version : {Version::v3_1, Version::v3_1_1, Version::v5}) {
    testing::RandomPackets packets(17 + static_cast<std::uint64_t>(version));
    for (int i = 0; i < 5'000; ++i) {
      const std::string bytes = encoded(packets.next(version), version);
      const auto frame = next_frame(as_bytes(bytes), kMax);
      ASSERT_TRUE(frame.has_value() && frame->size == bytes.size()) << to_hex(as_bytes(bytes));
      const auto packet = decode(*frame, version);
      ASSERT_TRUE(packet.has_value()) << packet.error().why << ": " << to_hex(as_bytes(bytes));
      ASSERT_EQ(to_hex(as_bytes(encoded(*packet, version))), to_hex(as_bytes(bytes)));
      if (const auto* publish = std::get_if<Publish>(&*packet)) {
        ASSERT_EQ(encoded_size(*publish, version), bytes.size());
      }
    }
  }
}

// A stream of packets cut anywhere gives the same packets: what is not whole is "need more" at every shorter length.
TEST(Codec, EverySplitPointIsNeedMore) {
  testing::RandomPackets packets(99);
  for (int i = 0; i < 500; ++i) {
    const std::string bytes = encoded(packets.next(Version::v5), Version::v5);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      const auto frame = next_frame(as_bytes(bytes).first(cut), kMax);
      ASSERT_TRUE(frame.has_value()) << frame.error().why;
      ASSERT_FALSE(frame->complete()) << cut << " of " << to_hex(as_bytes(bytes));
    }
    const std::string longer = bytes + "\xFF\xFF";
    ASSERT_EQ(next_frame(as_bytes(longer), kMax)->size, bytes.size());
  }
}

// Cutting a body short, with the length told truthfully, is refused or yields another valid packet, and never reads
// past the end.
TEST(Codec, TruncatedBodiesNeverReadPastTheEnd) {
  testing::RandomPackets packets(3);
  for (int i = 0; i < 500; ++i) {
    const std::string bytes = encoded(packets.next(Version::v5), Version::v5);
    const auto whole = next_frame(as_bytes(bytes), kMax);
    for (std::size_t size = 0; size < whole->body.size(); ++size) {
      const std::string body(
          as_text(whole->body.first(size)));  // an own allocation: the address sanitizer sees its end
      Frame frame = *whole;
      frame.body = as_bytes(body);
      (void)decode(frame, Version::v5);
    }
  }
}

TEST(Frame, ClaimedLengthIsComparedNotAllocated) {
  const std::string huge = from_hex("30 ffffff7f 00");
  EXPECT_EQ(next_frame(as_bytes(huge), kMax).error().reason, ReasonCode::packet_too_large);
  EXPECT_FALSE(next_frame(as_bytes(huge), 300_MiB)->complete());
  // Exactly the limit passes, one more byte does not.
  const std::string packet = testing::with_length(0x30, std::string(100, '\0'));
  EXPECT_TRUE(next_frame(as_bytes(packet), packet.size())->complete());
  EXPECT_FALSE(next_frame(as_bytes(packet), packet.size() - 1).has_value());
}

TEST(Codec, RefusedConnectIsAnsweredInItsOwnVersion) {
  const auto version_of = [](std::string_view hex) {
    const std::string bytes = testing::with_length(0x10, from_hex(hex));
    return refusal_version(*next_frame(as_bytes(bytes), kMax));
  };
  EXPECT_EQ(version_of("0004'MQTT' 03 02 0000 0000"), Version::v3_1_1);
  EXPECT_EQ(version_of("0004'MQTT' 06 02 0000 0000"), Version::v5);
  EXPECT_EQ(version_of("0004'MQTT' 84 02 0000 0000"), Version::v3_1_1);
  EXPECT_EQ(version_of("0006'MQIsdp' 04 02 0000 0000"), Version::v3_1);
  EXPECT_EQ(version_of("0002'hj' 04 02 0000 0000"), std::nullopt);
  EXPECT_EQ(version_of("0004'MQ"), std::nullopt);
}

}  // namespace
}  // namespace millrace::mqtt::protocol

#include "load/mqtt_packets.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::load {
namespace {

std::string hex(ByteView bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}

TEST(MqttPackets, ConnectFollowsTheSpecificationsByteOrder) {
  EXPECT_EQ(hex(encode_connect({.client_id = "a"}).view()),
            "100d00044d5154540402000000"
            "0161");
  EXPECT_EQ(hex(encode_connect({.version = MqttVersion::v5,
                                .client_id = "a",
                                .user = "u",
                                .password = "p",
                                .keep_alive = 60,
                                .clean = false})
                    .view()),
            "101400044d51545405c0003c00"
            "000161"
            "000175"
            "000170");
}

TEST(MqttPackets, SubscribeAndPublish) {
  EXPECT_EQ(hex(encode_subscribe(MqttVersion::v311, "t/+", 1).view()), "820800010003742f2b01");
  EXPECT_EQ(hex(encode_subscribe(MqttVersion::v5, "t/+", 2).view()), "82090001000003742f2b02");
  Buffer out;
  append_publish(out, MqttVersion::v5, "t", 1, true, 0x0102, as_bytes("xy"));
  EXPECT_EQ(hex(out.view()),
            "3a08000174"
            "0102"
            "00"
            "7879");
}

TEST(MqttPackets, PublishPatchesIdStampAndCounter) {
  for (const bool json : {false, true}) {
    for (const MqttVersion version : {MqttVersion::v311, MqttVersion::v5}) {
      const PayloadShape shape{json, 256, "boot"};
      Publish publish(version, 1, "fleet/7", shape, 7);
      EXPECT_EQ(publish.payload_size(), 256U);
      std::vector<std::uint8_t> bytes(publish.size());
      for (std::uint32_t n = 1; n <= 1'000; ++n) {
        const auto id = static_cast<std::uint16_t>(n);
        ASSERT_EQ(publish.next(bytes.data(), id, 5'000'000'000ULL + n), bytes.data() + bytes.size());
        Packet packet;
        ASSERT_EQ(take_packet(bytes, packet), static_cast<int>(bytes.size()));
        Delivery delivery;
        ASSERT_TRUE(take_delivery(packet, version, delivery));
        ASSERT_EQ(delivery.packet_id, id);
        Stamp stamp;
        ASSERT_TRUE(read_stamp(delivery.payload, shape, stamp));
        ASSERT_EQ(stamp.due_ns, 5'000'000'000ULL + n);
        ASSERT_EQ(stamp.sender, 7U);
        ASSERT_EQ(stamp.number, n);
        if (json) {
          const std::string expected =
              "\"device_no\":\"D00007\",\"type\":\"boot\",\"seq\":" + std::to_string(1'000'000'000 + n);
          ASSERT_NE(as_text(delivery.payload).find(expected), std::string_view::npos) << as_text(delivery.payload);
          ASSERT_TRUE(as_text(delivery.payload).ends_with("\"}"));
        }
      }
    }
  }
}

TEST(MqttPackets, TakePacketWaitsForEveryMissingByte) {
  Buffer out;
  append_publish(out, MqttVersion::v311, "t", 0, false, 0, as_bytes(std::string(300, 'x')));
  Packet packet;
  for (std::size_t n = 0; n < out.size(); ++n) ASSERT_EQ(take_packet(out.view().first(n), packet), 0) << n;
  EXPECT_EQ(take_packet(out.view(), packet), static_cast<int>(out.size()));
  const std::uint8_t endless[] = {0x30, 0x80, 0x80, 0x80, 0x80, 0x01};
  EXPECT_EQ(take_packet(endless, packet), -1);
}

TEST(MqttPackets, ConnackProperties) {
  // session present, success, properties: receive maximum 20, assigned client identifier "x", a user property, topic
  // alias maximum
  const std::uint8_t body[] = {1, 0, 17, 0x21, 0, 20, 0x12, 0, 1, 'x', 0x26, 0, 1, 'k', 0, 1, 'v', 0x22, 0, 5};
  Welcome welcome;
  ASSERT_TRUE(take_connack({0x20, body}, MqttVersion::v5, welcome));
  EXPECT_TRUE(welcome.session_present);
  EXPECT_EQ(welcome.receive_maximum, 20);
  const std::uint8_t refused[] = {0, 5};
  ASSERT_TRUE(take_connack({0x20, refused}, MqttVersion::v311, welcome));
  EXPECT_EQ(connack_text(MqttVersion::v311, welcome.code), "not authorized");
  EXPECT_FALSE(take_connack({0x20, ByteView(body).first(6)}, MqttVersion::v5, welcome));
}

}  // namespace
}  // namespace millrace::load

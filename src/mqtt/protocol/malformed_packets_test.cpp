// Packets that must be refused, and with which reason. A row is one packet: first byte, body (hex; 'text' in quotes);
// the remaining length is put between them. Adding a case is adding a line.
#include <gtest/gtest.h>

#include "mqtt/protocol/decoder.h"
#include "mqtt/testing/hex.h"

namespace millrace::mqtt::protocol {
namespace {

constexpr auto V31 = Version::v3_1;
constexpr auto V4 = Version::v3_1_1;
constexpr auto V5 = Version::v5;
using enum ReasonCode;

struct Row {
  const char* name;
  Version version;
  unsigned first;
  const char* body;
  ReasonCode expected;
};

constexpr Row kRows[] = {
    // Fixed header: types and reserved bits [MQTT-2.1.3-1]
    {"type 0", V5, 0x00, "", malformed_packet},
    {"connect flags", V5, 0x11, "0004'MQTT' 05 02 0000 00 0000", malformed_packet},
    {"connack flags", V5, 0x21, "00 00 00", malformed_packet},
    {"puback flags", V5, 0x42, "0001", malformed_packet},
    {"pubrec flags", V5, 0x51, "0001", malformed_packet},
    {"pubrel flags 0", V5, 0x60, "0001", malformed_packet},
    {"pubrel flags 3", V4, 0x63, "0001", malformed_packet},
    {"pubcomp flags", V5, 0x72, "0001", malformed_packet},
    {"subscribe flags 0", V5, 0x80, "0001 00 0001'a' 00", malformed_packet},
    {"subscribe flags 0 in 3.1.1", V4, 0x80, "0001 0001'a' 00", malformed_packet},
    {"suback flags", V5, 0x92, "0001 00 00", malformed_packet},
    {"unsubscribe flags 0", V5, 0xA0, "0001 00 0001'a'", malformed_packet},
    {"unsuback flags", V5, 0xB1, "0001 00 00", malformed_packet},
    {"pingreq flags", V5, 0xC1, "", malformed_packet},
    {"pingresp flags", V5, 0xD1, "", malformed_packet},
    {"disconnect flags", V5, 0xE1, "", malformed_packet},
    {"auth flags", V5, 0xF1, "", malformed_packet},
    {"auth in 3.1.1", V4, 0xF0, "", malformed_packet},
    // CONNECT 3.1
    {"connect empty", V5, 0x10, "", malformed_packet},
    {"connect name cut", V5, 0x10, "0004'MQ'", malformed_packet},
    {"connect without level", V5, 0x10, "0004'MQTT'", malformed_packet},
    {"connect name hj", V5, 0x10, "0002'hj' 04 02 0000 0001'a'", unsupported_protocol_version},
    {"connect name in lower case", V5, 0x10, "0004'mqtt' 04 02 0000 0001'a'", unsupported_protocol_version},
    {"connect level 2", V5, 0x10, "0004'MQTT' 02 02 0000 0001'a'", unsupported_protocol_version},
    {"connect level 3 as MQTT", V5, 0x10, "0004'MQTT' 03 02 0000 0001'a'", unsupported_protocol_version},
    {"connect level 6", V5, 0x10, "0004'MQTT' 06 02 0000 00 0001'a'", unsupported_protocol_version},
    {"connect MQIsdp level 4", V5, 0x10, "0006'MQIsdp' 04 02 0000 0001'a'", unsupported_protocol_version},
    {"connect reserved flag", V4, 0x10, "0004'MQTT' 04 03 0000 0001'a'", malformed_packet},
    {"connect reserved flag v5", V5, 0x10, "0004'MQTT' 05 03 0000 00 0001'a'", malformed_packet},
    {"connect reserved flag 3.1", V31, 0x10, "0006'MQIsdp' 03 03 0000 0001'a'", malformed_packet},
    {"connect will QoS without will", V4, 0x10, "0004'MQTT' 04 0a 0000 0001'a'", malformed_packet},
    {"connect will retain without will", V4, 0x10, "0004'MQTT' 04 22 0000 0001'a'", malformed_packet},
    {"connect will QoS 3", V4, 0x10, "0004'MQTT' 04 1e 0000 0001'a' 0001'w' 0000", malformed_packet},
    {"connect password without user 3.1.1", V4, 0x10, "0004'MQTT' 04 42 0000 0001'a' 0001'p'", malformed_packet},
    {"connect without keep alive", V4, 0x10, "0004'MQTT' 04 02 00", malformed_packet},
    {"connect without client id", V4, 0x10, "0004'MQTT' 04 02 0000", malformed_packet},
    {"connect client id cut", V4, 0x10, "0004'MQTT' 04 02 0000 0005'a'", malformed_packet},
    {"connect client id not UTF-8", V4, 0x10, "0004'MQTT' 04 02 0000 0001 ff", malformed_packet},
    {"connect client id with NUL", V4, 0x10, "0004'MQTT' 04 02 0000 0003 610062", malformed_packet},
    {"connect client id with surrogate", V5, 0x10, "0004'MQTT' 05 02 0000 00 0003 eda080", malformed_packet},
    {"connect without properties", V5, 0x10, "0004'MQTT' 05 02 0000", malformed_packet},
    {"connect property length past the end", V5, 0x10, "0004'MQTT' 05 02 0000 05 11", malformed_packet},
    {"connect property length of five bytes", V5, 0x10, "0004'MQTT' 05 02 0000 8080808001 0000", malformed_packet},
    {"connect property length not shortest", V5, 0x10, "0004'MQTT' 05 02 0000 8000 0000", malformed_packet},
    {"connect property inside past the block", V5, 0x10, "0004'MQTT' 05 02 0000 03 11 0000 0000 0000",
     malformed_packet},
    {"connect unknown property", V5, 0x10, "0004'MQTT' 05 02 0000 02 04 00 0000", malformed_packet},
    {"connect property 0", V5, 0x10, "0004'MQTT' 05 02 0000 02 00 00 0000", malformed_packet},
    {"connect property id of two bytes", V5, 0x10, "0004'MQTT' 05 02 0000 03 8001 00 0000", malformed_packet},
    {"connect property of publish", V5, 0x10, "0004'MQTT' 05 02 0000 03 23 0001 0000", malformed_packet},
    {"connect property of the will", V5, 0x10, "0004'MQTT' 05 02 0000 05 18 00000001 0000", malformed_packet},
    {"connect session expiry twice", V5, 0x10, "0004'MQTT' 05 02 0000 0a 11 00000001 11 00000001 0000", protocol_error},
    {"connect receive maximum 0", V5, 0x10, "0004'MQTT' 05 02 0000 03 21 0000 0000", protocol_error},
    {"connect maximum packet size 0", V5, 0x10, "0004'MQTT' 05 02 0000 05 27 00000000 0000", protocol_error},
    {"connect request problem information 2", V5, 0x10, "0004'MQTT' 05 02 0000 02 17 02 0000", protocol_error},
    {"connect request response information 2", V5, 0x10, "0004'MQTT' 05 02 0000 02 19 02 0000", protocol_error},
    {"connect authentication data alone", V5, 0x10, "0004'MQTT' 05 02 0000 04 16 0001 00 0000", protocol_error},
    {"connect user property cut", V5, 0x10, "0004'MQTT' 05 02 0000 04 26 0001'k' 0000", malformed_packet},
    {"connect user property not UTF-8", V5, 0x10, "0004'MQTT' 05 02 0000 07 26 0001 ff 0001'v' 0000", malformed_packet},
    {"connect without will topic", V4, 0x10, "0004'MQTT' 04 06 0000 0001'a'", malformed_packet},
    {"connect without will payload", V4, 0x10, "0004'MQTT' 04 06 0000 0001'a' 0001'w'", malformed_packet},
    {"connect will topic with wildcard", V4, 0x10, "0004'MQTT' 04 06 0000 0001'a' 0001'#' 0000", topic_name_invalid},
    {"connect will topic empty", V5, 0x10, "0004'MQTT' 05 06 0000 00 0001'a' 00 0000 0000", topic_name_invalid},
    {"connect will properties missing", V5, 0x10, "0004'MQTT' 05 06 0000 00 0001'a'", malformed_packet},
    {"connect will with topic alias", V5, 0x10, "0004'MQTT' 05 06 0000 00 0001'a' 03 23 0001 0001'w' 0000",
     malformed_packet},
    {"connect will delay twice", V5, 0x10, "0004'MQTT' 05 06 0000 00 0001'a' 0a 18 00000001 18 00000001 0001'w' 0000",
     protocol_error},
    {"connect will payload format 2", V5, 0x10, "0004'MQTT' 05 06 0000 00 0001'a' 02 01 02 0001'w' 0000",
     protocol_error},
    {"connect without user name", V4, 0x10, "0004'MQTT' 04 82 0000 0001'a'", malformed_packet},
    {"connect user name not UTF-8", V4, 0x10, "0004'MQTT' 04 82 0000 0001'a' 0002 c080", malformed_packet},
    {"connect without password", V4, 0x10, "0004'MQTT' 04 c2 0000 0001'a' 0001'u'", malformed_packet},
    {"connect bytes behind the end", V4, 0x10, "0004'MQTT' 04 02 0000 0001'a' 00", malformed_packet},
    {"connect 3.1 bytes behind the end", V31, 0x10, "0006'MQIsdp' 03 02 0000 0001'a' 00", malformed_packet},
    // PUBLISH 3.3
    {"publish empty", V4, 0x30, "", malformed_packet},
    {"publish topic length cut", V4, 0x30, "00", malformed_packet},
    {"publish topic cut", V4, 0x30, "0003'a'", malformed_packet},
    {"publish QoS 3", V4, 0x36, "0001'a' 0001", malformed_packet},
    {"publish DUP with QoS 0", V4, 0x38, "0001'a'", malformed_packet},
    {"publish packet id missing", V4, 0x32, "0001'a'", malformed_packet},
    {"publish packet id cut", V4, 0x32, "0001'a' 00", malformed_packet},
    {"publish packet id 0", V4, 0x32, "0001'a' 0000", protocol_error},
    {"publish packet id 0 QoS 2", V5, 0x34, "0001'a' 0000 00", protocol_error},
    {"publish empty topic 3.1.1", V4, 0x30, "0000 'x'", malformed_packet},
    {"publish empty topic without alias", V5, 0x30, "0000 00 'x'", protocol_error},
    {"publish topic with #", V4, 0x30, "0003'a/#'", topic_name_invalid},
    {"publish topic with +", V5, 0x30, "0003'+/a' 00", topic_name_invalid},
    {"publish long topic with + at the end", V5, 0x30, "0014'sensors/building/01+' 00", topic_name_invalid},
    {"publish topic with NUL", V4, 0x30, "0003 610062", malformed_packet},
    {"publish topic over-long", V4, 0x30, "0002 c0af", malformed_packet},
    {"publish topic with surrogate", V4, 0x30, "0003 edbfbf", malformed_packet},
    {"publish topic cut in a character", V4, 0x30, "0002 61e2", malformed_packet},
    {"publish property length missing", V5, 0x30, "0001'a'", malformed_packet},
    {"publish property length past the end", V5, 0x30, "0001'a' 05 01 01", malformed_packet},
    {"publish property length not shortest", V5, 0x30, "0001'a' 8000", malformed_packet},
    {"publish topic alias 0", V5, 0x30, "0001'a' 03 23 0000", topic_alias_invalid},
    {"publish topic alias twice", V5, 0x30, "0001'a' 06 23 0001 23 0001", protocol_error},
    {"publish topic alias cut", V5, 0x30, "0001'a' 02 23 00 01", malformed_packet},
    {"publish subscription identifier 0", V5, 0x30, "0001'a' 02 0b 00", protocol_error},
    {"publish payload format 2", V5, 0x30, "0001'a' 02 01 02", protocol_error},
    {"publish payload format twice", V5, 0x30, "0001'a' 04 01 01 01 01", protocol_error},
    {"publish expiry twice", V5, 0x30, "0001'a' 0a 02 00000001 02 00000001", protocol_error},
    {"publish content type twice", V5, 0x30, "0001'a' 08 03 0001'x' 03 0001'x'", protocol_error},
    {"publish content type not UTF-8", V5, 0x30, "0001'a' 04 03 0001 ff", malformed_packet},
    {"publish response topic with wildcard", V5, 0x30, "0001'a' 04 08 0001'#'", protocol_error},
    {"publish response topic twice", V5, 0x30, "0001'a' 08 08 0001'r' 08 0001'r'", protocol_error},
    {"publish correlation data twice", V5, 0x30, "0001'a' 08 09 0001'r' 09 0001'r'", protocol_error},
    {"publish correlation data past the block", V5, 0x30, "0001'a' 04 09 0002'r' 'r'", malformed_packet},
    {"publish with session expiry", V5, 0x30, "0001'a' 05 11 00000001", malformed_packet},
    {"publish with reason string", V5, 0x30, "0001'a' 04 1f 0001'r'", malformed_packet},
    {"publish unknown property 127", V5, 0x30, "0001'a' 02 7f 00", malformed_packet},
    // PUBACK, PUBREC, PUBREL, PUBCOMP 3.4 to 3.7
    {"puback empty", V5, 0x40, "", malformed_packet},
    {"puback cut", V5, 0x40, "00", malformed_packet},
    {"puback id 0", V5, 0x40, "0000", protocol_error},
    {"puback longer in 3.1.1", V4, 0x40, "0001 00", malformed_packet},
    {"puback reason of pubrel", V5, 0x40, "0001 92", protocol_error},
    {"puback unknown reason", V5, 0x40, "0001 05", protocol_error},
    {"puback property length past the end", V5, 0x40, "0001 00 01", malformed_packet},
    {"puback bytes behind", V5, 0x40, "0001 00 00 00", malformed_packet},
    {"puback reason string twice", V5, 0x40, "0001 00 08 1f 0001'a' 1f 0001'b'", protocol_error},
    {"puback with content type", V5, 0x40, "0001 00 04 03 0001'a'", malformed_packet},
    {"pubrec id 0", V4, 0x50, "0000", protocol_error},
    {"pubrec reason of disconnect", V5, 0x50, "0001 8b", protocol_error},
    {"pubrel id 0", V4, 0x62, "0000", protocol_error},
    {"pubrel reason of puback", V5, 0x62, "0001 10", protocol_error},
    {"pubcomp cut", V4, 0x70, "00", malformed_packet},
    {"pubcomp reason of puback", V5, 0x70, "0001 97", protocol_error},
    // SUBSCRIBE, UNSUBSCRIBE 3.8, 3.10
    {"subscribe empty", V4, 0x82, "", malformed_packet},
    {"subscribe id 0", V4, 0x82, "0000 0001'a' 00", protocol_error},
    {"subscribe without filters", V4, 0x82, "0001", protocol_error},
    {"subscribe without filters v5", V5, 0x82, "0001 00", protocol_error},
    {"subscribe without properties", V5, 0x82, "0001", malformed_packet},
    {"subscribe without options", V4, 0x82, "0001 0001'a'", malformed_packet},
    {"subscribe filter cut", V4, 0x82, "0001 0004'a'", malformed_packet},
    {"subscribe filter not UTF-8", V4, 0x82, "0001 0001 ff 00", malformed_packet},
    {"subscribe filter with NUL", V5, 0x82, "0001 00 0001 00 00", malformed_packet},
    {"subscribe QoS 3 in 3.1.1", V4, 0x82, "0001 0001'a' 03", malformed_packet},
    {"subscribe QoS 3 in 5", V5, 0x82, "0001 00 0001'a' 03", protocol_error},
    {"subscribe reserved bits 3.1.1", V4, 0x82, "0001 0001'a' 04", malformed_packet},
    {"subscribe reserved bits 5", V5, 0x82, "0001 00 0001'a' 40", malformed_packet},
    {"subscribe retain handling 3", V5, 0x82, "0001 00 0001'a' 30", protocol_error},
    {"subscribe no local on shared", V5, 0x82, "0001 00 000a'$share/g/a' 04", protocol_error},
    {"subscribe identifier 0", V5, 0x82, "0001 02 0b 00 0001'a' 00", protocol_error},
    {"subscribe identifier twice", V5, 0x82, "0001 04 0b 01 0b 02 0001'a' 00", protocol_error},
    {"subscribe identifier of five bytes", V5, 0x82, "0001 06 0b 8080808001 0001'a' 00", malformed_packet},
    {"subscribe second entry cut", V4, 0x82, "0001 0001'a' 00 0001", malformed_packet},
    {"unsubscribe id 0", V4, 0xA2, "0000 0001'a'", protocol_error},
    {"unsubscribe without filters", V4, 0xA2, "0001", protocol_error},
    {"unsubscribe filter not UTF-8", V5, 0xA2, "0001 00 0002 c080", malformed_packet},
    {"unsubscribe filter cut", V5, 0xA2, "0001 00 0003'a'", malformed_packet},
    {"unsubscribe with subscription identifier", V5, 0xA2, "0001 02 0b 01 0001'a'", malformed_packet},
    // The rest
    {"connack cut", V4, 0x20, "00", malformed_packet},
    {"connack reserved flags", V5, 0x20, "02 00 00", malformed_packet},
    {"connack return code 6", V4, 0x20, "00 06", protocol_error},
    {"connack reason of puback", V5, 0x20, "00 10 00", protocol_error},
    {"connack bytes behind in 3.1.1", V4, 0x20, "00 00 00", malformed_packet},
    {"connack maximum QoS 2", V5, 0x20, "00 00 02 24 02", protocol_error},
    {"suback without reasons", V4, 0x90, "0001", malformed_packet},
    {"suback code 3", V4, 0x90, "0001 03", protocol_error},
    {"unsuback granted QoS 1", V5, 0xB0, "0001 00 01", protocol_error},
    {"unsuback longer in 3.1.1", V4, 0xB0, "0001 00", protocol_error},
    {"pingreq not empty", V4, 0xC0, "00", malformed_packet},
    {"pingresp not empty", V5, 0xD0, "00", malformed_packet},
    {"disconnect not empty in 3.1.1", V4, 0xE0, "00", malformed_packet},
    {"disconnect unknown reason", V5, 0xE0, "03", protocol_error},
    {"disconnect reason of connack", V5, 0xE0, "84", protocol_error},
    {"disconnect property length past the end", V5, 0xE0, "00 05 11", malformed_packet},
    {"disconnect session expiry twice", V5, 0xE0, "00 0a 11 00000001 11 00000001", protocol_error},
    {"disconnect with receive maximum", V5, 0xE0, "00 03 21 0001", malformed_packet},
    {"disconnect bytes behind", V5, 0xE0, "00 00 00", malformed_packet},
    {"auth without method", V5, 0xF0, "18 00", protocol_error},
    {"auth reason of connack", V5, 0xF0, "8c", protocol_error},
    {"auth data twice", V5, 0xF0, "18 0c 15 0001'm' 16 0001'a' 16 0001'b'", protocol_error},
};
static_assert(std::size(kRows) >= 100);

TEST(MalformedPackets, EachIsRefusedWithItsReason) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const std::string bytes = testing::with_length(static_cast<std::uint8_t>(row.first), testing::from_hex(row.body));
    const auto frame = next_frame(as_bytes(bytes), 1_MiB);
    if (!frame) {
      EXPECT_EQ(to_string(frame.error().reason), to_string(row.expected));
      continue;
    }
    ASSERT_TRUE(frame->complete());
    const auto packet = decode(*frame, row.version);
    ASSERT_FALSE(packet.has_value()) << "was accepted";
    EXPECT_EQ(to_string(packet.error().reason), to_string(row.expected)) << packet.error().why;
    EXPECT_STRNE(packet.error().why, "");
  }
}

// Framing errors whose bytes cannot be written as a row.
TEST(MalformedPackets, RemainingLength) {
  const auto reason_of = [](std::string_view hex) {
    const auto frame = next_frame(as_bytes(testing::from_hex(hex)), 1_MiB);
    return frame ? ReasonCode::success : frame.error().reason;
  };
  EXPECT_EQ(reason_of("30 80808080 01"), malformed_packet);
  EXPECT_EQ(reason_of("30 ffffffff"), malformed_packet);
  EXPECT_EQ(reason_of("30 8000"), malformed_packet);
  EXPECT_EQ(reason_of("30 81808000"), malformed_packet);
  EXPECT_EQ(reason_of("30 ffffff7f"), packet_too_large);
  EXPECT_EQ(reason_of("30 ffffff"), success);  // still possible
}

}  // namespace
}  // namespace millrace::mqtt::protocol

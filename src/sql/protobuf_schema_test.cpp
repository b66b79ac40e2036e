#include "sql/protobuf_schema.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "base/rng.h"
#include "sql/json_document.h"

namespace millrace::sql {
namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  while (value >= 0x80) {
    out += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  return out + static_cast<char>(value);
}
std::string tag(std::uint32_t number, std::uint32_t type) {
  return varint((std::uint64_t{number} << 3U) | type);
}
std::string number(std::uint32_t field, std::uint64_t value) {
  return tag(field, 0) + varint(value);
}
std::string bytes(std::uint32_t field, const std::string& value) {
  return tag(field, 2) + varint(value.size()) + value;
}
template <class T>
std::string fixed(std::uint32_t field, T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return tag(field, sizeof value == 8 ? 1 : 5) + out;
}

/// One field of descriptor.proto's FieldDescriptorProto.
std::string field(const std::string& name, std::uint32_t place, int type, bool repeated = false,
                  const std::string& type_name = "") {
  std::string out =
      bytes(1, name) + number(3, place) + number(4, repeated ? 3 : 1) + number(5, static_cast<std::uint64_t>(type));
  if (!type_name.empty()) out += bytes(6, type_name);
  return bytes(2, out);
}

/// package car; message Trip { ... }
std::string descriptor() {
  const std::string color =
      bytes(1, "Color") + bytes(2, bytes(1, "RED") + number(2, 0)) + bytes(2, bytes(1, "BLUE") + number(2, 7));
  const std::string entry =
      bytes(1, "LabelsEntry") + field("key", 1, 9) + field("value", 2, 5) + bytes(7, number(7, 1));
  const std::string place =
      bytes(1, "Place") + field("lat", 1, 1) + field("lon", 2, 2) + field("next", 3, 11, false, ".car.Trip.Place");
  const std::string trip = bytes(1, "Trip") + field("id", 1, 9) + field("speed", 2, 5) + field("big", 3, 4) +
                           field("delta", 4, 18) + field("at", 5, 11, false, ".car.Trip.Place") +
                           field("samples", 6, 13, true) + field("names", 7, 9, true) + field("ok", 8, 8) +
                           field("raw", 9, 12) + field("color", 10, 14, false, ".car.Color") +
                           field("labels", 11, 11, true, ".car.Trip.LabelsEntry") + field("stamp", 12, 6) +
                           bytes(3, place) + bytes(3, entry);
  return bytes(1, bytes(1, "car.proto") + bytes(2, "car") + bytes(4, trip) + bytes(5, color));
}

class Protobuf : public ::testing::Test {
 protected:
  void SetUp() override {
    auto parsed = ProtobufSchema::parse(as_bytes(descriptor()));
    ASSERT_TRUE(parsed) << parsed.error().message();
    schema_ = *parsed;
  }
  std::string decoded(const std::string& message, std::string_view type = "car.Trip") {
    Arena arena;
    TextWriter out(arena);
    return schema_->write_json(type, message, arena, out) ? std::string(out.view()) : "(none)";
  }
  std::shared_ptr<const ProtobufSchema> schema_;
};

TEST_F(Protobuf, EveryTypeBecomesJson) {
  EXPECT_EQ(decoded(bytes(1, "A\"1") + number(2, 42) + number(3, ~0ULL) + number(4, 5) + number(8, 1) +
                    bytes(9, std::string("\0\xFF", 2)) + number(10, 7) + fixed<std::uint64_t>(12, 99)),
            R"({"id":"A\"1","speed":42,"big":18446744073709551615,"delta":-3,"ok":true,"raw":"AP8=",)"
            R"("color":"BLUE","stamp":99})");
  EXPECT_EQ(decoded(number(2, static_cast<std::uint64_t>(-1))), R"({"speed":-1})");
  EXPECT_EQ(decoded(bytes(5, fixed(1, 47.5) + fixed(2, -0.1F))), R"({"at":{"lat":47.5,"lon":-0.1}})");
  EXPECT_EQ(decoded(bytes(5, fixed(1, std::bit_cast<double>(0x7FF8000000000000ULL)))), R"({"at":{"lat":"NaN"}})");
  EXPECT_EQ(decoded(number(10, 3)), R"({"color":3})");
}

TEST_F(Protobuf, RepeatedPackedMapsAndMerging) {
  EXPECT_EQ(decoded(bytes(6, varint(1) + varint(300)) + number(6, 5)), R"({"samples":[1,300,5]})");
  EXPECT_EQ(decoded(bytes(7, "a") + number(2, 1) + bytes(7, "b") + number(2, 2)), R"({"speed":2,"names":["a","b"]})");
  EXPECT_EQ(decoded(bytes(11, bytes(1, "x") + number(2, 1)) + bytes(11, bytes(1, "y"))), R"({"labels":{"x":1,"y":0}})");
  EXPECT_EQ(decoded(bytes(5, fixed(1, 1.0)) + bytes(5, fixed(2, 2.0F))), R"({"at":{"lat":1,"lon":2}})");
}

TEST_F(Protobuf, UnknownFieldsAndWrongWireTypesArePassedOver) {
  EXPECT_EQ(decoded(number(99, 1) + bytes(100, "x") + bytes(2, "no number") + number(2, 4)), R"({"speed":4})");
  EXPECT_EQ(decoded(tag(50, 3) + number(1, 1) + tag(50, 4) + number(2, 4)), R"({"speed":4})");
  EXPECT_EQ(decoded(""), "{}");
}

TEST_F(Protobuf, BrokenBytesAreNoMessage) {
  const std::string whole = bytes(1, "abc") + number(2, 300) + bytes(5, fixed(1, 1.0));
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    const std::string part = whole.substr(0, cut);
    const std::string out = decoded(part);
    EXPECT_TRUE(out == "(none)" || out.front() == '{');
  }
  EXPECT_EQ(decoded("\x0F"), "(none)");
  EXPECT_EQ(decoded(std::string(11, '\xFF')), "(none)");
  EXPECT_EQ(decoded(bytes(6, "\xFF")), "(none)");
}

TEST_F(Protobuf, NestingIsCapped) {
  std::string inner;
  for (int i = 0; i < 60; ++i) inner = bytes(3, inner);
  EXPECT_NE(decoded(bytes(5, inner)), "(none)");
  for (int i = 0; i < 10; ++i) inner = bytes(3, inner);
  EXPECT_EQ(decoded(bytes(5, inner)), "(none)");
}

TEST_F(Protobuf, NamesWithAndWithoutThePackage) {
  EXPECT_TRUE(schema_->has("car.Trip"));
  EXPECT_TRUE(schema_->has("Trip"));
  EXPECT_TRUE(schema_->has("Place"));
  EXPECT_FALSE(schema_->has("rip"));
  EXPECT_EQ(schema_->messages(), (std::vector<std::string>{"car.Trip", "car.Trip.Place"}));
}

/// Descriptors and messages with a few bytes changed, cut or doubled: what is written is JSON whatever they say.
TEST(ProtobufDescriptor, BytesOfAllKindsMakeJsonOrNothing) {
  Rng rng(7);
  const auto damage = [&rng](std::string bytes) {
    for (std::uint64_t i = rng.below(4); i > 0 && !bytes.empty(); --i) {
      const std::size_t at = rng.below(bytes.size());
      const std::uint64_t how = rng.below(4);
      if (how == 0) bytes[at] = static_cast<char>(rng.below(256));
      if (how == 1) bytes.erase(at, rng.below(8));
      if (how == 2) bytes.insert(at, bytes.substr(rng.below(bytes.size()), rng.below(12)));
      if (how == 3) bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << rng.below(8)));
    }
    return bytes;
  };
  const std::string message = bytes(1, "A1") + number(2, 42) + bytes(5, fixed(1, 47.5) + fixed(2, 1.0F)) +
                              bytes(6, varint(1) + varint(300)) + bytes(7, "x") + number(10, 7) +
                              bytes(11, bytes(1, "x") + number(2, 1)) + bytes(9, "raw") + fixed<std::uint64_t>(12, 99);
  int written = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto schema = ProtobufSchema::parse(as_bytes(damage(descriptor())));
    if (!schema) continue;
    const std::string damaged = damage(message);
    for (const std::string& name : (*schema)->messages()) {
      Arena arena(4096);
      TextWriter out(arena);
      if (!(*schema)->write_json(name, damaged, arena, out)) continue;
      JsonDocument document;
      document.set_max_depth(JsonDocument::kMaxDepth);
      ASSERT_TRUE(document.parse(out.view())) << "round " << round << ": " << out.view();
      ++written;
    }
  }
  EXPECT_GT(written, 1000);
}

TEST(ProtobufDescriptor, WhatIsNoneIsRefused) {
  EXPECT_FALSE(ProtobufSchema::parse(as_bytes(std::string_view())));
  EXPECT_FALSE(ProtobufSchema::parse(as_bytes(std::string_view("syntax = \"proto3\";"))));
  const std::string missing = bytes(1, bytes(4, bytes(1, "M") + field("x", 1, 11, false, ".other.Type")));
  const auto parsed = ProtobufSchema::parse(as_bytes(missing));
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().detail.find("other.Type"), std::string::npos);
}

}  // namespace
}  // namespace millrace::sql

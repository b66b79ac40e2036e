#include "sql/protobuf_schema.h"

#include <gtest/gtest.h>

#include <bit>

#include "base/rng.h"
#include "sql/json_document.h"
#include "sql/testing/protobuf_encoding.h"

namespace millrace::sql {
namespace {

using testing::bytes;
using testing::field;
using testing::fixed;
using testing::number;
using testing::tag;
using testing::trip_descriptor;
using testing::varint;

class Protobuf : public ::testing::Test {
 protected:
  void SetUp() override {
    auto parsed = ProtobufSchema::parse(as_bytes(trip_descriptor()));
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
  // What does not fit into 32 bits is cut first, as Google's library does it.
  EXPECT_EQ(decoded(number(13, (1ULL << 32U) | 1U)), R"({"small":-1})");
  EXPECT_EQ(decoded(number(4, ~0ULL)), R"({"delta":-9223372036854775808})");
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
  // A group ends with its own number.
  EXPECT_EQ(decoded(tag(50, 3) + number(1, 1) + tag(51, 4) + number(2, 4)), "(none)");
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
    const auto schema = ProtobufSchema::parse(as_bytes(damage(trip_descriptor())));
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

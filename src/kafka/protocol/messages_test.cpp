// Every message at every version: random values survive encode and decode, every truncation is refused, and a count
// without bytes behind it allocates nothing.
#include <gtest/gtest.h>

#include "kafka/protocol/messages/api_keys.h"
#include "kafka/protocol/messages/fetch.h"
#include "kafka/protocol/messages/metadata.h"
#include "kafka/protocol/messages/produce.h"
#include "kafka/testing/message_case.h"

namespace millrace::kafka::testing {
namespace {

TEST(Messages, RandomValuesRoundTripAtEveryVersion) {
  std::uint64_t seed = 1;
  for (const MessageCase& message : message_cases()) {
    for (std::int16_t version = message.first; version <= message.last; ++version) {
      SCOPED_TRACE(std::string(message.name) + " v" + std::to_string(version));
      for (int round = 0; round < 40; ++round) {
        RandomSource random(++seed);
        const auto value = message.make();
        value->fill(random, version);
        Buffer bytes;
        ASSERT_TRUE(value->encode(bytes, version));
        const auto again = message.make();
        const auto decoded = again->decode(bytes.view(), version);
        ASSERT_TRUE(decoded) << decoded.error().message() << " seed " << seed;
        ASSERT_TRUE(again->equals(*value)) << "seed " << seed;
        Buffer bytes_again;
        ASSERT_TRUE(again->encode(bytes_again, version));
        ASSERT_EQ(as_text(bytes_again.view()), as_text(bytes.view())) << "seed " << seed;
      }
    }
  }
}

TEST(Messages, EveryTruncationIsRefusedAndOnlyRequestsMayBeFollowed) {
  std::uint64_t seed = 1'000'000;
  for (const MessageCase& message : message_cases()) {
    for (std::int16_t version = message.first; version <= message.last; ++version) {
      SCOPED_TRACE(std::string(message.name) + " v" + std::to_string(version));
      RandomSource random(++seed);
      const auto value = message.make();
      value->fill(random, version);
      Buffer bytes;
      ASSERT_TRUE(value->encode(bytes, version));
      const auto again = message.make();
      for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(again->decode(bytes.view(0, size), version));
      bytes.push_back(0);
      EXPECT_EQ(again->decode(bytes.view(), version).has_value(), message.request);
    }
  }
}

TEST(Messages, EveryServedApiIsThere) {
  EXPECT_EQ(std::size(kApiCodecs), 46U);
  EXPECT_EQ(message_cases().size(), 2 * std::size(kApiCodecs));
}

TEST(Messages, UnknownTaggedFieldsAreSkipped) {
  Buffer bytes;
  Encoder(bytes).null_array(true);                              // topics: all
  const std::uint8_t rest[] = {1, 0, 1, 99, 3, 'a', 'b', 'c'};  // two booleans, one tagged field 99 of three bytes
  bytes.append(ByteView(rest));
  ByteReader reader(bytes.view());
  const auto request = MetadataRequest::decode(reader, 12);
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_TRUE(request->allow_auto_topic_creation);
}

TEST(Messages, AKnownTaggedFieldMustFillItsSize) {
  // Fetch v12: ClusterId is tag 0, a compact nullable string; the size says one byte more than the string takes.
  FetchRequest request;
  request.cluster_id = "abc";
  Buffer bytes;
  Encoder out(bytes);
  request.encode(out, 12);
  ByteReader good(bytes.view());
  EXPECT_TRUE(FetchRequest::decode(good, 12));
  const std::size_t size_at = bytes.size() - 5;  // size, length + 1, three characters
  ASSERT_EQ(bytes.data()[size_at], 4);
  bytes.data()[size_at] = 5;
  bytes.push_back(0);
  ByteReader bad(bytes.view());
  EXPECT_FALSE(FetchRequest::decode(bad, 12));
}

TEST(Messages, ACountWithoutBytesAllocatesNothing) {
  Buffer bytes;
  Encoder out(bytes);
  out.be(std::int32_t{0x7FFFFFFF});
  ByteReader reader(bytes.view());
  EXPECT_FALSE(MetadataRequest::decode(reader, 1));
}

TEST(Messages, ArraysOfOneMessageShareOneMemoryBudget) {
  // A frame full of the smallest possible items would take several times its size as structures.
  Buffer bytes;
  Encoder out(bytes);
  const std::size_t items = kMaxDecodedBytes / sizeof(MetadataRequest::MetadataRequestTopic) + 1;
  out.count(items, false);
  for (std::size_t i = 0; i < items; ++i) out.string("", false);
  ByteReader reader(bytes.view());
  EXPECT_FALSE(MetadataRequest::decode(reader, 1));
}

TEST(Messages, LargeBatchesAreSplicedAndSmallOnesCopied) {
  FetchResponse response;
  auto& partition = response.responses.emplace_back().partitions.emplace_back();
  RecordSet& records = partition.records.emplace();
  records.batches.push_back(SharedBytes::copy_of(as_bytes(std::string(100, 'a'))));
  records.batches.push_back(SharedBytes::copy_of(as_bytes(std::string(kSpliceMinBytes, 'b'))));
  Buffer spliced;
  std::vector<Splice> splices;
  Encoder out(spliced, &splices);
  response.encode(out, 12);
  ASSERT_EQ(splices.size(), 1U);
  Buffer whole;
  Encoder plain(whole);
  response.encode(plain, 12);
  std::string joined(as_text(spliced.view()));
  joined.insert(splices[0].position, as_text(splices[0].bytes.view()));
  EXPECT_EQ(joined, as_text(whole.view()));
}

}  // namespace
}  // namespace millrace::kafka::testing

#include "rules/delivery.h"

#include <gtest/gtest.h>

#include "base/byte_writer.h"

namespace millrace::rules {
namespace {

Delivery example() {
  Delivery delivery;
  delivery.rule = "to_old_system";
  delivery.topic = "report";
  delivery.client_id = "T-1";
  delivery.trace_id = "trace";
  delivery.received_at_ms = 1'700'000'000'000;
  delivery.payload = as_bytes(std::string_view("{\"a\":1}"));
  delivery.error.kind = DeliveryError::Kind::record;
  delivery.error.topic = "errors";
  delivery.error.key = as_bytes(std::string_view("k"));
  delivery.error.partition = 3;
  delivery.error.headers = {{"h", as_bytes(std::string_view("v"))}, {"null", std::nullopt}};
  DeliveryRequest request;
  request.kind = ActionDefinition::Kind::http;
  request.method = "PUT";
  request.target = "http://old/report";
  request.headers = {{"X-Device", "T-1"}};
  request.body = delivery.payload;
  request.answer_topic = "answers";
  request.answer_key = as_bytes(std::string_view(""));
  request.max_batch_size = 10;
  request.max_batch_bytes = 1000;
  request.max_batch_open_ms = 200;
  request.timeout_ms = 5000;
  request.give_up_after_ms = 86'400'000;
  delivery.requests.push_back(request);
  request.body = as_bytes(std::string_view("other"));
  request.answer_key.reset();
  delivery.requests.push_back(request);
  return delivery;
}

TEST(Delivery, IsReadBackAsItWasWritten) {
  const Delivery made = example();
  Buffer bytes;
  encode(made, bytes);
  const auto read = decode_delivery(bytes.view());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rule, made.rule);
  EXPECT_EQ(read->client_id, made.client_id);
  EXPECT_EQ(read->received_at_ms, made.received_at_ms);
  EXPECT_EQ(read->error.topic, "errors");
  EXPECT_EQ(read->error.partition, 3);
  ASSERT_EQ(read->error.headers.size(), 2U);
  EXPECT_FALSE(read->error.headers[1].value);
  ASSERT_EQ(read->requests.size(), 2U);
  EXPECT_EQ(as_text(read->requests[0].body), "{\"a\":1}");
  EXPECT_EQ(as_text(read->requests[1].body), "other");
  EXPECT_EQ(read->requests[0].headers, made.requests[0].headers);
  EXPECT_EQ(read->requests[0].max_batch_open_ms, 200U);
  EXPECT_TRUE(read->requests[0].answer_key);
  EXPECT_FALSE(read->requests[1].answer_key);
  EXPECT_EQ(read->requests[0].give_up_after_ms, 86'400'000U);
  EXPECT_FALSE(read->reported);
  mark_reported(bytes.data());
  EXPECT_TRUE(decode_delivery(bytes.view())->reported);
}

TEST(Delivery, ABodyThatIsThePayloadStandsOnce) {
  Delivery made = example();
  made.requests.resize(1);
  Buffer once;
  encode(made, once);
  const std::string copy(as_text(made.payload));
  made.requests[0].body = as_bytes(std::string_view(copy));
  Buffer twice;
  encode(made, twice);
  EXPECT_EQ(twice.size(), once.size() + copy.size() + 1);
}

TEST(Delivery, EveryCutAndEveryVersionButOnesIsRefused) {
  Buffer bytes;
  encode(example(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_delivery(bytes.view(0, size))) << size;
  Buffer longer;
  longer.append(bytes.view());
  longer.push_back(0);
  EXPECT_FALSE(decode_delivery(longer.view()));
  for (const std::uint8_t version : {std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{255}}) {
    bytes.data()[0] = version;
    EXPECT_FALSE(decode_delivery(bytes.view())) << int{version};
  }
}

TEST(Delivery, TheFirstVersionIsReadToo) {
  Buffer bytes;
  encode(example(), bytes);
  std::string old(as_text(bytes.view()));
  old[0] = 1;
  // 1,000 bytes of a batch, then the 200 ms that version 1 does not have.
  const std::string now = "\xE8\x07\xC8\x01";
  for (std::size_t at = old.find(now); at != std::string::npos; at = old.find(now)) old.replace(at, 4, "\xE8\x07");
  const auto read = decode_delivery(as_bytes(old));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->requests.size(), 2U);
  EXPECT_EQ(read->requests[0].max_batch_open_ms, 0U);
  EXPECT_EQ(read->requests[0].timeout_ms, 5000U);
  EXPECT_EQ(read->requests[1].give_up_after_ms, 86'400'000U);
}

TEST(Delivery, PartitionsOfDestinationsStayTheSameFromBuildToBuild) {
  EXPECT_EQ(partition_of_destination(destination_hash("http://old")), 4);
  EXPECT_EQ(partition_of_destination(destination_hash("https://hooks.example:8443")), 10);
}

}  // namespace
}  // namespace millrace::rules

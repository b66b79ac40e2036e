// WireClient: one connection to an Endpoint as a test sees it: encodes requests, feeds them into a fake stream, takes
// answers apart.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/endian.h"
#include "kafka/protocol/header.h"
#include "kafka/server/endpoint.h"
#include "kafka/testing/fake_stream.h"

namespace millrace::kafka::testing {

/// A whole request frame.
template <class Message>
std::string frame(ApiKey key, std::int16_t version, std::int32_t correlation, const Message& message) {
  const ApiCodec& codec = *find_codec(static_cast<std::int16_t>(key));
  Buffer bytes;
  Encoder out(bytes);
  out.be(std::int32_t{0});
  out.be(static_cast<std::int16_t>(key));
  out.be(version);
  out.be(correlation);
  out.nullable_string("test", false);
  if (version >= codec.first_flexible) out.uvarint(0);
  message.encode(out, version);
  EXPECT_TRUE(out.ok());
  store_be(bytes.data(), static_cast<std::int32_t>(bytes.size() - 4));
  return std::string(as_text(bytes.view()));
}

class WireClient {
 public:
  WireClient(Endpoint& endpoint, Executor& executor) {
    auto stream = std::make_unique<FakeStream>(executor, wire);
    stream_ = stream.get();
    endpoint.accept(std::move(stream));
  }

  /// Sends a request; returns its correlation id.
  template <class Message>
  std::int32_t send(ApiKey key, std::int16_t version, const Message& message) {
    feed(frame(key, version, ++correlation_, message));
    return correlation_;
  }
  void feed(std::string_view bytes) {
    if (wire.alive) stream_->feed(bytes);
  }
  [[nodiscard]] FakeStream& stream() { return *stream_; }

  /// The next answer that has arrived: its correlation id, or nothing.
  [[nodiscard]] std::optional<std::int32_t> peek() {
    if (wire.alive) stream_->flush();
    const std::string_view left = std::string_view(wire.sent).substr(taken_);
    if (left.size() < 8) return std::nullopt;
    return load_be<std::int32_t>(as_bytes(left).data() + 4);
  }
  /// Takes the next answer, which must be there and belong to `correlation`. Views point into memory of this client.
  template <class Message>
  Message take(ApiKey key, std::int16_t version, std::int32_t correlation) {
    EXPECT_EQ(peek(), correlation);
    if (peek() != correlation) return {};
    answers_.push_back(wire.sent);
    const ByteView left = as_bytes(std::string_view(answers_.back()).substr(taken_));
    const auto size = static_cast<std::size_t>(load_be<std::int32_t>(left.data()));
    EXPECT_GE(left.size(), size + 4);
    taken_ += size + 4;
    ByteReader reader(left.subspan(4, size));
    reader.skip(4);
    const ApiCodec& codec = *find_codec(static_cast<std::int16_t>(key));
    if (version >= codec.first_flexible && key != ApiKey::api_versions) reader.skip(1);
    auto message = Message::decode(reader, version);
    EXPECT_TRUE(message) << message.error().message();
    return message.value_or(Message{});
  }

  Wire wire;

 private:
  FakeStream* stream_;
  std::int32_t correlation_ = 0;
  std::size_t taken_ = 0;
  std::deque<std::string> answers_;
};

}  // namespace millrace::kafka::testing

// KafkaConnection: one blocking connection to a Kafka broker for questions: which partitions, which offsets, what is in
// them. Own encoding of few APIs at one version each, all served by Apache Kafka 2.1 to 4.x and by millrace: Metadata
// 4, ListOffsets 1, Fetch 4, InitProducerId 0, CreateTopics 2. The hot loops of `bench kafka` use the same frames
// without blocking. Thread: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/result.h"

namespace millrace::load {

struct KafkaApi {
  std::int16_t key;
  std::int16_t version;
};
inline constexpr KafkaApi kProduce{0, 7};
inline constexpr KafkaApi kFetch{1, 4};
inline constexpr KafkaApi kListOffsets{2, 1};
inline constexpr KafkaApi kMetadata{3, 4};
inline constexpr KafkaApi kCreateTopics{19, 2};
inline constexpr KafkaApi kInitProducerId{22, 0};

/// Builds one request: size, header (request header v1), body. The size is patched by finish().
class KafkaRequest {
 public:
  KafkaRequest(Buffer& out, KafkaApi api, std::int32_t correlation);
  ByteWriter& body() { return writer_; }
  void text(std::string_view value);
  void finish();

 private:
  Buffer& out_;
  ByteWriter writer_;
  std::size_t start_;
};
/// A string of a response; sets the reader to failed when it is not there. Null is empty.
std::string_view read_kafka_text(ByteReader& in);

struct KafkaPartition {
  std::int32_t index = 0;
  std::int32_t leader = -1;
  std::int16_t error = 0;
};
struct KafkaBroker {
  std::int32_t id = 0;
  std::string host;
  std::int64_t port = 0;
};
struct KafkaTopic {
  std::int16_t error = 0;
  std::vector<KafkaPartition> partitions;  // by index
  std::vector<KafkaBroker> brokers;
};

class KafkaConnection {
 public:
  KafkaConnection() = default;
  ~KafkaConnection() { close(); }
  KafkaConnection(KafkaConnection&& other) noexcept;
  KafkaConnection& operator=(KafkaConnection&& other) noexcept;

  /// Errors: not_found, unavailable.
  static Result<KafkaConnection> open(const std::string& host, std::int64_t port);

  /// Error: not_found when the topic does not exist.
  Result<KafkaTopic> topic(const std::string& name);
  /// Succeeds as well when it exists. Error: what the broker said.
  Result<void> create_topic(const std::string& name, std::int32_t partitions);
  /// `time` -2: first offset, -1: the high watermark.
  Result<std::int64_t> offset(const std::string& topic, std::int32_t partition, std::int64_t time);
  Result<std::int64_t> producer_id();
  /// Record batches at and behind `offset`, as they are stored; the last may be cut short. Valid until the next call.
  Result<ByteView> fetch(const std::string& topic, std::int32_t partition, std::int64_t offset, std::int32_t max_bytes);
  void close();

 private:
  /// Sends the request and returns the body of its response. Errors: closed, timed_out, malformed.
  Result<ByteReader> call(KafkaRequest& request);
  Result<void> read_exactly(std::uint8_t* into, std::size_t count);

  int fd_ = -1;
  std::int32_t correlation_ = 0;
  Buffer out_;
  Buffer in_;
};

/// "UNKNOWN_TOPIC_OR_PARTITION" or "error 123".
[[nodiscard]] std::string kafka_error_name(std::int16_t code);

}  // namespace millrace::load

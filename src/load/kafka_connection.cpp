#include "load/kafka_connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "load/link.h"

namespace millrace::load {
namespace {

constexpr time_t kAnswerSeconds = 30;
constexpr std::size_t kLargestResponse = 256_MiB;

Result<void> checked(std::int16_t code, const char* context, std::string_view what) {
  if (code == 0) return {};
  return fail(code == 3 ? ErrorCode::not_found : ErrorCode::unavailable, context,
              fmt::format("{}: {}", what, kafka_error_name(code)));
}

std::unexpected<Error> short_response(const char* context) {
  return fail(ErrorCode::malformed, context, "response is too short");
}

}  // namespace

std::string kafka_error_name(std::int16_t code) {
  static constexpr std::pair<std::int16_t, std::string_view> kNames[] = {
      {-1, "UNKNOWN_SERVER_ERROR"},    {1, "OFFSET_OUT_OF_RANGE"},
      {2, "CORRUPT_MESSAGE"},          {3, "UNKNOWN_TOPIC_OR_PARTITION"},
      {5, "LEADER_NOT_AVAILABLE"},     {6, "NOT_LEADER_OR_FOLLOWER"},
      {7, "REQUEST_TIMED_OUT"},        {10, "MESSAGE_TOO_LARGE"},
      {17, "INVALID_TOPIC_EXCEPTION"}, {29, "TOPIC_AUTHORIZATION_FAILED"},
      {35, "UNSUPPORTED_VERSION"},     {36, "TOPIC_ALREADY_EXISTS"},
      {37, "INVALID_PARTITIONS"},      {45, "OUT_OF_ORDER_SEQUENCE_NUMBER"},
      {47, "INVALID_PRODUCER_EPOCH"},  {56, "KAFKA_STORAGE_ERROR"},
      {59, "UNKNOWN_PRODUCER_ID"},     {87, "INVALID_RECORD"}};
  for (const auto& [number, name] : kNames) {
    if (number == code) return std::string(name);
  }
  return fmt::format("error {}", code);
}

KafkaRequest::KafkaRequest(Buffer& out, KafkaApi api, std::int32_t correlation)
    : out_(out), writer_(out), start_(out.size()) {
  writer_.be(std::int32_t{0});
  writer_.be(api.key);
  writer_.be(api.version);
  writer_.be(correlation);
  text("millrace-load");
}

void KafkaRequest::text(std::string_view value) {
  writer_.be(static_cast<std::int16_t>(value.size()));
  writer_.text(value);
}

void KafkaRequest::finish() {
  store_be(out_.data() + start_, static_cast<std::int32_t>(out_.size() - start_ - 4));
}

std::string_view read_kafka_text(ByteReader& in) {
  const std::int16_t size = in.be<std::int16_t>();
  return size <= 0 ? std::string_view() : in.text(static_cast<std::size_t>(size));
}

KafkaConnection::KafkaConnection(KafkaConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      correlation_(other.correlation_),
      out_(std::move(other.out_)),
      in_(std::move(other.in_)) {}

KafkaConnection& KafkaConnection::operator=(KafkaConnection&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    correlation_ = other.correlation_;
    out_ = std::move(other.out_);
    in_ = std::move(other.in_);
  }
  return *this;
}

void KafkaConnection::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<KafkaConnection> KafkaConnection::open(const std::string& host, std::int64_t port) {
  MR_TRY_ASSIGN(const Endpoint to, resolve(host, port));
  KafkaConnection connection;
  connection.fd_ = ::socket(to.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection.fd_ < 0) return fail(ErrorCode::io_error, "no more sockets", std::strerror(errno));
  const int on = 1;
  setsockopt(connection.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience{kAnswerSeconds, 0};
  setsockopt(connection.fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(connection.fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(connection.fd_, reinterpret_cast<const sockaddr*>(&to.address), to.length) != 0) {
    return fail(ErrorCode::unavailable, "cannot connect to Kafka",
                fmt::format("{}: {}", to.name, std::strerror(errno)));
  }
  return connection;
}

Result<void> KafkaConnection::read_exactly(std::uint8_t* into, std::size_t count) {
  while (count > 0) {
    const ssize_t got = ::recv(fd_, into, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) return fail(ErrorCode::closed, "the Kafka broker closed the connection");
    if (got < 0) return fail(ErrorCode::timed_out, "no answer from the Kafka broker", std::strerror(errno));
    into += got;
    count -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<ByteReader> KafkaConnection::call(KafkaRequest& request) {
  request.finish();
  for (std::size_t sent = 0; sent < out_.size();) {
    const ssize_t taken = ::send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0) return fail(ErrorCode::closed, "the Kafka broker closed the connection", std::strerror(errno));
    sent += static_cast<std::size_t>(taken);
  }
  out_.clear();
  std::array<std::uint8_t, 8> head{};
  MR_TRY(read_exactly(head.data(), head.size()));
  const auto size = load_be<std::int32_t>(head.data());
  if (size < 4 || static_cast<std::size_t>(size) > kLargestResponse ||
      load_be<std::int32_t>(head.data() + 4) != correlation_) {
    return fail(ErrorCode::malformed, "the Kafka broker's answer does not fit the question");
  }
  ++correlation_;
  in_.resize(static_cast<std::size_t>(size) - 4);
  MR_TRY(read_exactly(in_.data(), in_.size()));
  return ByteReader(in_.view());
}

Result<KafkaTopic> KafkaConnection::topic(const std::string& name) {
  KafkaRequest request(out_, kMetadata, correlation_);
  request.body().be(std::int32_t{1});
  request.text(name);
  request.body().u8(0);  // allow_auto_topic_creation
  MR_TRY_ASSIGN(ByteReader in, call(request));
  KafkaTopic topic;
  in.skip(4);  // throttle time
  for (std::int32_t i = in.be<std::int32_t>(); i > 0 && in.ok(); --i) {
    KafkaBroker& broker = topic.brokers.emplace_back();
    broker.id = in.be<std::int32_t>();
    broker.host = read_kafka_text(in);
    broker.port = in.be<std::int32_t>();
    (void)read_kafka_text(in);  // rack
  }
  (void)read_kafka_text(in);  // cluster id
  in.skip(4);                 // controller
  for (std::int32_t i = in.be<std::int32_t>(); i > 0 && in.ok(); --i) {
    topic.error = in.be<std::int16_t>();
    (void)read_kafka_text(in);
    in.skip(1);  // internal
    for (std::int32_t p = in.be<std::int32_t>(); p > 0 && in.ok(); --p) {
      KafkaPartition& partition = topic.partitions.emplace_back();
      partition.error = in.be<std::int16_t>();
      partition.index = in.be<std::int32_t>();
      partition.leader = in.be<std::int32_t>();
      for (int list = 0; list < 2; ++list) {  // replicas, in sync
        const std::int32_t count = in.be<std::int32_t>();
        if (count > 0) in.skip(static_cast<std::size_t>(count) * 4);
      }
    }
  }
  if (!in.ok()) return short_response("Metadata");
  MR_TRY(checked(topic.error, "topic", name));
  std::ranges::sort(topic.partitions, {}, &KafkaPartition::index);
  return topic;
}

Result<void> KafkaConnection::create_topic(const std::string& name, std::int32_t partitions) {
  KafkaRequest request(out_, kCreateTopics, correlation_);
  request.body().be(std::int32_t{1});
  request.text(name);
  request.body().be(partitions);
  request.body().be(std::int16_t{1});  // replication factor
  request.body().be(std::int32_t{0});  // assignments
  request.body().be(std::int32_t{0});  // configs
  request.body().be(std::int32_t{10'000});
  request.body().u8(0);  // validate only
  MR_TRY_ASSIGN(ByteReader in, call(request));
  in.skip(4);
  if (in.be<std::int32_t>() != 1) return short_response("CreateTopics");
  (void)read_kafka_text(in);
  const auto code = in.be<std::int16_t>();
  constexpr std::int16_t kAlreadyExists = 36;
  if (!in.ok()) return short_response("CreateTopics");
  return code == kAlreadyExists ? Result<void>() : checked(code, "cannot create the topic", name);
}

Result<std::int64_t> KafkaConnection::offset(const std::string& topic, std::int32_t partition, std::int64_t time) {
  KafkaRequest request(out_, kListOffsets, correlation_);
  request.body().be(std::int32_t{-1});
  request.body().be(std::int32_t{1});
  request.text(topic);
  request.body().be(std::int32_t{1});
  request.body().be(partition);
  request.body().be(time);
  MR_TRY_ASSIGN(ByteReader in, call(request));
  in.skip(4);
  (void)read_kafka_text(in);
  in.skip(8);
  const auto code = in.be<std::int16_t>();
  in.skip(8);
  const auto found = in.be<std::int64_t>();
  if (!in.ok()) return short_response("ListOffsets");
  MR_TRY(checked(code, "ListOffsets", topic));
  return found;
}

Result<std::int64_t> KafkaConnection::producer_id() {
  KafkaRequest request(out_, kInitProducerId, correlation_);
  request.body().be(std::int16_t{-1});  // no transactional id
  request.body().be(std::int32_t{60'000});
  MR_TRY_ASSIGN(ByteReader in, call(request));
  in.skip(4);
  const auto code = in.be<std::int16_t>();
  const auto id = in.be<std::int64_t>();
  if (!in.ok()) return short_response("InitProducerId");
  MR_TRY(checked(code, "InitProducerId", "idempotent producer"));
  return id;
}

Result<ByteView> KafkaConnection::fetch(const std::string& topic, std::int32_t partition, std::int64_t offset,
                                        std::int32_t max_bytes) {
  KafkaRequest request(out_, kFetch, correlation_);
  request.body().be(std::int32_t{-1});
  request.body().be(std::int32_t{500});  // max wait ms
  request.body().be(std::int32_t{1});    // min bytes
  request.body().be(max_bytes);
  request.body().u8(0);  // read uncommitted
  request.body().be(std::int32_t{1});
  request.text(topic);
  request.body().be(std::int32_t{1});
  request.body().be(partition);
  request.body().be(offset);
  request.body().be(max_bytes);
  MR_TRY_ASSIGN(ByteReader in, call(request));
  in.skip(8);
  (void)read_kafka_text(in);
  in.skip(8);
  const auto code = in.be<std::int16_t>();
  in.skip(16);  // high watermark, last stable offset
  const std::int32_t aborted = in.be<std::int32_t>();
  if (aborted > 0) in.skip(static_cast<std::size_t>(aborted) * 16);
  const std::int32_t size = in.be<std::int32_t>();
  const ByteView records = in.bytes(size < 0 ? 0 : static_cast<std::size_t>(size));
  if (!in.ok()) return short_response("Fetch");
  MR_TRY(checked(code, "Fetch", topic));
  return records;
}

}  // namespace millrace::load

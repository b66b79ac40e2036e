#include "rules/delivery.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace millrace::rules {

namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionWithoutOpenTime = 1;
constexpr std::uint8_t kReported = 1;
constexpr std::uint8_t kIsError = 2;
constexpr std::size_t kFlagsAt = 1;

class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}
  void text(std::string_view value) {
    out_.uvarint(value.size());
    out_.text(value);
  }
  void bytes(ByteView value) { text(as_text(value)); }
  /// 0: absent, else the size plus one.
  void optional(const std::optional<ByteView>& value) {
    out_.uvarint(value ? value->size() + 1 : 0);
    if (value) out_.bytes(*value);
  }
  void request(const DeliveryRequest& request, ByteView payload) {
    out_.u8(static_cast<std::uint8_t>(request.kind));
    text(request.method);
    text(request.target);
    out_.uvarint(request.headers.size());
    for (const auto& [name, value] : request.headers) {
      text(name);
      text(value);
    }
    // SELECT * makes a body that is the payload: its bytes stand once.
    const bool copy = request.body.data() == payload.data() && request.body.size() == payload.size();
    out_.u8(copy ? 1 : 0);
    if (!copy) bytes(request.body);
    text(request.answer_topic);
    optional(request.answer_key);
    out_.uvarint(request.max_batch_size);
    out_.uvarint(request.max_batch_bytes);
    out_.uvarint(request.max_batch_open_ms);
    out_.uvarint(request.timeout_ms);
    out_.uvarint(request.give_up_after_ms);
  }
  void error(const DeliveryError& error) {
    out_.u8(static_cast<std::uint8_t>(error.kind));
    if (error.kind == DeliveryError::Kind::none) return;
    if (error.kind == DeliveryError::Kind::request) {
      out_.uvarint(error.request_destination);
      request(*error.request, {});
      return;
    }
    text(error.topic);
    optional(error.key);
    out_.varint(error.partition.value_or(-1));
    out_.uvarint(error.headers.size());
    for (const RecordHeader& header : error.headers) {
      text(header.key);
      optional(header.value);
    }
    out_.u8(error.qos);
    out_.u8(error.retain ? 1 : 0);
  }
  ByteWriter& raw() { return out_; }

 private:
  ByteWriter out_;
};

class Reader {
 public:
  explicit Reader(ByteView bytes) : in_(bytes) {
    version_ = in_.u8();
    if (version_ != kVersion && version_ != kVersionWithoutOpenTime) in_.fail();
  }
  std::string_view text() { return in_.text(size()); }
  ByteView bytes() { return in_.bytes(size()); }
  std::optional<ByteView> optional() {
    const std::uint64_t size_plus_one = in_.uvarint();
    if (size_plus_one == 0) return std::nullopt;
    return in_.bytes(checked(size_plus_one - 1));
  }
  std::uint32_t number() {
    const std::uint64_t value = in_.uvarint();
    if (value > UINT32_MAX) in_.fail();
    return static_cast<std::uint32_t>(value);
  }
  std::size_t count(std::size_t least_bytes) {
    const std::uint64_t value = in_.uvarint();
    if (!in_.fits(value, least_bytes)) in_.fail();
    return in_.ok() ? static_cast<std::size_t>(value) : 0;
  }
  std::uint8_t at_most(std::uint8_t limit) {
    const std::uint8_t value = in_.u8();
    if (value > limit) in_.fail();
    return value;
  }
  DeliveryRequest request(ByteView payload) {
    DeliveryRequest out;
    out.kind = static_cast<ActionDefinition::Kind>(in_.u8());
    if (out.kind < ActionDefinition::Kind::http || out.kind > ActionDefinition::Kind::file) in_.fail();
    out.method = text();
    out.target = text();
    for (std::size_t left = count(2); left > 0 && in_.ok(); --left) {
      const std::string_view name = text();
      out.headers.emplace_back(name, text());
    }
    out.body = at_most(1) == 1 ? payload : bytes();
    out.answer_topic = text();
    out.answer_key = optional();
    out.max_batch_size = number();
    out.max_batch_bytes = number();
    if (version_ > kVersionWithoutOpenTime) out.max_batch_open_ms = number();
    out.timeout_ms = number();
    out.give_up_after_ms = in_.uvarint();
    return out;
  }
  DeliveryError error() {
    DeliveryError out;
    out.kind = static_cast<DeliveryError::Kind>(at_most(3));
    if (out.kind == DeliveryError::Kind::none) return out;
    if (out.kind == DeliveryError::Kind::request) {
      out.request_destination = number();
      out.request = request({});
      return out;
    }
    out.topic = text();
    out.key = optional();
    const std::int64_t partition = in_.varint();
    if (partition < -1 || partition > INT32_MAX) in_.fail();
    if (partition >= 0) out.partition = static_cast<std::int32_t>(partition);
    for (std::size_t left = count(2); left > 0 && in_.ok(); --left) {
      const std::string_view name = text();
      out.headers.push_back({name, optional()});
    }
    out.qos = at_most(2);
    out.retain = at_most(1) == 1;
    return out;
  }
  ByteReader& raw() { return in_; }

 private:
  std::size_t size() { return checked(in_.uvarint()); }
  std::size_t checked(std::uint64_t size) {
    if (size > in_.remaining()) in_.fail();
    return in_.ok() ? static_cast<std::size_t>(size) : 0;
  }
  ByteReader in_;
  std::uint8_t version_ = 0;
};

}  // namespace

void encode(const Delivery& delivery, Buffer& out) {
  Writer writer(out);
  writer.raw().u8(kVersion);
  writer.raw().u8(
      static_cast<std::uint8_t>((delivery.reported ? kReported : 0U) | (delivery.is_error ? kIsError : 0U)));
  writer.text(delivery.rule);
  writer.text(delivery.topic);
  writer.text(delivery.client_id);
  writer.text(delivery.trace_id);
  writer.raw().varint(delivery.received_at_ms);
  writer.bytes(delivery.payload);
  writer.error(delivery.error);
  writer.raw().uvarint(delivery.requests.size());
  for (const DeliveryRequest& request : delivery.requests) writer.request(request, delivery.payload);
}

Result<Delivery> decode_delivery(ByteView bytes) {
  Reader reader(bytes);
  const auto malformed = [] { return fail(ErrorCode::malformed, "rule delivery"); };
  Delivery out;
  const std::uint8_t flags = reader.at_most(kReported | kIsError);
  out.reported = (flags & kReported) != 0;
  out.is_error = (flags & kIsError) != 0;
  out.rule = reader.text();
  out.topic = reader.text();
  out.client_id = reader.text();
  out.trace_id = reader.text();
  out.received_at_ms = reader.raw().varint(10);
  out.payload = reader.bytes();
  out.error = reader.error();
  constexpr std::size_t kLeastRequest = 11;
  for (std::size_t left = reader.count(kLeastRequest); left > 0 && reader.raw().ok(); --left) {
    out.requests.push_back(reader.request(out.payload));
  }
  if (!reader.raw().ok() || reader.raw().remaining() != 0 || out.requests.empty()) return malformed();
  return out;
}

void mark_reported(std::uint8_t* encoded) {
  encoded[kFlagsAt] |= kReported;
}

std::uint32_t destination_hash(std::string_view destination) {
  std::uint32_t hash = 2'166'136'261U;  // FNV-1a: the same in every process
  for (const char c : destination) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 16'777'619U;
  }
  return hash ^ (hash >> 16U);
}

std::string_view failed_action_name(ActionDefinition::Kind kind) {
  switch (kind) {
    case ActionDefinition::Kind::kafka:
      return "KafkaAction";
    case ActionDefinition::Kind::republish:
      return "RepublishAction";
    case ActionDefinition::Kind::http:
      return "HttpAction";
    case ActionDefinition::Kind::webhook:
      return "WebhookAction";
    case ActionDefinition::Kind::file:
      return "FileAction";
  }
  return "";
}

}  // namespace millrace::rules

// DeviceMessage: what every front door (MQTT, HTTP, Modbus) hands to the pipeline, and how it hears back.
//
// Everything in a DeviceMessage is a view into the source's read buffer, valid only during MessageReceiver::receive().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"

namespace millrace {

enum class MessageSource : std::uint8_t { mqtt, http, modbus, internal };

struct UserProperty {
  std::string_view key;
  std::string_view value;
};

/// Names whoever waits for a message to be durable. `connection` finds the connection again in its own loop (0: nobody
/// waits, as for QoS 0); `token` is the source's own (packet id and kind).
struct Receipt {
  std::uint64_t connection = 0;
  std::uint64_t token = 0;
};

enum class ReceiptStatus : std::uint8_t {
  durable,   // everything the message caused is on disk
  no_match,  // no rule matched; counted, nothing to store
  quota,     // refused before anything was written: the sender may try again
};

/// A record of the source's own, for one of its internal topics: what it must remember together with a message.
struct OwnRecord {
  std::string_view topic;
  std::optional<ByteView> key;
  std::optional<ByteView> value;  // nullopt: tombstone
};

struct DeviceMessage {
  std::string_view topic;
  ByteView payload;
  std::string_view client_id;  // empty when the source has none
  std::string_view username;
  WallTime received_at{};
  MessageSource source = MessageSource::mqtt;
  std::uint8_t qos = 0;
  bool retain = false;
  bool duplicate = false;           // MQTT DUP flag
  bool utf8_payload = false;        // MQTT 5 Payload Format Indicator
  std::string_view source_address;  // IP address of the sender; empty when it is not known
  std::string_view content_type;
  std::string_view response_topic;
  ByteView correlation_data;
  std::span<const UserProperty> user_properties;
  /// Non-empty for exactly-once deliveries (MQTT QoS 2 of a session that outlives its connection): "<client
  /// id>\0<packet id>". A record with this key goes into the delivery ledger in the same atomic commit as the message's
  /// own records.
  std::string_view delivery_id;
  /// In the same atomic commit as the records the message causes.
  std::span<const OwnRecord> own_records;
  Receipt receipt;
};

/// Hears what became of receipts. Thread: the loop of the connections named.
class ReceiptSink {
 public:
  virtual ~ReceiptSink() = default;
  /// In the order the messages were received, per connection. Called once per commit with all its receipts of this
  /// sink.
  virtual void settle(std::span<const Receipt> receipts, ReceiptStatus status) = 0;
  /// After receive() answered `pause`: there is room again.
  virtual void relieved() = 0;
};

enum class Pressure : std::uint8_t { none, pause };

/// One per loop; thread: that loop. Implemented by the pipeline, called by mqtt and ingest.
class MessageReceiver {
 public:
  virtual ~MessageReceiver() = default;
  /// Takes all messages of one read at once. `sink` must outlive the receiver or be detached first. Every message with
  /// a receipt is settled exactly once, later or at the end of this loop turn, never inside this call. Pressure::pause
  /// asks the source to stop reading until relieved(); what was handed over is still accepted.
  virtual Pressure receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) = 0;
  /// Forgets an exactly-once delivery (MQTT PUBREL); settled when the forgetting is durable.
  virtual void release(std::string_view delivery_id, Receipt receipt, ReceiptSink& sink) = 0;
  /// Records without a message, in one atomic commit, in order with what was received before; settled when durable.
  virtual void store(std::span<const OwnRecord> records, Receipt receipt, ReceiptSink& sink) = 0;
  /// After this, `sink` is never called again. For shutdown.
  virtual void detach(ReceiptSink& sink) = 0;
};

}  // namespace millrace

// RecordingReceiver: a MessageReceiver that writes down what it got and settles when told to (or at the end of each
// turn).
#pragma once

#include <string>
#include <vector>

#include "model/device_message.h"
#include "mqtt/session/stored_message.h"
#include "mqtt/testing/memory_messages.h"

namespace millrace::mqtt::testing {

class RecordingReceiver final : public MessageReceiver {
 public:
  struct Got {
    std::string topic;
    std::string payload;
    std::string client_id;
    std::string username;
    std::string delivery_id;
    std::string properties;  // "content_type=…" and user properties as "k:v "
    int qos = 0;
    bool retain = false;
    bool duplicate = false;
  };

  Pressure receive(std::span<const DeviceMessage> messages, ReceiptSink& sink) override {
    sink_ = &sink;
    calls.push_back(messages.size());
    for (const DeviceMessage& m : messages) {
      Got one{std::string(m.topic),
              std::string(as_text(m.payload)),
              std::string(m.client_id),
              std::string(m.username),
              std::string(m.delivery_id),
              "",
              m.qos,
              m.retain,
              m.duplicate};
      if (!m.content_type.empty()) one.properties += "content_type=" + std::string(m.content_type) + " ";
      if (!m.response_topic.empty()) one.properties += "response_topic=" + std::string(m.response_topic) + " ";
      for (const UserProperty& user : m.user_properties) {
        one.properties += std::string(user.key) + ":" + std::string(user.value) + " ";
      }
      got.push_back(std::move(one));
      remember(m.own_records);
      if (m.receipt.connection != 0) waiting.push_back(m.receipt);
    }
    return pressure;
  }
  void release(std::string_view delivery_id, Receipt receipt, ReceiptSink& sink) override {
    sink_ = &sink;
    released.emplace_back(delivery_id);
    if (receipt.connection != 0) waiting.push_back(receipt);
  }
  void store(std::span<const OwnRecord> records, Receipt receipt, ReceiptSink& sink) override {
    sink_ = &sink;
    remember(records);
    if (receipt.connection != 0) waiting.push_back(receipt);
  }
  void detach(ReceiptSink&) override { sink_ = nullptr; }

  /// Settles everything that waits.
  void settle(ReceiptStatus status = ReceiptStatus::durable) {
    durable_ = own.size();
    settled_got = got.size();
    const auto records = std::exchange(logged_, {});
    if (message_topic != nullptr && status == ReceiptStatus::durable) message_topic->append(records);
    if (sink_ == nullptr || waiting.empty()) return;
    const std::vector<Receipt> receipts = std::exchange(waiting, {});
    sink_->settle(receipts, status);
  }
  /// Something happens when settle() is called.
  [[nodiscard]] bool has_work() const { return !waiting.empty() || !logged_.empty(); }
  void relieve() {
    pressure = Pressure::none;
    if (sink_ != nullptr) sink_->relieved();
  }
  [[nodiscard]] bool detached() const { return sink_ == nullptr; }

  /// What a restart would find in an internal topic.
  struct Own {
    std::string topic;
    std::string key;
    std::optional<std::string> value;
    std::uint64_t order = 0;  // among those of all receivers
  };
  std::vector<Own> own;
  /// What a kill -9 leaves of `own`.
  [[nodiscard]] std::span<const Own> durable_records() const { return std::span(own).first(durable_); }
  MemoryMessages* message_topic = nullptr;  // where records of the message topic go
  std::vector<Got> got;
  std::size_t settled_got = 0;     // so many of them would survive a kill -9
  std::vector<std::size_t> calls;  // messages per receive()
  std::vector<std::string> released;
  std::vector<Receipt> waiting;
  Pressure pressure = Pressure::none;
  bool settles_by_itself = true;  // at the end of a turn

 private:
  void remember(std::span<const OwnRecord> records) {
    for (const OwnRecord& record : records) {
      own.push_back({std::string(record.topic), std::string(as_text(record.key.value_or(ByteView{}))), std::nullopt,
                     ++last_order});
      if (record.value) own.back().value = std::string(as_text(*record.value));
      if (record.topic == kMessageTopic) logged_.push_back({own.back().key, *own.back().value});
    }
  }

  ReceiptSink* sink_ = nullptr;
  std::vector<MemoryMessages::KeyAndValue> logged_;
  std::size_t durable_ = 0;
  static inline std::uint64_t last_order = 0;
};

}  // namespace millrace::mqtt::testing

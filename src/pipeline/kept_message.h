// KeptMessage: a device message with copies of everything it views, for one that is not done with when receive()
// returns. Thread: one owner.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "model/device_message.h"

namespace millrace::pipeline {

class KeptMessage {
 public:
  explicit KeptMessage(const DeviceMessage& from) : message_(from) {
    for (std::string_view DeviceMessage::* const text :
         {&DeviceMessage::topic, &DeviceMessage::client_id, &DeviceMessage::username, &DeviceMessage::source_address,
          &DeviceMessage::content_type, &DeviceMessage::response_topic, &DeviceMessage::delivery_id}) {
      message_.*text = keep(from.*text);
    }
    message_.payload = as_bytes(keep(as_text(from.payload)));
    message_.correlation_data = as_bytes(keep(as_text(from.correlation_data)));
    for (const UserProperty& user : from.user_properties) users_.push_back({keep(user.key), keep(user.value)});
    message_.user_properties = users_;
    for (const OwnRecord& own : from.own_records) {
      own_.push_back({keep(own.topic), keep(own.key), keep(own.value)});
    }
    message_.own_records = own_;
  }
  KeptMessage(const KeptMessage&) = delete;
  KeptMessage& operator=(const KeptMessage&) = delete;

  [[nodiscard]] const DeviceMessage& message() const { return message_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    bytes_ += text.size();
    return texts_.emplace_back(text);
  }
  std::optional<ByteView> keep(const std::optional<ByteView>& bytes) {
    return bytes ? std::optional(as_bytes(keep(as_text(*bytes)))) : std::nullopt;
  }

  std::deque<std::string> texts_;
  std::vector<UserProperty> users_;
  std::vector<OwnRecord> own_;
  DeviceMessage message_;
  std::size_t bytes_ = sizeof(KeptMessage);
};

}  // namespace millrace::pipeline

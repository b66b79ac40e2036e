// RepublishedMessage: a message that a rule's republish action made, on its way back to all rules, with copies of
// everything it views. Thread: one owner.
#pragma once

#include <string>
#include <vector>

#include "model/device_message.h"
#include "rules/evaluator.h"

namespace millrace::pipeline {

class RepublishedMessage {
 public:
  /// `depth`: how many rules in a row have republished it, this one included.
  RepublishedMessage(const rules::RuleOutput& output, const DeviceMessage& from, int depth)
      : topic_(output.topic), payload_(as_text(output.value)), client_id_(from.client_id), depth_(depth) {
    message_.topic = topic_;
    message_.payload = as_bytes(payload_);
    message_.client_id = client_id_;
    message_.received_at = from.received_at;
    message_.source = MessageSource::internal;
    message_.qos = output.qos;
    message_.retain = output.retain;
    if (output.properties == nullptr) return;
    content_type_ = output.properties->content_type;
    response_topic_ = output.properties->response_topic;
    correlation_data_ = as_text(output.properties->correlation_data);
    for (const UserProperty& user : output.properties->user_properties) {
      user_texts_.emplace_back(user.key);
      user_texts_.emplace_back(user.value);
    }
    for (std::size_t i = 0; i < user_texts_.size(); i += 2) users_.push_back({user_texts_[i], user_texts_[i + 1]});
    message_.utf8_payload = output.properties->utf8_payload.value_or(false);
    message_.content_type = content_type_;
    message_.response_topic = response_topic_;
    message_.correlation_data = as_bytes(correlation_data_);
    message_.user_properties = users_;
  }
  RepublishedMessage(const RepublishedMessage&) = delete;
  RepublishedMessage& operator=(const RepublishedMessage&) = delete;

  [[nodiscard]] const DeviceMessage& message() const { return message_; }
  [[nodiscard]] int depth() const { return depth_; }

 private:
  std::string topic_;
  std::string payload_;
  std::string client_id_;
  std::string content_type_;
  std::string response_topic_;
  std::string correlation_data_;
  std::vector<std::string> user_texts_;
  std::vector<UserProperty> users_;
  DeviceMessage message_;
  int depth_;
};

}  // namespace millrace::pipeline

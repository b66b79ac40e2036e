// InboundBatch: the messages of one read on their way to the MessageReceiver, in memory that is used again and again.
//
// Views into the read buffer go straight in. What has no memory of its own there (lists of user properties, delivery
// ids) is kept here and tied to its message when the batch is handed over, because the lists may move while they grow.
// Thread: the loop's.
#pragma once

#include <string>
#include <vector>

#include "model/device_message.h"
#include "mqtt/protocol/property.h"

namespace millrace::mqtt {

class InboundBatch {
 public:
  /// Handed over in pieces of so many: a piece stays in the cache until the receiver has gone through it.
  static constexpr std::size_t kMaxMessages = 256;

  [[nodiscard]] bool empty() const { return messages_.empty(); }
  [[nodiscard]] bool full() const { return messages_.size() >= kMaxMessages; }

  /// A fresh message at the end; valid until the next call.
  DeviceMessage& add() { return messages_.emplace_back(); }
  /// Fills content type, response topic, correlation data and user properties of the last message.
  void set_properties(const protocol::Properties& properties);
  /// Gives the last message its exactly-once name.
  void set_delivery_id(std::string_view client_id, std::uint16_t packet_id);

  /// Requires !empty(). Empty afterwards.
  Pressure hand_over(MessageReceiver& receiver, ReceiptSink& sink);

 private:
  struct Tie {
    std::size_t message;
    std::size_t from;
    std::size_t count;
  };
  std::vector<DeviceMessage> messages_;
  std::vector<UserProperty> user_properties_;
  std::vector<Tie> user_ties_;
  std::string delivery_ids_;
  std::vector<Tie> delivery_ties_;
};

}  // namespace millrace::mqtt

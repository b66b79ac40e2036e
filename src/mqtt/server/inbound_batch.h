// InboundBatch: the messages of one read on their way to the MessageReceiver, in memory that is used again and again.
//
// Views into the read buffer go straight in. What has no memory of its own there (lists of user properties, delivery
// ids) is kept here and tied to its message when the batch is handed over, because the lists may move while they grow.
// Thread: the loop's.
#pragma once

#include <string>
#include <type_traits>
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

  /// A record that goes with the last message. `encode` appends its value to a buffer; null: a tombstone.
  template <class Encode>
  void add_own_record(std::string_view topic, std::string_view key, Encode&& encode) {
    OwnTie tie{messages_.size() - 1, topic, own_bytes_.size(), key.size(), 0, true};
    own_bytes_.append(key);
    if constexpr (std::is_null_pointer_v<std::remove_cvref_t<Encode>>) {
      tie.has_value = false;
    } else {
      encode(own_bytes_);
    }
    tie.value_size = own_bytes_.size() - tie.from - tie.key_size;
    own_ties_.push_back(tie);
  }

  /// Requires !empty(). Empty afterwards.
  Pressure hand_over(MessageReceiver& receiver, ReceiptSink& sink);

 private:
  struct Tie {
    std::size_t message;
    std::size_t from;
    std::size_t count;
  };
  struct OwnTie {
    std::size_t message;
    std::string_view topic;
    std::size_t from;  // the key; the value is behind it
    std::size_t key_size;
    std::size_t value_size;
    bool has_value;
  };
  void tie_own_records();

  std::vector<DeviceMessage> messages_;
  std::vector<UserProperty> user_properties_;
  std::vector<Tie> user_ties_;
  std::string delivery_ids_;
  std::vector<Tie> delivery_ties_;
  Buffer own_bytes_;
  std::vector<OwnTie> own_ties_;  // in order of message
  std::vector<OwnRecord> own_records_;
};

}  // namespace millrace::mqtt

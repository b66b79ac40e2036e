// WaitingRoom: one loop's messages that wait for answers from outside, and behind each of them what its client sent
// later. A client's messages leave in the order they came; clients do not wait for each other. Thread: the loop's.
//
//   client a   m1 (asks)  m2 (ready)  m3 (asks)      m2 is judged when m1 was
//   client b   m4 (asks)                             goes as soon as its own answer is there
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/rng.h"
#include "pipeline/conversation.h"
#include "pipeline/kept_message.h"
#include "rules/rule_set.h"

namespace millrace::pipeline {

struct WaitingMessage {
  WaitingMessage(const DeviceMessage& from, ReceiptSink* sink_in, std::shared_ptr<const rules::RuleSet> rules_in,
                 const Rng& rng_in, MonoTime since_in)
      : kept(from), sink(sink_in), rules(std::move(rules_in)), rng(rng_in), since(since_in) {}
  std::uint64_t id = 0;
  KeptMessage kept;
  ReceiptSink* sink;                            // null: nobody waits any more
  std::shared_ptr<const rules::RuleSet> rules;  // those in force when it came: a replaced rule judges no half of it
  Rng rng;                                      // its chance, the same however often it is judged
  MonoTime since;
  Conversation conversation{};
  std::size_t open = 0;  // questions under way
  int rounds = 0;        // how often it was asked for
};

class WaitingRoom {
 public:
  struct Limits {
    std::size_t messages = 10'000;  // of all clients of the loop
    std::size_t bytes = 32_MiB;
    std::size_t per_client = 1'000;
  };
  explicit WaitingRoom(const Limits& limits) : limits_(limits) {}

  [[nodiscard]] bool empty() const { return messages_.empty(); }
  [[nodiscard]] std::size_t size() const { return messages_.size(); }
  [[nodiscard]] bool has_lane(std::string_view client) const { return lanes_.contains(client); }
  /// This client is to send nothing more for now.
  [[nodiscard]] bool full_for(std::string_view client) const {
    const auto lane = lanes_.find(client);
    if (lane == lanes_.end()) return false;
    return full() || lane->second.size() >= limits_.per_client;
  }
  [[nodiscard]] bool full() const { return messages_.size() >= limits_.messages || bytes_ >= limits_.bytes; }

  /// Behind everything its client has here.
  WaitingMessage& add(std::unique_ptr<WaitingMessage> message) {
    message->id = ++last_id_;
    WaitingMessage& added = *message;
    messages_.emplace(added.id, &added);
    bytes_ += added.kept.bytes();
    lanes_[std::string(added.kept.message().client_id)].push_back(std::move(message));
    return added;
  }
  /// nullptr: it has left.
  [[nodiscard]] WaitingMessage* find(std::uint64_t id) const {
    const auto found = messages_.find(id);
    return found == messages_.end() ? nullptr : found->second;
  }
  /// The client's oldest; nullptr: it has none.
  [[nodiscard]] WaitingMessage* front(std::string_view client) const {
    const auto lane = lanes_.find(client);
    return lane == lanes_.end() ? nullptr : lane->second.front().get();
  }
  /// Requires front(client).
  void pop(std::string_view client) {
    const auto lane = lanes_.find(client);
    const std::unique_ptr<WaitingMessage> gone = std::move(lane->second.front());
    lane->second.pop_front();
    messages_.erase(gone->id);
    bytes_ -= gone->kept.bytes();
    if (lane->second.empty()) lanes_.erase(lane);
  }
  void forget(const ReceiptSink& sink) {
    for (const auto& [id, message] : messages_) {
      if (message->sink == &sink) message->sink = nullptr;
    }
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  const Limits limits_;
  std::unordered_map<std::string, std::deque<std::unique_ptr<WaitingMessage>>, Hash, std::equal_to<>> lanes_;
  std::unordered_map<std::uint64_t, WaitingMessage*> messages_;
  std::size_t bytes_ = 0;
  std::uint64_t last_id_ = 0;
};

}  // namespace millrace::pipeline

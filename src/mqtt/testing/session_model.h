// SessionModel: a persistent session under chance: a subscriber that connects anywhere, drops, is taken over and
// acknowledges when it likes, a publisher, and a server that is killed at any moment. Whatever the order: what was
// acknowledged to the publisher reaches the subscriber (QoS 1: at least once, QoS 2: exactly once), and what SUBACK or
// UNSUBACK has said stays so. `Draw` decides: below(n) and chance(of, n), as base::Rng or from the bytes of a fuzzer.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mqtt/server/restore.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt::testing {

template <class Draw>
class SessionModel {
 public:
  SessionModel(Draw draw, SeededBug bug) : rng_(std::move(draw)) {
    settings_.bug = bug;
    settings_.max_inflight = static_cast<std::uint32_t>(1 + rng_.below(4));
    begin();
    connect();
    reader_->subscribe("t/#", 2);
    hear();
    subscribed_ = true;
  }

  /// Empty when everything is as promised.
  std::string run(int steps) {
    for (int step = 0; step < steps && fault_.empty(); ++step) {
      switch (rng_.below(13)) {
        case 0:
        case 1:
        case 2:
        case 3:
          publish();
          break;
        case 4:
          connect();
          break;
        case 5:
          if (reader_) reader_->drop();
          reader_.reset();
          break;
        case 6:
        case 7:
          hear();
          answer();
          break;
        case 8:
          server_->receiver(rng_.below(kLoops)).settles_by_itself = rng_.chance(1, 2);
          break;
        case 9:
          server_->receiver(rng_.below(kLoops)).settle();
          server_->turn();
          break;
        case 10:
          seconds(static_cast<int>(1 + rng_.below(2)));
          break;
        case 11:
          change_subscription();
          break;
        default:
          if (rng_.chance(1, 3)) restart();
      }
      hear();
    }
    return fault_.empty() ? finish() : fault_;
  }

 private:
  using PacketType = protocol::PacketType;
  using Version = protocol::Version;
  static constexpr std::size_t kLoops = 2;
  static constexpr const char* kHour = "11 00000e10";
  void begin() {
    server_ = std::make_unique<TestServer>(settings_, kLoops);
    server_->clock().advance(std::chrono::seconds(passed_s_));
    server_->make_durable(messages_);
    device_.emplace(server_->client(Version::v5, rng_.below(kLoops)));
    device_->connect("device");
    device_->seen();
    waiting_.clear();
  }
  // A kill -9: what was handed over and not settled never happened. (Records that were are in the log.)
  void restart() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      for (const auto& own : server_->receiver(loop).durable_records()) {
        if (own.topic != kSessionTopic) continue;
        auto& last = records_[own.key];
        if (own.order >= last.order) last = own;
      }
    }
    reader_.reset();
    device_.reset();
    server_.reset();
    messages_->forget_waits();
    passed_s_ += static_cast<int>(rng_.below(3));
    begin();
    SessionRecords sessions;
    for (const auto& [key, own] : records_) {
      if (own.value && !sessions.add(key, as_bytes(*own.value))) fault_ = "a record is not understood";
    }
    if (!restore_sessions(std::move(sessions), server_->exchange(), {})) fault_ = "cannot restore";
    server_->turn();
  }
  void connect() {
    TestClient next = server_->client(Version::v5, rng_.below(kLoops));
    next.connect("reader", false, 0, kHour);
    reader_ = next;
    answers_.clear();
  }
  void publish() {
    ++sent_;
    const auto id = static_cast<std::uint16_t>(sent_ % 60'000 + 1);
    const int qos = rng_.chance(1, 2) ? 2 : 1;
    if (rng_.chance(1, 4)) return publish_to_expire(id);
    const bool other = rng_.chance(1, 3);  // to the subscription that comes and goes
    device_->publish(fmt::format("{}/{}", other ? 'u' : 't', qos), fmt::to_string(sent_), qos, id);
    if (!other || other_ == Other::subscribed) waiting_[id] = sent_;
    if (other && other_ == Other::subscribed) others_.insert(sent_);
    if (other && other_ == Other::not_subscribed) forbidden_.insert(sent_);
    take_acknowledgements();
  }
  // It may be gone before it is sent again, and then another message takes its packet identifier.
  void publish_to_expire(std::uint16_t id) {
    const std::string block = testing::from_hex("02 00000001");
    const std::string number = fmt::to_string(sent_);
    protocol::Publish packet;
    packet.topic = "t/1";
    packet.payload = as_bytes(number);
    packet.qos = 1;
    packet.packet_id = id;
    packet.properties = protocol::validate_properties(as_bytes(block), PacketType::publish).value();
    device_->send(protocol::Packet(packet));
    take_acknowledgements();
  }
  // A second subscription, to u/#; nothing is known of it until that is answered.
  void change_subscription() {
    if (!reader_) return;
    asked_ = other_ != Other::subscribed && rng_.chance(3, 4) ? Other::subscribed : Other::not_subscribed;
    other_ = Other::unknown;
    const auto id = static_cast<std::uint16_t>(2 + ++asked_count_ % 60'000);
    if (asked_ == Other::subscribed) {
      reader_->subscribe("u/#", 2, id);
    } else {
      for (const unsigned number : others_) acknowledged_.erase(number);
      std::erase_if(waiting_, [&](const auto& waiting) { return others_.contains(waiting.second); });
      others_.clear();
      reader_->send(protocol::Packet(protocol::Unsubscribe{id, {"u/#"}, {}}));
    }
    asked_id_ = id;
    hear();
  }
  void seconds(int count) {
    passed_s_ += count;
    server_->seconds(count);
  }
  void take_acknowledgements() {
    std::string seen = device_->seen();
    for (std::size_t from = 0; from < seen.size();) {
      const std::size_t to = std::min(seen.find("; ", from), seen.size());
      const std::string line = seen.substr(from, to - from);
      unsigned id = 0;
      if (std::sscanf(line.c_str(), "puback %u", &id) == 1 || std::sscanf(line.c_str(), "pubrec %u", &id) == 1) {
        const auto at = waiting_.find(static_cast<std::uint16_t>(id));
        if (at != waiting_.end()) acknowledged_.insert(at->second);
      }
      from = to + 2;
    }
  }
  void hear() {
    take_acknowledgements();
    if (!reader_) return;
    const std::string seen = reader_->seen();
    for (std::size_t from = 0; from < seen.size();) {
      const std::size_t to = std::min(seen.find("; ", from), seen.size());
      hear_line(seen.substr(from, to - from));
      from = to + 2;
    }
  }
  void hear_line(const std::string& line) {
    unsigned id = 0;
    unsigned qos = 0;
    unsigned number = 0;
    if (line.starts_with("connack present=0") && subscribed_) fault_ = "the session is lost";
    if ((std::sscanf(line.c_str(), "suback %u", &id) == 1 || std::sscanf(line.c_str(), "unsuback %u", &id) == 1) &&
        id == asked_id_) {
      other_ = asked_;
    }
    if (std::sscanf(line.c_str(), "pubrel %u", &id) == 1) {
      owned_.erase(static_cast<std::uint16_t>(id));
      answers_.push_back({PacketType::pubcomp, static_cast<std::uint16_t>(id)});
    }
    if (!line.starts_with("publish ")) return;
    const std::string payload = line.substr(line.find('[') + 1);
    if (std::sscanf(line.c_str(), "publish %*[tu]/%*u q%u id=%u", &qos, &id) != 2 ||
        std::sscanf(payload.c_str(), "%u", &number) != 1) {
      fault_ = "not understood: " + line;
      return;
    }
    if (forbidden_.contains(number)) fault_ = fmt::format("{} came without a subscription", number);
    const auto packet_id = static_cast<std::uint16_t>(id);
    if (qos == 1) {
      ++received_[number];
      answers_.push_back({PacketType::puback, packet_id});
      return;
    }
    if (owned_.insert(packet_id).second && ++received_[number] > 1) fault_ = fmt::format("{} came twice", number);
    answers_.push_back({PacketType::pubrec, packet_id});
  }
  /// Some of the answers that are due, in order.
  void answer() {
    if (!reader_) return;
    for (auto count = rng_.below(answers_.size() + 1); count != 0 && !answers_.empty(); --count) {
      const auto [type, id] = answers_.front();
      answers_.erase(answers_.begin());
      reader_->ack(type, id);
      hear();
    }
  }
  std::string finish() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      server_->receiver(loop).settles_by_itself = true;
      server_->receiver(loop).settle();
    }
    server_->turn();
    connect();
    hear();
    for (int quiet = 0; quiet < 3 && fault_.empty(); ++quiet) {
      while (!answers_.empty() && fault_.empty()) {
        const auto [type, id] = answers_.front();
        answers_.erase(answers_.begin());
        reader_->ack(type, id);
        hear();
        quiet = 0;
      }
      seconds(1);
      hear();
    }
    for (const unsigned number : acknowledged_) {
      if (!received_.contains(number) && fault_.empty())
        fault_ = fmt::format("{} was acknowledged and never came", number);
    }
    return fault_;
  }

  Draw rng_;
  Settings settings_;
  std::shared_ptr<MemoryMessages> messages_ = std::make_shared<MemoryMessages>();
  std::unique_ptr<TestServer> server_;
  std::optional<TestClient> device_;
  std::optional<TestClient> reader_;
  std::map<std::string, RecordingReceiver::Own> records_;
  int passed_s_ = 0;  // the machine's clock goes on while the server does not
  unsigned sent_ = 0;
  std::map<std::uint16_t, unsigned> waiting_;  // of the device, by packet identifier
  std::set<unsigned> acknowledged_;
  std::map<unsigned, int> received_;
  std::set<std::uint16_t> owned_;  // QoS 2 identifiers the subscriber remembers, as long as it lives
  std::vector<std::pair<PacketType, std::uint16_t>> answers_;
  bool subscribed_ = false;
  enum class Other { not_subscribed, subscribed, unknown } other_ = Other::not_subscribed;
  Other asked_ = Other::not_subscribed;
  std::uint32_t asked_id_ = 0;
  unsigned asked_count_ = 0;
  std::set<unsigned> others_;     // published while that subscription was certain
  std::set<unsigned> forbidden_;  // published while it certainly was not
  std::string fault_;
};

}  // namespace millrace::mqtt::testing

// Wills and retained messages under seeds (I7, I8): clients with wills connect anywhere, break off, say goodbye and are
// taken over, retained messages are set and cleared, and the server is killed at any moment. Whatever the order: the
// will of a client that got its CONNACK and did not say goodbye is published once and not again after a crash, that of
// one that did never,
// and what was acknowledged as retained is what a new subscriber gets. Seeded mistakes show that the checks can fail.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/rng.h"
#include "mqtt/server/restore.h"
#include "mqtt/session/retained_store.h"
#include "mqtt/session/stored_message.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::ReasonCode;
using protocol::Version;
using testing::MemoryMessages;
using testing::TestClient;
using testing::TestServer;

constexpr std::size_t kLoops = 2;
constexpr std::size_t kClients = 4;
constexpr const char* kHour = "11 00000e10";

class WillModel {
 public:
  WillModel(std::uint64_t seed, SeededBug bug) : rng_(seed) {
    settings_.bug = bug;
    begin();
  }

  /// Empty when everything is as promised.
  std::string run(int steps) {
    for (int step = 0; step < steps && fault_.empty(); ++step) {
      switch (rng_.below(10)) {
        case 0:
        case 1:
        case 2:
          connect();
          break;
        case 3:
          leave(false);
          break;
        case 4:
          leave(true);
          break;
        case 5:
        case 6:
          retain();
          break;
        case 7:
          seconds(1);
          break;
        case 8:
          settle();
          break;
        default:
          if (rng_.chance(1, 2)) restart();
      }
      hear();
    }
    if (!fault_.empty()) return fault_;
    restart();  // everybody still there is gone now
    seconds(2);
    hear();
    restart();  // and what came must not come again
    seconds(2);
    hear();
    for (const std::string& will : due_) {
      if (heard_[will] == 0 && fault_.empty()) fault_ = will + " was never published";
    }
    return fault_;
  }

 private:
  struct Device {
    std::optional<TestClient> client;
    std::string will;       // of this connection
    bool accepted = false;  // it has seen its CONNACK: from then on the will is due
  };

  void begin() {
    server_ = std::make_unique<TestServer>(settings_, kLoops);
    server_->make_durable(messages_);
    for (std::size_t loop = 0; loop < kLoops; ++loop) server_->receiver(loop).settles_by_itself = true;
    setter_.emplace(server_->client(Version::v5, rng_.below(kLoops)));
    setter_->connect("setter");
    setter_->seen();
  }
  void keep_records() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      for (const auto& own : server_->receiver(loop).durable_records()) {
        auto& last = records_[{own.topic, own.key}];
        if (own.order >= last.order) last = own;
      }
    }
  }
  // A kill -9: what was not settled never happened.
  void restart() {
    for (Device& device : devices_) {
      if (accepted(device)) due_.insert(device.will);
      device.client.reset();
    }
    hear();
    keep_records();
    setter_.reset();
    server_.reset();
    messages_->forget_waits();
    begin();
    SessionRecords sessions;
    for (const auto& [name, own] : records_) {
      if (name.first == kSessionTopic && own.value && !sessions.add(name.second, as_bytes(*own.value))) {
        fault_ = "a record is not understood";
      }
    }
    if (!restore_sessions(std::move(sessions), server_->exchange(), {})) fault_ = "cannot restore";
    server_->turn();
    seconds(1);
    compare_retained();
  }
  void seconds(int count) {
    settle();
    server_->seconds(count);
    settle();
  }
  void settle() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      server_->receiver(loop).settles_by_itself = true;
      server_->receiver(loop).settle();
    }
    server_->turn();
  }
  static bool accepted(Device& device) {
    if (device.client && device.client->seen().starts_with("connack")) device.accepted = true;
    return device.client && device.accepted;
  }

  /// Anew, or as a take-over of itself; with a session that outlives the connection or ends with it.
  void connect() {
    const std::size_t which = rng_.below(kClients);
    Device& device = devices_[which];
    const bool persistent = rng_.chance(1, 2);
    // Taken over: the will of the older connection is due, unless nothing is published for a session that goes on.
    if (accepted(device)) due_.insert(device.will);
    const std::string will = fmt::format("{}", ++wills_);
    protocol::Connect packet;
    packet.version = Version::v5;
    const std::string id = fmt::format("device-{}", which);
    packet.client_id = id;
    packet.clean_start = rng_.chance(1, 2);
    packet.will = protocol::Will{"will", as_bytes(std::string_view(will)), 1, rng_.chance(1, 4), {}};
    device.client.emplace(server_->client(Version::v5, rng_.below(kLoops)));
    device.will = will;
    device.accepted = false;
    const bool slow_disk = rng_.chance(1, 3);
    for (std::size_t loop = 0; slow_disk && loop < kLoops; ++loop) server_->receiver(loop).settles_by_itself = false;
    device.client->connect(packet, persistent ? kHour : "");
    if (!slow_disk) settle();
  }
  void leave(bool politely) {
    Device& device = devices_[rng_.below(kClients)];
    if (!device.client) return;
    if (!accepted(device)) {  // who leaves before CONNACK may leave a will or not
      device.client->drop();
    } else if (politely) {
      device.client->disconnect();
      never_.insert(device.will);
    } else {
      device.client->drop();
      due_.insert(device.will);
    }
    settle();
    device.client.reset();
  }
  void retain() {
    const std::size_t topic = rng_.below(3);
    const std::string value = rng_.chance(1, 4) ? "" : fmt::format("{}", ++values_);
    setter_->publish(fmt::format("kept/{}", topic), value, 1, 1, true);
    settle();
    if (setter_->seen().starts_with("puback 1")) retained_[topic] = value;
  }
  void compare_retained() {
    for (const auto& [topic, value] : retained_) {
      const auto at = records_.find({std::string(kRetainedTopic), fmt::format("kept/{}", topic)});
      std::string found;
      if (at != records_.end() && at->second.value) {
        const auto stored = decode_stored(as_bytes(*at->second.value));
        if (!stored) {
          fault_ = "a retained record is not understood";
          return;
        }
        found = as_text(stored->payload);
      }
      if (found != value && fault_.empty()) fault_ = fmt::format("kept/{} is '{}', not '{}'", topic, found, value);
    }
  }
  /// What the rules were given: that is where a will is published.
  void hear() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      auto& got = server_->receiver(loop).got;
      // What is not settled may never have happened.
      const auto count = static_cast<std::ptrdiff_t>(std::exchange(server_->receiver(loop).settled_got, 0));
      for (const auto& message : std::span(got).first(static_cast<std::size_t>(count))) {
        if (message.topic != "will" || !fault_.empty()) continue;
        if (++heard_[message.payload] > 1) fault_ = message.payload + " was published twice";
        if (never_.contains(message.payload)) fault_ = message.payload + " was published after a goodbye";
      }
      got.erase(got.begin(), got.begin() + count);
    }
  }

  Rng rng_;
  Settings settings_;
  std::shared_ptr<MemoryMessages> messages_ = std::make_shared<MemoryMessages>();
  std::unique_ptr<TestServer> server_;
  std::optional<TestClient> setter_;
  std::array<Device, kClients> devices_;
  std::map<std::pair<std::string, std::string>, testing::RecordingReceiver::Own> records_;  // by topic and key
  int wills_ = 0;
  int values_ = 0;
  std::set<std::string> due_;
  std::set<std::string> never_;
  std::map<std::string, int> heard_;
  std::map<std::size_t, std::string> retained_;
  std::string fault_;
};

TEST(WillModel, HoldsUnderSeeds) {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    const std::string fault = WillModel(seed, SeededBug::none).run(40);
    ASSERT_EQ(fault, "") << "seed " << seed;
  }
}

TEST(WillModel, FindsSeededMistakes) {
  for (const SeededBug bug : {SeededBug::do_not_record_wills, SeededBug::publish_will_and_keep_its_record,
                              SeededBug::keep_the_record_of_a_dropped_will, SeededBug::retain_without_recording,
                              SeededBug::connack_before_recording}) {
    std::string fault;
    std::uint64_t seed = 0;
    while (fault.empty() && ++seed <= 1'000) fault = WillModel(seed, bug).run(40);
    EXPECT_NE(fault, "") << static_cast<int>(bug);
  }
}

}  // namespace
}  // namespace millrace::mqtt

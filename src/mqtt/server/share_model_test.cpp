// A shared subscription under seeds: members that come and go on any loop, some with sessions that end with their
// connection, a publisher, and a server that is killed at any moment. Whatever the order: what was acknowledged to the
// publisher reaches a member that acknowledges it, and QoS 2 reaches members with persistent sessions once. Seeded
// mistakes show that the checks can fail.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/rng.h"
#include "mqtt/server/restore.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt {
namespace {

using protocol::PacketType;
using protocol::Version;
using testing::MemoryMessages;
using testing::TestClient;
using testing::TestServer;

constexpr std::size_t kLoops = 3;

class ShareModel {
 public:
  ShareModel(std::uint64_t seed, SeededBug bug) : rng_(seed) {
    settings_.bug = bug;
    settings_.max_inflight = static_cast<std::uint32_t>(1 + rng_.below(3));
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i].name = fmt::format("member{}", i);
      members_[i].persistent = i < 2;
    }
    begin();
    connect(members_[0]);
  }

  /// Empty when everything is as promised.
  std::string run(int steps) {
    for (int step = 0; step < steps && fault_.empty(); ++step) {
      Member& member = members_[rng_.below(members_.size())];
      switch (rng_.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3:
          publish();
          break;
        case 4:
          connect(member);
          break;
        case 5:
          drop(member);
          break;
        case 6:
        case 7:
          answer(member, rng_.below(member.answers.size() + 1));
          break;
        case 8:
          server_->receiver(rng_.below(kLoops)).settles_by_itself = rng_.chance(1, 2);
          break;
        case 9:
          server_->receiver(rng_.below(kLoops)).settle();
          server_->turn();
          break;
        case 10:
          server_->seconds(static_cast<int>(1 + rng_.below(2)));
          break;
        default:
          if (rng_.chance(1, 3)) restart();
      }
      hear();
    }
    return fault_.empty() ? finish() : fault_;
  }

 private:
  struct Member {
    std::string name;
    bool persistent = true;
    bool subscribed = false;
    std::optional<TestClient> client;
    std::vector<std::pair<PacketType, std::uint16_t>> answers;
    std::map<std::uint16_t, unsigned> open;  // QoS 2 it has seen and not let go, by packet identifier
    std::map<std::uint16_t, unsigned> sent;  // QoS 1, not answered
  };

  void begin() {
    server_ = std::make_unique<TestServer>(settings_, kLoops);
    server_->make_durable(messages_);
    device_.emplace(server_->client(Version::v3_1_1, rng_.below(kLoops)));
    device_->connect("device");
    device_->seen();
    waiting_.clear();
  }
  void restart() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      for (const auto& own : server_->receiver(loop).durable_records()) {
        if (own.topic != kSessionTopic) continue;
        auto& last = records_[own.key];
        if (own.order >= last.order) last = own;
      }
    }
    for (Member& member : members_) disconnected(member);
    device_.reset();
    server_.reset();
    messages_->forget_waits();
    begin();
    SessionRecords sessions;
    for (const auto& [key, own] : records_) {
      if (own.value && !sessions.add(key, as_bytes(*own.value))) fault_ = "a record is not understood";
    }
    if (!restore_sessions(std::move(sessions), server_->exchange(), {})) fault_ = "cannot restore";
    server_->turn();
  }
  // What a session that ended had not completed may be lost with it, and over a crash may come once more.
  void disconnected(Member& member) {
    member.client.reset();
    member.answers.clear();
    member.sent.clear();
    if (member.persistent) return;
    member.subscribed = false;
    for (const auto& [id, number] : member.open) excused_.insert(number);
    member.open.clear();
  }
  void drop(Member& member) {
    if (member.client) member.client->drop();
    disconnected(member);
  }
  void connect(Member& member) {
    if (member.client && !member.persistent) drop(member);
    TestClient next = server_->client(Version::v5, rng_.below(kLoops));
    next.connect(member.name, !member.persistent, 0, member.persistent ? "11 00000e10" : "");
    member.client = next;
    member.answers.clear();
    member.sent.clear();
    hear();
    if (member.subscribed || !member.client) return;
    member.client->subscribe("$share/g/t/#", 2, 60'001);
    hear();
  }
  void publish() {
    if (!anyone_) return;
    ++sent_;
    const auto id = static_cast<std::uint16_t>(sent_ % 60'000 + 1);
    const int qos = rng_.chance(1, 2) ? 2 : 1;
    device_->publish(fmt::format("t/{}", qos), fmt::to_string(sent_), qos, id);
    waiting_[id] = sent_;
    hear();
  }
  template <class Take>
  static void lines(const std::string& seen, Take take) {
    for (std::size_t from = 0; from < seen.size();) {
      const std::size_t to = std::min(seen.find("; ", from), seen.size());
      take(seen.substr(from, to - from));
      from = to + 2;
    }
  }
  void hear() {
    lines(device_->seen(), [&](const std::string& line) {
      unsigned id = 0;
      if (std::sscanf(line.c_str(), "puback %u", &id) != 1 && std::sscanf(line.c_str(), "pubrec %u", &id) != 1) return;
      const auto at = waiting_.find(static_cast<std::uint16_t>(id));
      if (at != waiting_.end()) acknowledged_.insert(at->second);
    });
    for (Member& member : members_) {
      if (!member.client) continue;
      lines(member.client->seen(), [&](const std::string& line) { hear_line(member, line); });
    }
  }
  void hear_line(Member& member, const std::string& line) {
    unsigned id = 0;
    unsigned qos = 0;
    unsigned number = 0;
    if (line.starts_with("suback 60001")) {
      member.subscribed = true;
      anyone_ |= member.persistent;
    }
    if (line.starts_with("connack present=0") && member.persistent && member.subscribed) fault_ = "a session is lost";
    if (std::sscanf(line.c_str(), "pubrel %u", &id) == 1) {
      member.open.erase(static_cast<std::uint16_t>(id));
      member.answers.push_back({PacketType::pubcomp, static_cast<std::uint16_t>(id)});
    }
    if (!line.starts_with("publish ")) return;
    const std::string payload = line.substr(line.find('[') + 1);
    if (std::sscanf(line.c_str(), "publish t/%*u q%u id=%u", &qos, &id) != 2 ||
        std::sscanf(payload.c_str(), "%u", &number) != 1) {
      fault_ = "not understood: " + line;
      return;
    }
    const auto packet_id = static_cast<std::uint16_t>(id);
    if (qos == 1) {
      member.sent[packet_id] = number;
      member.answers.push_back({PacketType::puback, packet_id});
      return;
    }
    if (member.open.emplace(packet_id, number).second) {
      if (!member.persistent) excused_.insert(number);
      if (++received_[number] > 1 && !excused_.contains(number)) fault_ = fmt::format("{} came twice", number);
    }
    member.answers.push_back({PacketType::pubrec, packet_id});
  }
  void answer(Member& member, std::size_t count) {
    for (; count != 0 && !member.answers.empty() && member.client; --count) {
      const auto [type, id] = member.answers.front();
      member.answers.erase(member.answers.begin());
      if (type == PacketType::puback) {
        ++received_[member.sent[id]];
        member.sent.erase(id);
      }
      member.client->ack(type, id);
      hear();
    }
  }
  std::string finish() {
    for (std::size_t loop = 0; loop < kLoops; ++loop) {
      server_->receiver(loop).settles_by_itself = true;
      server_->receiver(loop).settle();
    }
    server_->turn();
    hear();
    for (Member& member : members_) {
      if (member.persistent) connect(member);
    }
    for (int quiet = 0; quiet < 3 && fault_.empty(); ++quiet) {
      for (Member& member : members_) {
        if (!member.answers.empty()) quiet = 0;
        answer(member, member.answers.size());
      }
      server_->seconds(1);
      hear();
    }
    for (const unsigned number : acknowledged_) {
      if (!received_.contains(number) && fault_.empty()) {
        fault_ = fmt::format("{} was acknowledged and never came", number);
      }
    }
    return fault_;
  }

  Rng rng_;
  Settings settings_;
  std::shared_ptr<MemoryMessages> messages_ = std::make_shared<MemoryMessages>();
  std::unique_ptr<TestServer> server_;
  std::optional<TestClient> device_;
  std::array<Member, 3> members_;
  std::map<std::string, testing::RecordingReceiver::Own> records_;
  unsigned sent_ = 0;
  bool anyone_ = false;                        // a persistent session holds the subscription
  std::map<std::uint16_t, unsigned> waiting_;  // of the device, by packet identifier
  std::set<unsigned> acknowledged_;
  std::map<unsigned, int> received_;  // QoS 1: acknowledged by a member; QoS 2: seen
  std::set<unsigned> excused_;        // QoS 2 that a member had whose session ends with its connection
  std::string fault_;
};

TEST(ShareModel, HoldsUnderSeeds) {
  for (std::uint64_t seed = 1; seed <= 1'500; ++seed) {
    const std::string fault = ShareModel(seed, SeededBug::none).run(80);
    ASSERT_EQ(fault, "") << "seed " << seed;
  }
}

TEST(ShareModel, FindsSeededMistakes) {
  for (const SeededBug bug :
       {SeededBug::keep_what_a_member_left, SeededBug::forget_completed_at_once, SeededBug::record_without_handed}) {
    std::string fault;
    std::uint64_t seed = 0;
    while (fault.empty() && ++seed <= 3'000) fault = ShareModel(seed, bug).run(80);
    EXPECT_NE(fault, "") << static_cast<int>(bug);
  }
}

}  // namespace
}  // namespace millrace::mqtt

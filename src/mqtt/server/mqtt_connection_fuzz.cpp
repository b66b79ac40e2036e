// Any clients doing anything: the input is a script of a few clients on two loops who send valid, half valid and
// arbitrary bytes, vanish, come back and let time pass, while the receiver settles, refuses and presses when the script
// says so. Holds: nothing crashes, no assertion fails, every acknowledgement answers a packet (checked by decoding all
// that is sent), and after the end no subscription, no connection and no owner is left.
#include <cstdlib>

#include "mqtt/testing/test_server.h"

namespace {

using namespace millrace;
using namespace millrace::mqtt;
using mqtt::testing::TestClient;
using mqtt::testing::TestServer;
using protocol::Version;

void require(bool holds) {
  if (!holds) std::abort();
}

class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  [[nodiscard]] bool done() const { return at_ == end_; }
  std::uint8_t next() { return done() ? 0 : *at_++; }
  std::string_view bytes(std::size_t count) {
    const std::size_t take = std::min(count, static_cast<std::size_t>(end_ - at_));
    const std::string_view view(reinterpret_cast<const char*>(at_), take);
    at_ += take;
    return view;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

constexpr std::string_view kTopics[] = {"a", "a/b", "b/c/d", "$x", ""};
constexpr std::string_view kFilters[] = {"#", "a/+", "+/#", "b/c/d", "$x", "a#", "$share/g/a"};
constexpr std::string_view kNames[] = {"x", "y", ""};
constexpr std::string_view kConnectProperties[] = {"", "11 00000005", "11 ffffffff 21 0002", "27 00000020",
                                                   "17 00 22 0004"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLongest = 4'096;
  Script script(data, std::min(size, kLongest));
  Settings settings;
  settings.receive_maximum = 5;
  settings.max_queued_bytes = 200;
  settings.max_output_bytes = 400;
  settings.max_crossing_bytes = 300;
  settings.max_topic_levels = 6;
  settings.max_memory = 65'536;
  settings.max_identity_bytes = 32'768;
  settings.takeover_rate = 1;
  settings.connect_rate_per_identity = 2;
  settings.connect_wait = std::chrono::seconds(3);
  const std::string large(16'384, 'x');
  TestServer server(settings, 2);
  std::vector<TestClient> clients;
  for (std::uint8_t i = 0; i < 4; ++i) {
    clients.push_back(server.client(static_cast<Version>(3 + (i + 1) % 3), i % 2));
  }
  while (!script.done()) {
    const std::uint8_t who = script.next();
    TestClient& client = clients[who % clients.size()];
    const std::uint8_t what = script.next();
    const std::uint8_t detail = script.next();
    const auto id = static_cast<std::uint16_t>(1 + detail % 7);
    switch (what % 16) {
      case 0:
      case 1: {
        protocol::Connect packet;
        packet.version = static_cast<Version>(3 + (who % clients.size() + 1) % 3);
        packet.client_id = kNames[detail % 3];
        packet.clean_start = (detail & 4U) != 0;
        packet.keep_alive_s = detail >> 6U;
        if ((detail & 8U) != 0) packet.will = protocol::Will{"a/b", as_bytes("will"), 1, false, {}};
        client.connect(packet, packet.version == Version::v5 ? kConnectProperties[detail % 5] : "");
        break;
      }
      case 2:
      case 3:
      case 4: {
        const auto qos = static_cast<std::uint8_t>(what / 16 % 3);
        protocol::Publish packet;
        packet.topic = kTopics[detail % 5];
        packet.payload = as_bytes(script.bytes(detail % 64));
        packet.qos = qos;
        packet.packet_id = qos != 0 ? id : std::uint16_t{0};
        client.send(protocol::Packet(packet));
        break;
      }
      case 5:
        client.subscribe(kFilters[detail % 7], what / 16 % 3, id);
        break;
      case 6:
        client.send(protocol::Packet(protocol::Unsubscribe{id, {kFilters[detail % 7]}, {}}));
        break;
      case 7:
        client.ack(static_cast<protocol::PacketType>(4 + what / 16 % 4), id);
        break;
      case 8:
        client.send(script.bytes(detail % 32));
        if (detail >= 192) client.send(std::string_view(large).substr(0, script.next() * std::size_t{64}));
        break;
      case 9:
        client.drop();
        break;
      case 10:
        client.drop();
        client = server.client(static_cast<Version>(3 + (who % clients.size() + 1) % 3), detail % 2);
        break;
      case 11:
        client.disconnect(detail % 2 != 0 ? protocol::ReasonCode::success
                                          : protocol::ReasonCode::disconnect_with_will_message);
        break;
      case 12:
        server.seconds(detail % 4);
        break;
      case 13:
        server.receiver(who % 2).settles_by_itself = detail % 2 != 0;
        break;
      case 14:
        server.receiver(who % 2).settle(static_cast<ReceiptStatus>(detail % 3));
        server.turn();
        break;
      default:
        client.peer().takes_nothing = detail % 2 != 0;
        if (detail % 4 == 1) server.receiver(who % 2).pressure = Pressure::pause;
        if (detail % 4 == 2 && server.receiver(who % 2).pressure == Pressure::pause) server.receiver(who % 2).relieve();
        server.turn();
    }
    for (TestClient& each : clients) {
      const std::string seen = each.seen();
      require(seen.find("REFUSED") == std::string::npos && seen.find("BAD") == std::string::npos);
    }
  }
  // All leave; what is settled lets go of everything.
  for (std::size_t loop = 0; loop < 2; ++loop) server.receiver(loop).settles_by_itself = true;
  for (TestClient& client : clients) client.drop();
  server.seconds(30);
  require(server.exchange().memory.held() == 0);
  require(server.exchange().subscriptions.load() == 0);
  require(server.loop(0).connection_count() == 0 && server.loop(1).connection_count() == 0);
  for (const std::string_view name : kNames) {
    TestClient last = server.client(Version::v3_1_1, 0);
    if (name.empty()) continue;
    last.connect(name);
    require(last.seen() == "connack present=0 success");
  }
  return 0;
}

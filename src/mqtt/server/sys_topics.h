// SysTopics: what the server tells of itself under $SYS, with Mosquitto's names. Retained in memory only; a topic is
// published when its value has changed. Thread: that of the one loop that publishes them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace millrace::mqtt {

struct Exchange;
class LoopServer;

class SysTopics {
 public:
  /// Publishes when the interval has passed; cheap otherwise.
  void publish(LoopServer& server, Exchange& exchange, std::uint32_t now_s);

 private:
  /// Events per minute, averaged over 1, 5 and 15 minutes as load averages are.
  struct Load {
    std::uint64_t last = 0;
    std::array<double, 3> averages{};
  };
  void say(LoopServer& server, std::string_view name, std::string text);
  void say_load(LoopServer& server, std::string_view name, std::uint64_t total, double seconds);

  std::uint32_t published_s_ = 0;
  std::int64_t most_connected_ = 0;
  std::map<std::string, Load, std::less<>> loads_;
  std::map<std::string, std::string, std::less<>> said_;
};

}  // namespace millrace::mqtt

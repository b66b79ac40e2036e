// Server: MQTT over TCP on the loops it is given, one LoopServer and one listener per loop.
//
//   mqtt::Server server(loops, [&](std::size_t loop) -> MessageReceiver& { return *pipelines[loop]; }, registry,
//   settings); MR_TRY(server.restore(log, ids)); MR_TRY(server.start());  ...  server.stop();
//
// Thread: construction, start(), stop() and destruction from one control thread that runs none of the loops, which must
// be running by stop() and, at destruction, either still run or have ended after stop().
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/publish_properties.h"
#include "mqtt/server/settings.h"
#include "net/listener.h"

namespace millrace {
class MessageReceiver;
namespace metrics {
class Registry;
}
namespace topics {
class TopicLog;
}
}  // namespace millrace

namespace millrace::mqtt {

class Administration;

class Server {
 public:
  /// The receivers outlive the server; receiver(i) is called and hears everything on loop i only.
  Server(std::vector<net::Loop*> loops, const std::function<MessageReceiver&(std::size_t loop)>& receiver,
         metrics::Registry& registry, Settings settings);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Reads what `log` remembers: retained messages, persistent sessions. From here on such things are recorded there,
  /// in topics that must exist. `delivery_ids`: exactly-once deliveries that the log knows ("<client id>\0<packet id>",
  /// as DeviceMessage::delivery_id); a client that connects again without clean start finds them. Before start(); `log`
  /// outlives the server. Errors: those of reading the log.
  Result<void> restore(topics::TopicLog& log, std::span<const std::string> delivery_ids);

  /// Binds every address and starts to accept. already_exists when a port is taken.
  Result<void> start();
  /// Stops accepting and reading (spread over Settings::stop_spread), waits (at most twice the stop timeout) until what
  /// was handed over is settled and acknowledged, says DISCONNECT 0x8B to 5.0 clients, closes, detaches from the
  /// receivers. Wills are not published.
  void stop();

  /// In the order of Settings::listen and then Settings::listen_websocket, ports resolved. After start().
  [[nodiscard]] std::vector<net::Address> addresses() const;

  [[nodiscard]] Administration& administration();

  /// Delivers to the subscribers of all loops, for the rules' republish action; true when there may be one. Thread: the
  /// loop's.
  bool publish(std::size_t loop, std::string_view topic, ByteView payload, std::uint8_t qos, bool retain,
               const PublishProperties& properties = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::mqtt

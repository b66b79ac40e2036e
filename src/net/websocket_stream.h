// WebSocketStream: MQTT over WebSocket as a layer over another stream (RFC 6455; MQTT 5.0 chapter 6), server's side.
// The opening handshake is read by the HTTP parser; then the bytes inside binary frames are the handler's stream, and
// what it writes in a turn leaves in binary frames, a message in each where the protocol's messages are known.
//
// A browser's Origin must be the host it speaks to, a loopback name, or listed; other programs send none. Thread: the
// loop's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "net/stream.h"

namespace millrace::net {

struct WebSocketSettings {
  /// Asked for by the client and echoed; the first of its offers that is listed here.
  std::vector<std::string> subprotocols{"mqtt", "mqttv3.1"};
  /// Further origins of pages that may connect ("https://example.com"); "*": all.
  std::vector<std::string> origins{};
  /// Bytes of the message that begins with `bytes`; 0: not to be told from these. Null: frames hold what a turn wrote.
  /// Clients exist that wait for the next frame although a second message stands in this one (Paho C 1.3.12).
  std::size_t (*message_size)(ByteView bytes) = nullptr;
};

/// `settings` outlives the stream.
[[nodiscard]] std::unique_ptr<Stream> over_websocket(Loop& loop, std::unique_ptr<Stream> below,
                                                     const WebSocketSettings& settings);

}  // namespace millrace::net

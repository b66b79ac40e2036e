// MQTT over WebSocket: frames at every split, what RFC 6455 refuses, the handshake, and a stream over real sockets.
#include <gtest/gtest.h>

#include <array>
#include <list>

#include "net/listener.h"
#include "net/testing/socket_client.h"
#include "net/websocket_frames.h"
#include "net/websocket_stream.h"

namespace millrace::net {
namespace {

using Event = WebSocketReader::Event;

/// A client's frame.
std::string frame(std::uint8_t first, std::string_view payload) {
  constexpr std::string_view kMask = "\x37\xfa\x21\x3d";
  std::string bytes(1, static_cast<char>(first));
  if (payload.size() < 126) {
    bytes += static_cast<char>(0x80U | payload.size());
  } else if (payload.size() <= 0xFFFF) {
    bytes += '\xFE';
    bytes += static_cast<char>(payload.size() >> 8U);
    bytes += static_cast<char>(payload.size());
  } else {
    bytes += '\xFF';
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes += static_cast<char>(payload.size() >> static_cast<unsigned>(shift));
  }
  bytes += kMask;
  for (std::size_t i = 0; i < payload.size(); ++i) bytes += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return bytes;
}

struct Outcome {
  std::string data;
  std::string answer;
  Event event = Event::more;
};

Outcome read_in_pieces(std::string_view bytes, std::size_t first, std::size_t second) {
  WebSocketReader reader;
  Buffer data;
  Buffer answer;
  Outcome outcome;
  for (const auto& [from, to] : {std::pair{std::size_t{0}, first}, {first, second}, {second, bytes.size()}}) {
    outcome.event = reader.read(as_bytes(bytes.substr(from, to - from)), data, answer);
    if (outcome.event != Event::more) break;
  }
  outcome.data = as_text(data.view());
  outcome.answer = as_text(answer.view());
  return outcome;
}

TEST(WebSocketFrames, AreOneStreamWhateverTheSplit) {
  const std::string bytes = frame(0x82, "one") + frame(0x02, "two") + frame(0x89, "ping") + frame(0x00, "") +
                            frame(0x80, "three") + frame(0x8A, "") + frame(0x82, "") +
                            frame(0x82, std::string(130, 'x')) +
                            frame(0x88, std::string("\x03\xE8"
                                                    "bye",
                                                    5));
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); second += 7) {
      const Outcome outcome = read_in_pieces(bytes, first, second);
      ASSERT_EQ(outcome.data, "onetwothree" + std::string(130, 'x')) << first << ' ' << second;
      ASSERT_EQ(outcome.answer, std::string("\x8A\x04ping\x88\x02\x03\xE8", 10));
      ASSERT_EQ(outcome.event, Event::closed);
    }
  }
  const std::string large(70'000, 'y');
  EXPECT_EQ(read_in_pieces(frame(0x82, large), 9, 40'000).data, large);
}

TEST(WebSocketFrames, WhatIsRefused) {
  struct Case {
    std::string bytes;
    std::uint16_t code;
  };
  const Case cases[] = {
      {std::string("\x82\x03one", 5), 1002},                          // not masked
      {frame(0x81, "text"), 1003},                                    // [MQTT-6.0.0-1]
      {frame(0xC2, ""), 1002},                                        // a reserved bit
      {frame(0x83, ""), 1002},                                        // a reserved opcode
      {frame(0x8B, ""), 1002},                                        //
      {frame(0x09, ""), 1002},                                        // a Ping in fragments
      {frame(0x89, std::string(126, 'p')), 1002},                     // a long Ping
      {frame(0x80, ""), 1002},                                        // a continuation of nothing
      {frame(0x02, "a") + frame(0x82, "b"), 1002},                    // a message within a message
      {frame(0x88, "x"), 1002},                                       // half a close code
      {std::string("\x82\xFE\x00\x03....", 8), 1002},                 // not the shortest length
      {std::string("\x82\xFF\0\0\0\0\0\0\xFF\xFF....", 14), 1002},    //
      {std::string("\x82\xFF\x80\0\0\0\0\0\xFF\xFF....", 14), 1002},  // the top bit of a length
  };
  for (const Case& wrong : cases) {
    const Outcome outcome = read_in_pieces(wrong.bytes, 1, 2);
    EXPECT_EQ(outcome.event, Event::failed);
    ASSERT_GE(outcome.answer.size(), 4U);
    const auto code =
        static_cast<std::uint16_t>(static_cast<std::uint8_t>(outcome.answer[outcome.answer.size() - 2]) << 8U |
                                   static_cast<std::uint8_t>(outcome.answer.back()));
    EXPECT_EQ(code, wrong.code) << outcome.answer.size();
  }
}

// The answer to the key of RFC 6455, 1.3.
constexpr std::string_view kAccepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// Answers what it hears.
struct Echo final : StreamHandler {
  explicit Echo(std::unique_ptr<Stream> over) : stream(std::move(over)) { stream->start(*this); }
  std::size_t on_bytes(ByteView bytes) override {
    stream->send_copy(bytes);
    return bytes.size();
  }
  void on_closed(const Error&) override { stream.reset(); }
  std::unique_ptr<Stream> stream;
};

class WebSocketServer : public ::testing::Test {
 protected:
  WebSocketServer() {
    listener_ = Listener::bind(thread_.loop(), Address{"127.0.0.1", 0}, [this](std::unique_ptr<Stream> stream) {
                  echoes_.emplace_back(over_websocket(thread_.loop(), std::move(stream), settings_));
                }).value();
    thread_.run([this] { listener_->start(); });
  }
  ~WebSocketServer() override {
    thread_.run([this] {
      listener_->stop();
      listener_.reset();
      echoes_.clear();  // also of clients whose end the loop has not seen yet
    });
  }
  static std::string request(std::string_view more = "Sec-WebSocket-Protocol: mqtt\r\n",
                             std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==") {
    return "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
           std::string(key) + "\r\n" + std::string(more) + "\r\n";
  }
  std::string first_line(const std::string& text) {
    testing::SocketClient client(listener_->address().port);
    client.send(text);
    const std::string answer = client.receive_all();
    return answer.substr(0, answer.find('\r'));
  }

  WebSocketSettings settings_;
  testing::LoopThread thread_;
  std::unique_ptr<Listener> listener_;
  std::list<Echo> echoes_;  // the loop's
};

TEST_F(WebSocketServer, ShakesHandsAndCarriesBytes) {
  testing::SocketClient client(listener_->address().port);
  // Data may follow in the same piece.
  client.send(request("Sec-WebSocket-Protocol: chat, mqtt\r\n") + frame(0x82, "hello"));
  EXPECT_EQ(client.receive(kAccepted.size()), kAccepted);
  EXPECT_EQ(client.receive(7), "\x82\x05hello");
  const std::string large(100'000, 'z');
  client.send(frame(0x82, large));
  std::string got;
  while (got.size() < large.size()) {  // as frames as the server liked
    const std::string head = client.receive(2);
    ASSERT_EQ(head.size(), 2U);
    std::size_t size = static_cast<std::uint8_t>(head[1]);
    if (size >= 126) {
      std::size_t wide = 0;
      for (const char c : client.receive(size == 126 ? 2 : 8)) wide = wide << 8U | static_cast<std::uint8_t>(c);
      size = wide;
    }
    got += client.receive(size);
  }
  EXPECT_EQ(got, large);
  client.send(frame(0x88, "\x03\xE8"));
  EXPECT_EQ(client.receive_all(), "\x88\x02\x03\xE8");
}

TEST_F(WebSocketServer, EachMessageHasAFrame) {
  settings_.message_size = [](ByteView bytes) { return std::size_t{bytes[0]}; };  // the first byte is the size
  testing::SocketClient client(listener_->address().port);
  client.send(request());
  EXPECT_EQ(client.receive(kAccepted.size()), kAccepted);
  client.send(frame(0x82, std::string("\x02"
                                      "a"
                                      "\x03"
                                      "bc"
                                      "\x01",
                                      6)));
  EXPECT_EQ(client.receive(12), std::string("\x82\x02\x02"
                                            "a"
                                            "\x82\x03\x03"
                                            "bc"
                                            "\x82\x01\x01",
                                            12));
}

TEST_F(WebSocketServer, BehindAProxy) {
  StreamLayers layers;
  layers.proxies = {*Network::parse("127.0.0.0/8")};
  thread_.run([&] { listener_->set_layers(layers); });
  testing::SocketClient client(listener_->address().port);
  client.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n" + request() + frame(0x82, "hello"));
  EXPECT_EQ(client.receive(kAccepted.size()), kAccepted);
  EXPECT_EQ(client.receive(7), "\x82\x05hello");
  EXPECT_EQ(first_line(request()), "");  // without its header
}

TEST_F(WebSocketServer, RefusesWhatIsNoHandshake) {
  EXPECT_EQ(first_line("GET / HTTP/1.1\r\nHost: x\r\n\r\n").substr(0, 12), "HTTP/1.1 426");
  EXPECT_EQ(first_line(request("")).substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(first_line(request("Sec-WebSocket-Protocol: chat\r\n")).substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(first_line(request("Sec-WebSocket-Protocol: mqtt\r\n", "short")).substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(first_line(request("Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://evil.example\r\n")).substr(0, 12),
            "HTTP/1.1 403");
  EXPECT_EQ(first_line("\x10\x0c nonsense\r\n\r\n").substr(0, 9), "HTTP/1.1 ");
}

}  // namespace
}  // namespace millrace::net

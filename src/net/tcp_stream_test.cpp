#include "net/tcp_stream.h"

#include <gtest/gtest.h>

#include <future>

#include "net/listener.h"
#include "net/testing/socket_client.h"

namespace millrace::net {
namespace {

/// Answers "q" and acknowledges everything else without an answer.
struct Conversation final : StreamHandler {
  std::unique_ptr<Stream> stream;
  std::promise<void> acknowledged;

  std::size_t on_bytes(ByteView bytes) override {
    if (bytes[0] == 'q') {
      stream->send_copy(bytes);
    } else {
      stream->acknowledge_now();
      acknowledged.set_value();
    }
    return bytes.size();
  }
  void on_closed(const Error&) override {}
};

// Without it the kernel of a server that answers waits some 40 ms for an answer to carry the acknowledgement.
TEST(TcpStream, AcknowledgeNowTellsThePeerThatBytesArrived) {
  testing::LoopThread thread;
  Conversation server;
  auto listener = *Listener::bind(thread.loop(), Address{}, [&](std::unique_ptr<Stream> stream) {
    server.stream = std::move(stream);
    server.stream->start(server);
  });
  thread.run([&] { listener->start(); });
  testing::SocketClient client(listener->address().port);
  for (int i = 0; i < 20; ++i) {  // from here on the kernel takes it for a conversation
    ASSERT_TRUE(client.send("q"));
    ASSERT_EQ(client.receive(1), "q");
  }
  ASSERT_TRUE(client.send("x"));
  server.acknowledged.get_future().wait();
  EXPECT_EQ(client.unacknowledged(), 0U);
  thread.run([&] {
    server.stream.reset();
    listener.reset();
  });
}

}  // namespace
}  // namespace millrace::net

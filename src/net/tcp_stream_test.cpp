#include "net/tcp_stream.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "net/listener.h"
#include "net/testing/socket_client.h"
#include "net/testing/stream_fixture.h"

namespace millrace::net {
namespace {

using testing::pattern;
using testing::Peer;
using testing::SocketClient;
using testing::StreamTest;

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

// Edges tell once: what came while nobody read, the end among it, must not be waited for again.
TEST_F(StreamTest, bytes_and_end_that_came_while_paused_are_found_on_resume) {
  std::string got;
  prepare = [&](Peer& peer) {
    peer.stream->pause_reading();
    peer.bytes = [&](Peer& self, ByteView view) {
      got.append(as_text(view));
      self.stream->pause_reading();  // every piece anew
      self.stream->resume_reading();
      return view.size();
    };
  };
  const std::string sent = pattern(50'000);
  SocketClient client(port);
  ASSERT_TRUE(client.send(sent));
  client.finish_sending();
  while (client.unacknowledged() != 0 || thread.run([&] { return peers.empty(); })) std::this_thread::yield();
  thread.run([&] { peers[0]->stream->resume_reading(); });
  EXPECT_NE(wait_closed(0).find("closed by the peer"), std::string::npos);
  EXPECT_EQ(thread.run([&] { return got; }), sent);
}

// More than a turn reads, from many at once: none waits for ever, and none is read out of turn.
TEST_F(StreamTest, streams_with_much_to_read_take_turns) {
  constexpr std::size_t kStreams = 24;
  constexpr std::size_t kBytes = 1'500'000;
  std::size_t done = 0;
  std::promise<void> all_done;
  prepare = [&](Peer& peer) {
    peer.bytes = [&, total = std::size_t{0}](Peer&, ByteView view) mutable {
      total += view.size();
      if (total == kBytes && ++done == kStreams) all_done.set_value();
      return view.size();
    };
  };
  std::vector<std::future<bool>> sending;
  const std::string sent = pattern(kBytes);
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (std::size_t i = 0; i < kStreams; ++i) clients.push_back(std::make_unique<SocketClient>(port));
  for (auto& client : clients) {
    sending.push_back(std::async(std::launch::async, [&sent, &client] { return client->send(sent); }));
  }
  for (auto& one : sending) EXPECT_TRUE(one.get());
  EXPECT_EQ(all_done.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

// When a crowd leaves at once, who goes on is served first, although the kernel tells of it last.
TEST_F(StreamTest, bytes_do_not_wait_behind_those_that_leave) {
  constexpr std::size_t kCrowd = 400;
  std::size_t closed = 0;
  std::promise<std::size_t> closed_before;
  prepare = [&](Peer& peer) {
    peer.bytes = [&](Peer&, ByteView view) {
      closed_before.set_value(closed);
      return view.size();
    };
    peer.closed = [&](Peer&) { ++closed; };
  };
  std::vector<std::unique_ptr<SocketClient>> crowd;
  for (std::size_t i = 0; i < kCrowd; ++i) crowd.push_back(std::make_unique<SocketClient>(port));
  SocketClient stays(port);
  while (thread.run([&] { return peers.size(); }) != kCrowd + 1) std::this_thread::yield();
  std::promise<void> go_on;
  thread.loop().post([&] { go_on.get_future().wait(); });
  for (auto& client : crowd) client->reset();
  ASSERT_TRUE(stays.send("x"));
  go_on.set_value();
  EXPECT_LE(closed_before.get_future().get(), 64U);
  while (thread.run([&] { return closed; }) != kCrowd) std::this_thread::yield();
}

}  // namespace
}  // namespace millrace::net

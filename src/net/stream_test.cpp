// Streams over real loopback sockets.
#include "net/stream.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <future>

#include "base/endian.h"
#include "net/listener.h"
#include "net/tcp_stream.h"
#include "net/testing/socket_client.h"
#include "net/testing/stream_fixture.h"

namespace millrace::net {
namespace {

using testing::LoopThread;
using testing::pattern;
using testing::Peer;
using testing::SocketClient;
using testing::StreamTest;

std::size_t echo(Peer& peer, ByteView view) {
  peer.stream->send_copy(view);
  return view.size();
}

TEST_F(StreamTest, echoes_much_data) {
  prepare = [](Peer& peer) { peer.bytes = echo; };
  SocketClient client(port);
  const std::string data = pattern(3'000'000);
  std::thread writer([&] { EXPECT_TRUE(client.send(data)); });
  EXPECT_TRUE(client.receive(data.size()) == data);
  writer.join();
}

// Slices of memory and of a file, mixed, far more than a socket takes at once.
TEST_F(StreamTest, file_slices_keep_their_place) {
  const std::string content = pattern(2'000'000);
  const std::shared_ptr<std::FILE> file(std::tmpfile(), [](std::FILE* open) { (void)std::fclose(open); });
  ASSERT_EQ(std::fwrite(content.data(), 1, content.size(), file.get()), content.size());
  ASSERT_EQ(std::fflush(file.get()), 0);
  std::string expected;
  for (std::size_t i = 0; i < 20; ++i) {
    expected += "head " + std::to_string(i) + content.substr(i * 1000, 90'000 * i) + std::string(3000, 'm');
  }
  prepare = [file](Peer& peer) {
    peer.bytes = [file](Peer& self, ByteView view) {
      for (std::size_t i = 0; i < 20; ++i) {
        self.stream->send_copy(as_bytes("head " + std::to_string(i)));
        self.stream->send_file({file, ::fileno(file.get()), i * 1000, 90'000 * i});
        self.stream->send(SharedBytes::copy_of(as_bytes(std::string(3000, 'm'))));
      }
      EXPECT_GT(self.stream->pending_bytes(), 17'000'000U);
      return view.size();
    };
  };
  SocketClient client(port);
  ASSERT_TRUE(client.send("go"));
  EXPECT_TRUE(client.receive(expected.size()) == expected);
  EXPECT_EQ(thread.run([this] { return peers.at(0)->stream->pending_bytes(); }), 0U);
}

TEST_F(StreamTest, a_file_that_ends_early_aborts_the_stream) {
  const std::shared_ptr<std::FILE> file(std::tmpfile(), [](std::FILE* open) { (void)std::fclose(open); });
  prepare = [file](Peer& peer) { peer.stream->send_file({file, ::fileno(file.get()), 0, 1000}); };
  SocketClient client(port);
  EXPECT_TRUE(client.ended());
  EXPECT_NE(wait_closed(0), "never closed");
}

TEST_F(StreamTest, peer_address_is_that_of_the_client) {
  prepare = [](Peer& peer) {
    peer.stream->send_copy(as_bytes(peer.stream->peer_address()));
    peer.stream->close();
  };
  SocketClient client(port);
  EXPECT_TRUE(client.receive_all().starts_with("127.0.0.1:"));
}

// Frames of a length byte and so many bytes, written in pieces of every size: what is not consumed comes again in
// front.
TEST_F(StreamTest, unconsumed_bytes_come_again_in_front_of_the_next) {
  prepare = [](Peer& peer) {
    peer.bytes = [](Peer& self, ByteView view) {
      std::size_t taken = 0;
      while (taken < view.size() && view.size() - taken > view[taken]) {
        const std::size_t length = view[taken];
        self.stream->send_copy(view.subspan(taken + 1, length));
        taken += 1 + length;
      }
      return taken;
    };
  };
  std::string frames;
  std::string bodies;
  for (std::size_t length = 0; length < 256; ++length) {
    const std::string body = pattern(length);
    frames += static_cast<char>(length);
    frames += body;
    bodies += body;
  }
  for (std::size_t step : {1UL, 2UL, 7UL, 100UL, 1000UL}) {
    SocketClient client(port);
    for (std::size_t at = 0; at < frames.size(); at += step) {
      ASSERT_TRUE(client.send(std::string_view(frames).substr(at, step)));
    }
    EXPECT_EQ(client.receive(bodies.size()), bodies) << "written " << step << " bytes at a time";
  }
}

// A handler that waits for the whole: 32 MiB without a hint. Quadratic copying would take minutes.
TEST_F(StreamTest, large_frame_without_a_hint) {
  constexpr std::size_t kSize = 32_MiB;
  prepare = [](Peer& peer) {
    peer.bytes = [](Peer& self, ByteView view) -> std::size_t {
      if (view.size() < kSize + 3) return 0;
      self.stream->send_copy(view.subspan(kSize, 3));
      return view.size();
    };
  };
  SocketClient client(port);
  ASSERT_TRUE(client.send(std::string(kSize, 'x')));
  ASSERT_TRUE(client.send("end"));
  EXPECT_EQ(client.receive(3), "end");
}

// Each frame: 4 bytes of length (big-endian), then the body. Announced with expect(), several in one write.
TEST_F(StreamTest, announced_frames_arrive_whole_and_keep_the_order) {
  prepare = [](Peer& peer) {
    auto answer = [](Peer& self, ByteView frame) {
      std::uint64_t sum = 0;
      for (const auto byte : frame) sum += byte;
      const std::string line = std::to_string(frame.size()) + ":" + std::to_string(sum) + "\n";
      self.stream->send_copy(as_bytes(line));
    };
    peer.bytes = [answer](Peer& self, ByteView view) {
      std::size_t taken = 0;
      while (view.size() - taken >= 4) {
        const std::size_t total = 4 + load_be<std::uint32_t>(view.data() + taken);
        if (view.size() - taken < total || total % 2 == 0) {
          self.stream->expect(total);
          break;
        }
        answer(self, view.subspan(taken, total));
        taken += total;
      }
      return taken;
    };
    peer.frame = [answer](Peer& self, const Buffer& frame) { answer(self, frame.view()); };
  };
  std::string input;
  std::string expected;
  for (const std::size_t size : {0UL, 1UL, 10UL, 11UL, 300UL, 70'000UL, 5UL, 6UL, 3'000'001UL, 2'000'000UL, 12UL}) {
    std::string frame(4, '\0');
    store_be(reinterpret_cast<std::uint8_t*>(frame.data()), static_cast<std::uint32_t>(size));
    frame += pattern(size);
    std::uint64_t sum = 0;
    for (const char c : frame) sum += static_cast<std::uint8_t>(c);
    input += frame;
    expected += std::to_string(frame.size()) + ":" + std::to_string(sum) + "\n";
  }
  for (const std::size_t step : {input.size(), 1000UL, 65'536UL}) {
    SocketClient client(port);
    for (std::size_t at = 0; at < input.size(); at += step) {
      ASSERT_TRUE(client.send(std::string_view(input).substr(at, step)));
    }
    EXPECT_EQ(client.receive(expected.size()), expected) << "written " << step << " bytes at a time";
  }
}

TEST_F(StreamTest, a_claimed_length_allocates_nothing_before_bytes_arrive) {
  prepare = [](Peer& peer) {
    peer.bytes = [](Peer& self, ByteView) -> std::size_t {
      self.stream->expect(std::size_t{1} << 46U);  // more than any machine has
      self.stream->send_copy(as_bytes("k"));
      return 0;
    };
  };
  SocketClient client(port);
  ASSERT_TRUE(client.send("0123"));
  EXPECT_EQ(client.receive(1), "k");
  ASSERT_TRUE(client.send(std::string(100'000, 'x')));
  client.finish_sending();
  EXPECT_NE(wait_closed(0).find("closed by the peer"), std::string::npos);
}

TEST_F(StreamTest, a_paused_stream_reads_nothing_and_gives_the_rest_on_resume) {
  std::promise<void> paused;
  prepare = [&](Peer& peer) {
    peer.bytes = [&](Peer& self, ByteView view) -> std::size_t {
      self.stream->send_copy(view.first(1));
      self.stream->pause_reading();
      if (view.size() == 6) paused.set_value();
      return 1;
    };
  };
  SocketClient client(port);
  ASSERT_TRUE(client.send("abcdef"));
  paused.get_future().wait();
  EXPECT_EQ(client.receive(1), "a");
  ASSERT_TRUE(client.send("gh"));
  std::string got = "a";
  for (int i = 0; i < 7; ++i) {
    thread.run([&] {
      EXPECT_EQ(peers[0]->stream->pending_bytes(), 0U);
      peers[0]->stream->resume_reading();
    });
    got += client.receive(1);
  }
  EXPECT_EQ(got, "abcdefgh");
}

TEST_F(StreamTest, slices_and_copies_leave_in_the_order_given) {
  const std::string big = pattern(100'000);
  std::string expected;
  prepare = [&](Peer& peer) {
    const SharedBytes shared = SharedBytes::copy_of(as_bytes(big));
    for (int i = 0; i < 200; ++i) {
      const std::string head = "[" + std::to_string(i) + "]";
      const std::size_t size = static_cast<std::size_t>(i) * 97;
      peer.stream->send_copy(as_bytes(head));
      peer.stream->send(shared.slice(static_cast<std::size_t>(i), size));
      expected += head + big.substr(static_cast<std::size_t>(i), size);
      if (i % 3 == 0) {
        peer.stream->send(shared.slice(0, 1000));
        expected += big.substr(0, 1000);
      }
    }
    EXPECT_EQ(peer.stream->pending_bytes(), expected.size());
    peer.stream->close();
  };
  SocketClient client(port, 4096);  // a small window: partial writes
  EXPECT_TRUE(client.receive_all() == expected);
}

TEST_F(StreamTest, marks_tell_when_a_slow_reader_caught_up) {
  std::promise<std::size_t> drained;
  std::promise<void> written;
  prepare = [&](Peer& peer) {
    peer.stream->set_marks(100'000, 1'000'000);
    peer.drained = [&](Peer& self) { drained.set_value(self.stream->pending_bytes()); };
    peer.stream->send_copy(as_bytes(pattern(20'000'000)));
    written.set_value();
  };
  SocketClient client(port, 4096);
  written.get_future().wait();
  auto future = drained.get_future();
  EXPECT_GT(thread.run([&] { return peers[0]->stream->pending_bytes(); }), 1'000'000U);
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_TRUE(client.receive(20'000'000) == pattern(20'000'000));
  EXPECT_LT(future.get(), 100'000U);
}

TEST_F(StreamTest, close_sends_everything_even_when_the_peer_keeps_talking) {
  const std::string farewell = pattern(2'000'000);
  prepare = [&](Peer& peer) {
    peer.bytes = [&](Peer& self, ByteView) -> std::size_t {
      self.stream->send_copy(as_bytes(farewell));
      self.stream->close();
      self.stream->close();
      return 0;
    };
  };
  SocketClient client(port);
  ASSERT_TRUE(client.send(std::string(100'000, 'x')));
  EXPECT_TRUE(client.send(std::string(100'000, 'y')));
  EXPECT_TRUE(client.receive_all() == farewell);
  EXPECT_EQ(client.last_error(), 0);  // an end, not a reset
  client.finish_sending();
  EXPECT_NE(wait_closed(0).find("closed by this side"), std::string::npos);
}

TEST_F(StreamTest, abort_resets) {
  prepare = [](Peer& peer) {
    peer.bytes = [](Peer& self, ByteView view) {
      self.stream->send_copy(as_bytes("never seen"));
      self.stream->abort();
      return view.size();
    };
  };
  SocketClient client(port);
  ASSERT_TRUE(client.send("x"));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(client.last_error(), ECONNRESET);
  EXPECT_NE(wait_closed(0).find("closed by this side"), std::string::npos);
}

TEST_F(StreamTest, peer_ends_and_peer_resets) {
  prepare = [](Peer& peer) { peer.bytes = echo; };
  {
    SocketClient client(port);
    ASSERT_TRUE(client.send("last words"));
    client.finish_sending();
    EXPECT_EQ(client.receive_all(), "last words");  // answered before the end is returned
  }
  EXPECT_NE(wait_closed(0).find("closed by the peer"), std::string::npos);
  {
    SocketClient client(port);
    ASSERT_TRUE(client.send("x"));
    EXPECT_EQ(client.receive(1), "x");
    client.reset();
  }
  EXPECT_NE(wait_closed(1).find("connection lost"), std::string::npos);
}

TEST_F(StreamTest, a_reset_is_noticed_while_reading_is_paused) {
  prepare = [](Peer& peer) { peer.stream->pause_reading(); };
  SocketClient client(port);
  ASSERT_TRUE(client.send("x"));
  client.reset();
  EXPECT_NE(wait_closed(0).find("connection lost"), std::string::npos);
}

// One handler destroys the streams of all others, whose events may already be waiting in the same turn.
TEST_F(StreamTest, streams_may_be_destroyed_by_another_streams_callback) {
  prepare = [this](Peer& peer) {
    peer.bytes = [this](Peer& self, ByteView view) {
      for (auto& other : peers) {
        if (other.get() != &self) other->stream.reset();
      }
      return echo(self, view);
    };
  };
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<SocketClient>> clients;
    for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<SocketClient>(port));
    while (thread.run([&] { return peers.size(); }) < 8) {
    }
    std::promise<void> gate;
    thread.loop().post([&] { gate.get_future().wait(); });  // the loop sleeps while all become ready
    for (auto& client : clients) client->send("x");
    gate.set_value();
    int answered = 0;
    for (auto& client : clients) answered += client->receive(1) == "x" ? 1 : 0;
    EXPECT_EQ(answered, 1);
    thread.run([&] { peers.clear(); });
  }
}

// What a connection costs on the heap, before and after it has carried data both ways.
TEST(IdleStream, owns_no_buffer) {
  struct Echo final : StreamHandler {
    std::unique_ptr<Stream> stream;
    std::size_t on_bytes(ByteView view) override {
      const std::size_t whole = view.size() - view.size() % 7;  // keeps a rest now and then
      stream->send_copy(view.first(whole));
      return whole;
    }
    void on_closed(const Error&) override {}
  };
  constexpr std::size_t kStreams = 200;
  LoopThread thread;
  std::vector<Echo> echoes(kStreams);
  std::size_t accepted = 0;
  auto listener = Listener::bind(thread.loop(), Address{}, [&](std::unique_ptr<Stream> stream) {
    echoes[accepted].stream = std::move(stream);
    echoes[accepted].stream->start(echoes[accepted]);
    ++accepted;
  });
  ASSERT_TRUE(listener.has_value());
  std::vector<std::unique_ptr<SocketClient>> clients;
  clients.reserve(kStreams);
  thread.run([&] { (*listener)->start(); });
  const auto heap = [] { return ::mallinfo2().uordblks; };
  const std::size_t before = heap();
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<SocketClient>((*listener)->address().port));
  }
  while (thread.run([&] { return accepted; }) < kStreams) {
  }
  constexpr std::size_t kLargest = 400;  // the stream, the test's client object, and malloc's own
  EXPECT_LE((heap() - before) / kStreams, kLargest);
  constexpr std::size_t kSent = 70'000;  // a multiple of 7: in the end nothing is left over
  for (auto& client : clients) {
    client->send(std::string(kSent, 'x'));
    EXPECT_EQ(client->receive(kSent).size(), kSent);
  }
  thread.run([] {});
  constexpr std::size_t kSpareBuffers = 64 * 64 * 1024;  // the loop keeps some for the next output
  EXPECT_LE(heap() - before, kStreams * kLargest + kSpareBuffers);
  thread.run([&] { echoes.clear(), listener->reset(); });
}

TEST_F(StreamTest, accepting_pauses_without_descriptors_and_goes_on) {
  prepare = [](Peer& peer) { peer.bytes = echo; };
  SocketClient waiting(port);
  thread.run([] {});
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  // Sockets of the clients are made first; then no descriptor is left for the accepted side.
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  std::promise<void> held;
  std::promise<void> gate;
  thread.loop().post([&] {
    held.set_value();
    gate.get_future().wait();
  });
  held.get_future().wait();
  SocketClient late(port);
  ::close(next);
  const rlimit low{static_cast<rlim_t>(3), old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  gate.set_value();
  thread.run([] {});
  const std::size_t before = thread.run([&] { return peers.size(); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_LE(before, 1U);
  ASSERT_TRUE(late.send("hello"));
  EXPECT_EQ(late.receive(5), "hello");
}

}  // namespace
}  // namespace millrace::net

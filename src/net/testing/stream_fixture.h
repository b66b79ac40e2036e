// StreamTest: a listener whose connections behave as functions say. Thread: the test's; streams are touched in the
// loop's.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "net/listener.h"
#include "net/stream.h"
#include "net/testing/socket_client.h"

namespace millrace::net::testing {

inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + (i >> 8U) * 7) & 0xFFU);
  return text;
}

/// A connection whose behaviour is given by functions; owned by the Server below.
struct Peer final : StreamHandler {
  std::unique_ptr<Stream> stream;
  std::function<std::size_t(Peer&, ByteView)> bytes = [](Peer&, ByteView view) { return view.size(); };
  std::function<void(Peer&)> drained = [](Peer&) {};
  std::function<void(Peer&, Buffer)> frame = [](Peer&, const Buffer&) {};
  std::function<void(Peer&)> closed = [](Peer&) {};
  std::string reason;

  std::size_t on_bytes(ByteView view) override { return bytes(*this, view); }
  void on_frame(Buffer buffer) override { frame(*this, std::move(buffer)); }
  void on_drained() override { drained(*this); }
  void on_closed(const Error& error) override {
    reason = error.message();
    closed(*this);
    stream.reset();
    closed_promise.set_value();
  }
  std::promise<void> closed_promise;
};

class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto bound = Listener::bind(thread.loop(), Address{}, [this](std::unique_ptr<Stream> stream) {
      auto peer = std::make_unique<Peer>();
      peer->stream = std::move(stream);
      if (prepare) prepare(*peer);
      peers.push_back(std::move(peer));
      if (auto_start) peers.back()->stream->start(*peers.back());
    });
    ASSERT_TRUE(bound.has_value()) << bound.error().message();
    listener = std::move(*bound);
    port = listener->address().port;
    thread.run([this] { listener->start(); });
  }
  void TearDown() override {
    thread.run([this] {
      peers.clear();
      listener.reset();
    });
  }
  /// Waits until the peer of the n-th connection was told that it is closed.
  std::string wait_closed(std::size_t n) {
    Peer* peer = nullptr;
    while (peer == nullptr) {
      peer = thread.run([&] { return n < peers.size() ? peers[n].get() : nullptr; });
    }
    auto future = peer->closed_promise.get_future();
    if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready) return "never closed";
    return thread.run([&] { return peer->reason; });
  }

  LoopThread thread;
  std::unique_ptr<Listener> listener;
  std::uint16_t port = 0;
  bool auto_start = true;
  std::function<void(Peer&)> prepare;
  std::vector<std::unique_ptr<Peer>> peers;
};

}  // namespace millrace::net::testing

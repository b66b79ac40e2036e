#include "net/listener.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "net/testing/socket_client.h"

namespace millrace::net {
namespace {

using testing::LoopThread;
using testing::SocketClient;

TEST(Listener, a_taken_port_is_an_error_and_the_own_one_can_be_joined) {
  Loop one;
  Loop two;
  const auto ignore = [](std::unique_ptr<Stream>) {};
  auto first = Listener::bind(one, Address{}, ignore);
  ASSERT_TRUE(first.has_value());
  const Address address = (*first)->address();
  EXPECT_NE(address.port, 0);
  auto stranger = Listener::bind(two, address, ignore);
  ASSERT_FALSE(stranger.has_value());
  EXPECT_EQ(stranger.error().code, ErrorCode::already_exists);
  auto joined = Listener::bind(two, Address{}, ignore, first->get());
  ASSERT_TRUE(joined.has_value()) << joined.error().message();
  EXPECT_EQ((*joined)->address().port, address.port);
}

TEST(Listener, a_unix_socket_is_shared_and_removed) {
  Loop one;
  Loop two;
  const std::string path = ::testing::TempDir() + "/millrace-listener-test.sock";
  const auto ignore = [](std::unique_ptr<Stream>) {};
  auto first = Listener::bind(one, Address{path, 0}, ignore);
  ASSERT_TRUE(first.has_value()) << first.error().message();
  EXPECT_EQ((*first)->address().to_string(), path);
  EXPECT_TRUE((*first)->address().is_loopback());
  auto stranger = Listener::bind(two, Address{path, 0}, ignore);
  ASSERT_FALSE(stranger.has_value());
  EXPECT_EQ(stranger.error().code, ErrorCode::already_exists);
  auto joined = Listener::bind(two, Address{path, 0}, ignore, first->get());
  ASSERT_TRUE(joined.has_value()) << joined.error().message();
  joined->reset();
  EXPECT_TRUE(std::filesystem::exists(path));
  first->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    std::ofstream(path) << "a file";
  }
  EXPECT_FALSE(Listener::bind(one, Address{path, 0}, ignore).has_value());
  std::filesystem::remove(path);
  EXPECT_FALSE(Listener::bind(one, Address{"/" + std::string(200, 'x'), 0}, ignore).has_value());
}

TEST(Listener, connections_of_joined_listeners_are_spread) {
  LoopThread a;
  LoopThread b;
  std::vector<std::unique_ptr<Stream>> streams_a;
  std::vector<std::unique_ptr<Stream>> streams_b;
  auto first =
      Listener::bind(a.loop(), Address{}, [&](std::unique_ptr<Stream> s) { streams_a.push_back(std::move(s)); });
  ASSERT_TRUE(first.has_value());
  auto second = Listener::bind(
      b.loop(), Address{}, [&](std::unique_ptr<Stream> s) { streams_b.push_back(std::move(s)); }, first->get());
  ASSERT_TRUE(second.has_value());
  a.run([&] { (*first)->start(); });
  b.run([&] { (*second)->start(); });
  std::vector<std::unique_ptr<SocketClient>> clients;
  constexpr std::size_t kClients = 64;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<SocketClient>((*first)->address().port));
    ASSERT_TRUE(clients.back()->connected());
  }
  const auto count = [&] { return a.run([&] { return streams_a.size(); }) + b.run([&] { return streams_b.size(); }); };
  while (count() < kClients) {
  }
  EXPECT_GT(a.run([&] { return streams_a.size(); }), 0U);
  EXPECT_GT(b.run([&] { return streams_b.size(); }), 0U);
  a.run([&] { streams_a.clear(), first->reset(); });
  b.run([&] { streams_b.clear(), second->reset(); });
}

TEST(Listener, connections_over_the_limit_are_closed_in_all_that_join) {
  LoopThread thread;
  std::vector<std::unique_ptr<Stream>> streams;
  const auto keep = [&](std::unique_ptr<Stream> stream) { streams.push_back(std::move(stream)); };
  auto first = Listener::bind(thread.loop(), Address{}, keep);
  ASSERT_TRUE(first.has_value());
  auto second = Listener::bind(thread.loop(), Address{}, keep, first->get());
  ASSERT_TRUE(second.has_value());
  metrics::Counter refused;
  (*first)->limit_connections(3, refused);
  thread.run([&] {
    (*first)->start();
    (*second)->start();
  });
  const std::uint16_t port = (*first)->address().port;
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(std::make_unique<SocketClient>(port));
  while (thread.run([&] { return streams.size(); }) < 3) {
  }
  EXPECT_TRUE(SocketClient(port).ended());
  EXPECT_EQ(refused.value(), 1U);
  thread.run([&] { streams.pop_back(); });
  SocketClient again(port);
  while (thread.run([&] { return streams.size(); }) < 3) {
  }
  EXPECT_EQ(refused.value(), 1U);
  thread.run([&] { streams.clear(), second->reset(), first->reset(); });
}

TEST(Address, text_form) {
  const auto read = [](std::string_view text) {
    const auto address = parse_address(text);
    return address ? address->to_string() : address.error().message();
  };
  EXPECT_EQ(read("127.0.0.1:1883"), "127.0.0.1:1883");
  EXPECT_EQ(read("0.0.0.0:0"), "0.0.0.0:0");
  EXPECT_EQ(read(":9092"), "127.0.0.1:9092");
  EXPECT_EQ(read("[::1]:80"), "[::1]:80");
  for (const auto* bad : {"", "1883", "localhost:1883", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
                          "[::1:80", "[127.0.0.1]:80", "127.0.0.1:80 ", "[]:1"}) {
    EXPECT_FALSE(parse_address(bad).has_value()) << bad;
  }
  EXPECT_TRUE(parse_address("127.9.9.9:1")->is_loopback());
  EXPECT_TRUE(parse_address("[::1]:1")->is_loopback());
  EXPECT_FALSE(parse_address("0.0.0.0:1")->is_loopback());
  EXPECT_FALSE(parse_address("[::]:1")->is_loopback());
}

}  // namespace
}  // namespace millrace::net

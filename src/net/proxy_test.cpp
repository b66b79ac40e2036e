// The PROXY header: HAProxy's examples, what is refused, every split, and the stream behind it.
#include <gtest/gtest.h>

#include "net/proxy_header.h"
#include "net/proxy_stream.h"
#include "net/testing/tls_peer.h"

namespace millrace::net {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kBinary4 =
    kSignature + std::string("\x21\x11\x00\x0C\xCB\x00\x71\x07\x0A\x00\x00\x01\x9C\x40\x07\x5B", 16);
const std::string kBinary6 = kSignature + std::string("\x21\x21\x00\x24", 4) + std::string("\x20\x01\x0D\xB8", 4) +
                             std::string(11, '\0') + "\x01" + std::string(16, '\x02') +
                             std::string("\x9C\x40\x07\x5B", 4);

struct Good {
  std::string bytes;
  std::optional<std::string> source;
};

std::vector<Good> good_headers() {
  return {{"PROXY TCP4 203.0.113.7 10.0.0.1 40000 1883\r\n", "203.0.113.7:40000"},
          {"PROXY TCP6 2001:db8::1 ::1 40000 1883\r\n", "[2001:db8::1]:40000"},
          {"PROXY UNKNOWN\r\n", std::nullopt},
          {"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", std::nullopt},
          {kBinary4, "203.0.113.7:40000"},
          {kBinary6, "[2001:db8::1]:40000"},
          {kSignature + std::string("\x20\x00\x00\x00", 4), std::nullopt},    // LOCAL
          {kSignature + std::string("\x21\x31\x00\x02xy", 6), std::nullopt},  // UNIX socket
          {kSignature + std::string("\x21\x11\x00\x0F", 4) + kBinary4.substr(16) + std::string("\x04\0\0", 3),
           "203.0.113.7:40000"}};
}

TEST(ProxyHeader, IsReadWhateverTheSplit) {
  for (const Good& good : good_headers()) {
    for (std::size_t size = 0; size < good.bytes.size(); ++size) {
      const auto part = parse_proxy_header(as_bytes(good.bytes).first(size));
      ASSERT_TRUE(part.has_value()) << part.error().message() << " at " << size;
      EXPECT_FALSE(part->has_value()) << size;
    }
    const auto header = parse_proxy_header(as_bytes(good.bytes + "rest"));
    ASSERT_TRUE(header.has_value() && header->has_value());
    EXPECT_EQ((*header)->size, good.bytes.size());
    EXPECT_EQ((*header)->source, good.source);
  }
}

TEST(ProxyHeader, RefusesEverythingElse) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string("PROXY TCP4 203.0.113.7 10.0.0.1 40000\r\n"),
        std::string("PROXY TCP4 ::1 ::1 1 2\r\n"), std::string("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"),
        std::string("PROXY TCP4 1.2.3.4 1.2.3.4 70000 2\r\n"), "PROXY TCP4 " + std::string(120, '1'),
        kSignature + std::string("\x11\x11\x00\x0C", 4), kSignature + std::string("\x22\x11\x00\x0C", 4),
        kSignature + std::string("\x21\x11\xFF\xFF", 4), kSignature + std::string("\x21\x11\x00\x04xxxx", 8)}) {
    EXPECT_FALSE(parse_proxy_header(as_bytes(bytes)).has_value()) << bytes;
  }
}

TEST(Network, ContainsWhatBeginsTheSame) {
  EXPECT_TRUE(Network::parse("10.0.0.0/8")->contains("10.255.0.1:1"));
  EXPECT_FALSE(Network::parse("10.0.0.0/8")->contains("11.0.0.1:1"));
  EXPECT_TRUE(Network::parse("192.0.2.7")->contains("192.0.2.7:40000"));
  EXPECT_FALSE(Network::parse("192.0.2.6")->contains("192.0.2.7:40000"));
  EXPECT_TRUE(Network::parse("2001:db8::/33")->contains("[2001:db8:7fff::1]:1"));
  EXPECT_FALSE(Network::parse("2001:db8::/33")->contains("[2001:db8:8000::1]:1"));
  EXPECT_FALSE(Network::parse("0.0.0.0/0")->contains("[::1]:1"));
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "lan"})
    EXPECT_FALSE(Network::parse(text)) << text;
}

struct End final : StreamHandler {
  std::size_t on_bytes(ByteView view) override {
    heard += as_text(view);
    return view.size();
  }
  void on_closed(const Error&) override {}
  std::string heard;
};

TEST(ProxyStream, PassesOnWhatFollowsTheHeader) {
  const std::vector<Network> proxies = {*Network::parse("192.0.2.0/24")};
  for (const Good& good : good_headers()) {
    Loop loop;
    End end;
    auto made = std::make_unique<testing::MemoryStream>();
    testing::MemoryStream& below = *made;
    const auto stream = behind_proxy(loop, std::move(made), proxies);
    stream->start(end);
    for (const char c : good.bytes) below.feed({&c, 1});
    below.feed("hello");
    EXPECT_TRUE(end.heard.ends_with("hello"));
    EXPECT_EQ(stream->peer_address(), good.source.value_or("192.0.2.1:1"));
    EXPECT_FALSE(below.closed());
  }
}

TEST(ProxyStream, StrangersAndGarbageAreClosed) {
  Loop loop;
  End end;
  auto made = std::make_unique<testing::MemoryStream>();
  testing::MemoryStream* below = made.get();
  const auto stream = behind_proxy(loop, std::move(made), {*Network::parse("198.51.100.0/24")});
  stream->start(end);
  EXPECT_TRUE(below->closed());

  auto second = std::make_unique<testing::MemoryStream>();
  below = second.get();
  const auto other = behind_proxy(loop, std::move(second), {*Network::parse("192.0.2.1")});
  other->start(end);
  below->feed("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(below->closed());
  EXPECT_EQ(end.heard, "");
}

}  // namespace
}  // namespace millrace::net

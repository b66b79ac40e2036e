// TLS in memory, against OpenSSL's own client: what is tested is every way the bytes may come, and every way it ends.
#include "net/tls_stream.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <functional>

#include "base/endian.h"
#include "base/queue_executor.h"
#include "base/rng.h"
#include "net/loop_impl.h"
#include "net/testing/tls_peer.h"
#include "net/tls_client.h"

namespace millrace::net {
namespace {

using testing::Authority;
using testing::MemoryStream;
using testing::TlsPeer;

const Authority& authority() {
  static const Authority made("Test Authority");
  return made;
}
const Authority& stranger() {
  static const Authority made("Somebody Else");
  return made;
}
const TlsMaterial& material() {
  static const TlsMaterial made = authority().server();
  return made;
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + (i >> 8U) * 7) & 0xFFU);
  return text;
}

/// A server's end whose behaviour is given by functions. It echoes by default.
struct ServerEnd final : StreamHandler {
  ServerEnd(Loop& event_loop, TlsAcceptor& acceptor) : loop(event_loop) {
    auto made = std::make_unique<MemoryStream>();
    below = made.get();
    stream = acceptor.wrap(std::move(made));
    stream->start(*this);
  }
  std::size_t on_bytes(ByteView view) override { return bytes(view); }
  void on_frame(Buffer buffer) override { frames.emplace_back(as_text(buffer.view())); }
  void on_closed(const Error& error) override { reason = error.message(); }

  /// The end of a turn.
  void turn() const {
    loop.impl().layers_again.run([](StreamLayer& layer) { layer.run_again(); });
    loop.impl().layers_dirty.run([](StreamLayer& layer) { layer.write_out(); });
  }
  /// Carries bytes between both until nothing moves, `step` bytes at a time.
  void pump(TlsPeer& peer, std::size_t step = SIZE_MAX) const {
    std::string to_peer;
    while (true) {
      const std::string from_peer = peer.exchange(to_peer);
      for (std::size_t at = 0; at < from_peer.size(); at += std::min(step, from_peer.size())) {
        below->feed(std::string_view(from_peer).substr(at, step));
        turn();
      }
      turn();
      to_peer = below->take_sent();
      if (to_peer.empty() && from_peer.empty()) return;
    }
  }

  Loop& loop;
  std::unique_ptr<Stream> stream;
  MemoryStream* below = nullptr;
  std::string reason;
  std::vector<std::string> frames;
  std::function<std::size_t(ByteView)> bytes = [this](ByteView view) {
    stream->send_copy(view);
    return view.size();
  };
};

class TlsTest : public ::testing::Test {
 protected:
  void use(const TlsMaterial& with, const TlsRules& rules = {}, TlsLimits limits = {}, Executor* worker = nullptr) {
    auto made = TlsContext::server(with, rules);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    context = *made;
    acceptor.emplace(loop, context, worker, &metrics, limits);
  }
  void SetUp() override { use(material()); }

  Loop loop;
  metrics::Registry registry;
  TlsMetrics metrics{registry, "test"};
  std::shared_ptr<TlsContext> context;
  std::optional<TlsAcceptor> acceptor;
};

TEST_F(TlsTest, BothVersionsEchoWhateverTheSplit) {
  const std::string data = pattern(40'000);
  for (const int version : {0x0303, 0x0304}) {
    for (const std::size_t step : {1UL, 2UL, 3UL, 5UL, 7UL, 64UL, 1000UL, 100'000UL}) {
      TlsPeer peer({.authorities = authority().certificate(), .version = version});
      ServerEnd server(loop, *acceptor);
      server.pump(peer, step);
      ASSERT_TRUE(peer.connected()) << peer.error();
      peer.write(data);
      server.pump(peer, step);
      EXPECT_TRUE(peer.received() == data) << "step " << step << " version " << version;
    }
  }
  EXPECT_EQ(metrics.full.value(), 16U);
}

TEST_F(TlsTest, EveryCutOfAHandshakeAndItsFirstRequest) {
  // Each run cuts the client's bytes at one more place.
  for (std::size_t cut = 1; cut < 700; ++cut) {
    TlsPeer peer({.authorities = authority().certificate()});
    ServerEnd server(loop, *acceptor);
    std::size_t sent = 0;
    std::string to_peer;
    for (int i = 0; i < 6; ++i) {
      if (peer.connected() && sent != SIZE_MAX) {
        peer.write("hello");
        sent = SIZE_MAX;
      }
      const std::string bytes = peer.exchange(to_peer);
      const std::size_t at = std::min(cut, bytes.size());
      server.below->feed(std::string_view(bytes).substr(0, at));
      server.turn();
      server.below->feed(std::string_view(bytes).substr(at));
      server.turn();
      to_peer = server.below->take_sent();
    }
    ASSERT_EQ(peer.received(), "hello") << "cut at " << cut;
  }
}

TEST_F(TlsTest, UnconsumedBytesAndFramesComeAsTheContractSays) {
  TlsPeer peer({});
  ServerEnd server(loop, *acceptor);
  // Frames of a four-byte size; those over 100 bytes are announced.
  server.bytes = [&server](ByteView view) -> std::size_t {
    std::size_t taken = 0;
    while (view.size() - taken >= 4) {
      const std::size_t size = load_be<std::uint32_t>(view.data() + taken);
      if (size > 100 && view.size() - taken - 4 < size) {
        server.stream->expect(size);
        return taken + 4;
      }
      if (view.size() - taken - 4 < size) break;
      server.frames.emplace_back(as_text(view.subspan(taken + 4, size)));
      taken += 4 + size;
    }
    return taken;
  };
  server.pump(peer);
  Rng rng(7);
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    const std::string body = pattern(rng.below(rng.chance(1, 10) ? 60'000 : 200));
    std::array<std::uint8_t, 4> size{};
    store_be(size.data(), static_cast<std::uint32_t>(body.size()));
    peer.write(as_text(size));
    peer.write(body);
    expected.push_back(body);
    if (rng.chance(1, 3)) server.pump(peer, 1 + rng.below(30'000));
  }
  server.pump(peer, 999);
  EXPECT_TRUE(server.frames == expected);
}

TEST_F(TlsTest, APausedHandlerHearsNothingAndLosesNothing) {
  TlsPeer peer({});
  ServerEnd server(loop, *acceptor);
  std::string heard;
  server.bytes = [&](ByteView view) {
    heard += as_text(view.first(1));
    server.stream->pause_reading();
    return std::size_t{1};
  };
  server.pump(peer);
  peer.write("abc");
  server.pump(peer);
  peer.write("def");
  server.pump(peer);
  EXPECT_EQ(heard, "a");
  for (int i = 0; i < 5; ++i) {
    server.stream->resume_reading();
    server.turn();
    server.below->feed({});
  }
  EXPECT_EQ(heard, "abcdef");
}

TEST_F(TlsTest, EndsAreSaidInBothDirections) {
  {
    TlsPeer peer({});
    ServerEnd server(loop, *acceptor);
    server.pump(peer);
    server.stream->send_copy(as_bytes("last words"));
    server.stream->close();
    EXPECT_TRUE(server.below->closed());
    peer.exchange(server.below->take_sent());
    EXPECT_EQ(peer.received(), "last words");
    EXPECT_TRUE(peer.ended());
  }
  TlsPeer peer({});
  ServerEnd server(loop, *acceptor);
  server.pump(peer);
  peer.write("mine");
  peer.finish();
  server.pump(peer);
  EXPECT_EQ(peer.received(), "mine");
  EXPECT_TRUE(peer.ended());
  EXPECT_TRUE(server.below->closed());
  server.below->tell_closed({ErrorCode::internal, "below", {}});
  EXPECT_EQ(server.reason, "closed by the peer (closed)");
}

TEST_F(TlsTest, ClientCertificates) {
  using Mode = ClientCertificates;
  const auto truck = authority().issue("truck-7", "DNS:truck-7.fleet,URI:urn:truck:7");
  const auto foreign = stranger().issue("truck-7");
  const auto expired = authority().issue("truck-7", {}, -1);
  struct Case {
    Mode mode;
    testing::KeyPair pair;
    bool served;
    bool known;
  };
  const std::vector<Case> cases = {{Mode::none, truck, true, false},        {Mode::requested, {}, true, false},
                                   {Mode::requested, truck, true, true},    {Mode::requested, foreign, false, false},
                                   {Mode::required, {}, false, false},      {Mode::required, truck, true, true},
                                   {Mode::required, foreign, false, false}, {Mode::required, expired, false, false}};
  for (const int version : {0x0303, 0x0304}) {
    for (const Case& c : cases) {
      use(material(), {.client_certificates = c.mode});
      TlsPeer peer({.authorities = authority().certificate(), .pair = c.pair, .version = version});
      ServerEnd server(loop, *acceptor);
      server.pump(peer);
      if (peer.connected() && peer.error().empty()) {
        peer.write("hello");
        server.pump(peer);
      }
      EXPECT_EQ(peer.received() == "hello", c.served);
      const auto identity = server.stream->peer_identity();
      EXPECT_EQ(identity.has_value(), c.known);
      if (!identity) continue;
      EXPECT_EQ(identity->common_name, "truck-7");
      EXPECT_EQ(identity->distinguished_name, "CN=truck-7,O=Fleet");
      EXPECT_EQ(identity->dns_names, std::vector<std::string>{"truck-7.fleet"});
      EXPECT_EQ(identity->uris, std::vector<std::string>{"urn:truck:7"});
    }
  }
}

TEST_F(TlsTest, ResumedSessionsKeepTheIdentity) {
  use(material(), {.client_certificates = ClientCertificates::required});
  for (const int version : {0x0303, 0x0304}) {
    const auto before = metrics.resumed.value();
    TlsPeer peer({.authorities = authority().certificate(), .pair = authority().issue("truck-7"), .version = version});
    for (int i = 0; i < 3; ++i) {
      ServerEnd server(loop, *acceptor);
      server.pump(peer);
      EXPECT_EQ(peer.resumed(), i > 0);
      EXPECT_EQ(server.stream->peer_identity()->common_name, "truck-7");
      peer.reconnect();
    }
    EXPECT_EQ(metrics.resumed.value() - before, 2U);
  }
}

TEST_F(TlsTest, TheClientsEndResumesItsLastSession) {
  const auto client_context = TlsContext::client({.authorities = authority().certificate()}, "");
  ASSERT_TRUE(client_context.has_value()) << client_context.error().message();
  TlsClient client(*client_context);
  for (int i = 0; i < 3; ++i) {
    ServerEnd server(loop, *acceptor);
    Buffer out;
    client.begin(out);
    std::string heard;
    for (bool asked = false; !out.empty();) {
      server.below->feed(as_text(out.view()));
      server.turn();
      out = Buffer();
      const std::string answer = server.below->take_sent();
      Buffer plain;
      ASSERT_TRUE(answer.empty() || client.take(as_bytes(answer), plain, out)) << client.why();
      heard += as_text(plain.view());
      if (client.is_ready() && !std::exchange(asked, true)) {
        ASSERT_TRUE(client.seal(as_bytes("hello"), out));
      }
    }
    EXPECT_EQ(heard, "hello");
    EXPECT_EQ(client.resumed(), i > 0);
  }
  EXPECT_EQ(metrics.resumed.value(), 2U);
  const auto trusts_others = TlsContext::client({.authorities = stranger().certificate()}, "");
  TlsClient wary(*trusts_others);
  ServerEnd server(loop, *acceptor);
  Buffer out;
  Buffer plain;
  wary.begin(out);
  server.below->feed(as_text(out.view()));
  server.turn();
  EXPECT_FALSE(wary.take(as_bytes(server.below->take_sent()), plain, out));
  EXPECT_NE(wary.why().find("certificate"), std::string::npos) << wary.why();
}

TEST_F(TlsTest, ReloadIsAllOrNothing) {
  const auto name_served = [&](TlsPeer& peer) {
    ServerEnd server(loop, *acceptor);
    server.pump(peer);
    return peer.server_common_name();
  };
  use(authority().server("first"));
  TlsPeer peer({});
  ServerEnd open(loop, *acceptor);
  open.pump(peer);

  TlsMaterial broken = authority().server("second");
  broken.key = authority().issue("other").key;
  const auto refused = context->reload(broken);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("does not belong"), std::string::npos);
  TlsPeer after({});
  EXPECT_EQ(name_served(after), "first");

  ASSERT_TRUE(context->reload(authority().server("second")).has_value());
  TlsPeer later({});
  EXPECT_EQ(name_served(later), "second");
  peer.write("still there");
  open.pump(peer);
  EXPECT_EQ(peer.received(), "still there");
}

TEST_F(TlsTest, TicketsOutliveAReloadButNotTheirAuthority) {
  TlsPeer peer({});
  const auto resumes = [&] {
    peer.reconnect();
    ServerEnd server(loop, *acceptor);
    server.pump(peer);
    return peer.resumed();
  };
  EXPECT_FALSE(resumes());
  EXPECT_TRUE(resumes());
  ASSERT_TRUE(context->reload(authority().server()).has_value());
  EXPECT_TRUE(resumes());
  TlsMaterial changed = authority().server();
  changed.authorities = stranger().certificate();
  ASSERT_TRUE(context->reload(changed).has_value());
  EXPECT_FALSE(resumes());
}

TEST_F(TlsTest, WrongMaterialIsExplained) {
  const auto refusal = [](TlsMaterial with, TlsRules rules = {}) {
    const auto made = TlsContext::server(with, rules);
    return made ? std::string("accepted") : made.error().message();
  };
  const TlsMaterial good = material();
  EXPECT_NE(refusal({.certificates = "", .key = good.key}).find("BEGIN CERTIFICATE"), std::string::npos);
  EXPECT_NE(refusal({.certificates = good.certificates, .key = "?"}).find("BEGIN PRIVATE KEY"), std::string::npos);
  EXPECT_NE(refusal({.certificates = good.certificates, .key = authority().issue("x").key}).find("does not belong"),
            std::string::npos);
  EXPECT_NE(refusal({.certificates = good.certificates, .key = good.key},
                    {.client_certificates = ClientCertificates::required})
                .find("no authority"),
            std::string::npos);
  const std::string cut = good.certificates.substr(0, good.certificates.size() - 40);
  EXPECT_NE(refusal({.certificates = cut, .key = good.key}).find("BEGIN CERTIFICATE"), std::string::npos);
}

TEST_F(TlsTest, WhatIsNoTlsIsRefused) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x10\x0C\x00\x04MQTT\x04\x02\x00\x3C", 12),
        std::string(5, '\0'), std::string("\x16\x03\x01\xFF\xFF", 5), std::string("\x17\x03\x03\x00\x01x", 6)}) {
    ServerEnd server(loop, *acceptor);
    server.bytes = [](ByteView) -> std::size_t {
      ADD_FAILURE() << "the handler hears nothing before the handshake";
      return 0;
    };
    server.below->feed(bytes);
    EXPECT_TRUE(server.below->closed());
  }
  EXPECT_EQ(metrics.failed.value(), 5U);
}

TEST_F(TlsTest, DamagedRecordsEndTheConnection) {
  TlsPeer peer({});
  ServerEnd server(loop, *acceptor);
  std::string heard;
  server.bytes = [&](ByteView view) {
    heard += as_text(view);
    return view.size();
  };
  server.pump(peer);
  peer.write("good");
  std::string records = peer.exchange({});
  peer.write("damaged");
  std::string second = peer.exchange({});
  second.back() = static_cast<char>(second.back() ^ 1);
  server.below->feed(records + second);
  EXPECT_EQ(heard, "good");
  EXPECT_TRUE(server.below->closed());
}

TEST_F(TlsTest, HandshakeBytesAreBounded) {
  use(material(), {}, {.handshake_bytes = 2'000});
  ServerEnd server(loop, *acceptor);
  // A client hello in many fragments, each one whole record.
  std::string fragment("\x16\x03\x01\x00\x40", 5);
  fragment += std::string("\x01\x00\xFF\xFF", 4) + std::string(60, 'x');
  std::size_t fed = 0;
  while (fed < 10'000 && server.below->feed(fragment)) fed += fragment.size();
  EXPECT_LE(fed, 2'100U);
}

TEST_F(TlsTest, HandshakesUnderWayAreBoundedAndTheOthersWait) {
  use(material(), {}, {.handshakes = 1});
  TlsPeer first({});
  TlsPeer second({});
  auto one = std::make_unique<ServerEnd>(loop, *acceptor);
  ServerEnd two(loop, *acceptor);
  one->below->feed(first.exchange({}));  // half a handshake
  two.pump(second);
  EXPECT_FALSE(second.connected());
  EXPECT_TRUE(two.below->paused());
  one.reset();  // gives its place up
  EXPECT_FALSE(two.below->paused());
  two.below->feed({});
  two.pump(second);
  two.turn();
  std::string to_server = second.exchange(two.below->take_sent());
  two.below->feed(to_server);
  EXPECT_TRUE(second.connected());
}

TEST_F(TlsTest, TheWorkerCalculatesWhileTheLoopGoesOn) {
  QueueExecutor worker;
  use(material(), {}, {}, &worker);
  TlsPeer peer({});
  auto server = std::make_unique<ServerEnd>(loop, *acceptor);
  server->below->feed(peer.exchange({}));
  EXPECT_TRUE(server->below->paused());
  EXPECT_EQ(server->below->take_sent(), "");
  server.reset();  // gone while the worker holds the session
  EXPECT_EQ(worker.run_ready(), 1U);
}

TEST_F(TlsTest, AnIdleConnectionIsSmall) {
  constexpr std::size_t kCount = 200;
  std::vector<std::unique_ptr<ServerEnd>> servers;
  servers.reserve(kCount);
  const auto open_all = [&] {
    for (std::size_t i = 0; i < kCount; ++i) {
      TlsPeer peer({});
      servers.push_back(std::make_unique<ServerEnd>(loop, *acceptor));
      servers.back()->pump(peer);
      peer.write("hello");
      servers.back()->pump(peer);
    }
  };
  open_all();
  servers.clear();
  const std::size_t before = ::mallinfo2().uordblks;
  open_all();
  const std::size_t each = (::mallinfo2().uordblks - before) / kCount;
  RecordProperty("bytes_per_idle_connection", static_cast<int>(each));
  // OpenSSL 3.0 itself takes 13.7 KiB: its SSL object 7.6, two cipher states 2.3, the session 0.9.
  EXPECT_LT(each, 15_KiB);
}

}  // namespace
}  // namespace millrace::net

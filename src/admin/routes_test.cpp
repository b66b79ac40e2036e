#include "admin/routes.h"

#include <gtest/gtest.h>

#include "metrics/testing/exposition.h"
#include "net/http/server.h"
#include "net/testing/socket_client.h"

namespace millrace::admin {
namespace {

class AdminTest : public ::testing::Test {
 protected:
  void SetUp() override {
    metrics::register_process_metrics(registry, SystemClock(), {"1.2.3", "abc"});
    add_routes(router, {registry, readiness, {"1.2.3", "abc"}, [] {
                          return std::vector<std::pair<std::string, std::string>>{{"mqtt", "127.0.0.1:1883<script>"}};
                        }});
    auto listening = net::http::Server::listen(thread.loop(), {}, router, registry, {});
    ASSERT_TRUE(listening.has_value());
    server = std::move(*listening);
    thread.run([this] { server->start(); });
  }
  void TearDown() override {
    thread.run([this] { server.reset(); });
  }
  /// The answer, with head.
  std::string get(const std::string& path) {
    net::testing::SocketClient client(server->address().port);
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return client.receive_all();
  }
  static std::string body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

  metrics::Registry registry;
  Readiness readiness;
  net::http::Router router;
  net::testing::LoopThread thread;
  std::unique_ptr<net::http::Server> server;
};

TEST_F(AdminTest, metrics_are_in_the_strict_format) {
  const std::string answer = get("/metrics");
  EXPECT_NE(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
  const auto exposition = metrics::testing::parse_exposition(body(answer));
  ASSERT_TRUE(exposition.has_value()) << exposition.error().message();
  EXPECT_GT(metrics::testing::sample_value(*exposition, "millrace_process_resident_bytes"), 0);
  EXPECT_EQ(metrics::testing::sample_value(*exposition, "millrace_http_connections", {{"server", "http"}}), 1);
}

TEST_F(AdminTest, alive_while_not_ready_and_the_reason_is_told) {
  EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 200 "));
  std::string answer = get("/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(body(answer), "{\"ready\":false,\"reason\":\"starting\"}\n");
  readiness.set_ready();
  answer = get("/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(body(answer), "{\"ready\":true}\n");
  readiness.set_not_ready("stopping");
  EXPECT_EQ(body(get("/readyz")), "{\"ready\":false,\"reason\":\"stopping\"}\n");
  EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminTest, version_and_front_page) {
  EXPECT_TRUE(body(get("/api/v1/version")).starts_with("{\"version\":\"1.2.3\",\"commit\":\"abc\",\"compiler\":\""));
  readiness.set_ready();
  const std::string page = get("/");
  EXPECT_NE(page.find("127.0.0.1:1883&lt;script>"), std::string::npos);
  EXPECT_NE(page.find("Ready."), std::string::npos);
  EXPECT_NE(page.find("Content-Security-Policy: default-src 'none'"), std::string::npos);
}

TEST(Readiness, checks_count_too) {
  Readiness readiness;
  std::optional<std::string> disk;
  readiness.add_check([&] { return disk; });
  EXPECT_EQ(readiness.obstacle(), "starting");
  readiness.set_ready();
  EXPECT_FALSE(readiness.obstacle().has_value());
  disk = "disk full";
  EXPECT_EQ(readiness.obstacle(), "disk full");
}

}  // namespace
}  // namespace millrace::admin

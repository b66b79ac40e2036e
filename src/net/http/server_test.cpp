// The whole server over real sockets: order, keep-alive, timeouts, drains, hosts and origins.
#include "net/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <optional>

#include "metrics/testing/exposition.h"
#include "net/testing/socket_client.h"

namespace millrace::net::http {
namespace {

using testing::LoopThread;
using testing::SocketClient;

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    router.add_simple("GET", "/hello/{name}", [](const Request& request) {
      return Response::json(200, json_string("hello " + std::string(request.parameter("name"))));
    });
    router.add_simple("GET", "/hello/world", [](const Request&) { return Response::json(200, "\"the word wins\""); });
    router.add_simple("POST", "/echo", [](const Request& request) {
      return Response{200,
                      "text/plain",
                      {{"X-Query", request.query_value("q") != nullptr ? *request.query_value("q") : "-"}},
                      request.body};
    });
    router.add_simple("GET", "/probe", [](const Request&) { return Response::json(200, "1"); }, Access::any_host);
    router.add_simple("GET", "/big", [](const Request&) { return Response::json(200, std::string(3'000'000, 'b')); });
    router.add("GET", "/later/{n}", [this](const Request& request, Responder responder) {
      waiting.with([&](auto& list) { list.emplace_back(std::string(request.parameter("n")), std::move(responder)); });
      arrived.set_value();
    });
    router.add("GET", "/forgotten", [](const Request&, Responder) {});
  }
  void TearDown() override {
    if (server) thread.run([this] { server.reset(); });
    waiting.with([](auto& list) { list.clear(); });
  }
  void serve(ServerOptions options = {}) {
    auto listening = Server::listen(thread.loop(), Address{}, router, registry, std::move(options));
    ASSERT_TRUE(listening.has_value()) << listening.error().message();
    server = std::move(*listening);
    port = server->address().port;
    thread.run([this] { server->start(); });
  }
  /// Sends a request with the given line and headers, and "Connection: close"; returns the whole answer.
  std::string ask(const std::string& line, const std::string& headers = "Host: localhost\r\n",
                  const std::string& body = "") {
    SocketClient client(port);
    client.send(line + " HTTP/1.1\r\n" + headers + "Connection: close\r\n" +
                (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body);
    return client.receive_all();
  }
  static int status(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
  }
  static std::string body(const std::string& answer) {
    const auto end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
  }

  LoopThread thread;
  Router router;
  metrics::Registry registry;
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;
  Guarded<std::vector<std::pair<std::string, Responder>>> waiting;
  std::promise<void> arrived;
};

TEST_F(ServerTest, routes_words_names_and_misses) {
  serve();
  EXPECT_EQ(body(ask("GET /hello/J%C3%BCrgen%2F1")), "\"hello J\xC3\xBCrgen/1\"");
  EXPECT_EQ(body(ask("GET /hello/world")), "\"the word wins\"");
  EXPECT_EQ(status(ask("GET /hello/")), 404);
  EXPECT_EQ(status(ask("GET /hello")), 404);
  EXPECT_EQ(status(ask("GET /hello/a/b")), 404);
  EXPECT_EQ(status(ask("GET /")), 404);
  EXPECT_EQ(body(ask("GET /no\"thing")),
            "{\"error\":\"not_found\",\"message\":\"there is nothing at /no\\\"thing\"}\n");
  const std::string wrong = ask("DELETE /hello/x");
  EXPECT_EQ(status(wrong), 405);
  EXPECT_NE(wrong.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
  EXPECT_EQ(status(ask("OPTIONS /echo")), 204);
}

TEST_F(ServerTest, a_guard_is_asked_for_all_but_probes) {
  std::atomic<int> asked = 0;
  ServerOptions options;
  options.guard = [&](std::string_view authorization, std::move_only_function<void(bool)> verdict) {
    ++asked;
    thread.loop().post([verdict = std::move(verdict), right = authorization == "Basic YTpi"]() mutable {
      verdict(right);  // later, as a password check is
    });
  };
  serve(options);
  const std::string refused = ask("GET /hello/you");
  EXPECT_EQ(status(refused), 401);
  EXPECT_NE(refused.find("WWW-Authenticate: Basic realm="), std::string::npos);
  EXPECT_EQ(status(ask("GET /hello/you", "Host: localhost\r\nAuthorization: Basic eHg=\r\n")), 401);
  EXPECT_EQ(status(ask("GET /hello/you", "Host: localhost\r\nAuthorization: Basic YTpi\r\n")), 200);
  EXPECT_EQ(body(ask("POST /echo", "Host: localhost\r\nAuthorization: Basic YTpi\r\n", "text")), "text");
  EXPECT_EQ(status(ask("GET /nothing")), 401);  // what is there is not told either
  EXPECT_EQ(asked, 5);
  EXPECT_EQ(status(ask("GET /probe")), 200);
  EXPECT_EQ(asked, 5);
}

TEST_F(ServerTest, head_is_get_without_its_body) {
  serve();
  const std::string answer = ask("HEAD /hello/world");
  EXPECT_EQ(status(answer), 200);
  EXPECT_NE(answer.find("Content-Length: 15\r\n"), std::string::npos);
  EXPECT_EQ(body(answer), "");
}

TEST_F(ServerTest, body_and_query_reach_the_handler) {
  serve();
  const std::string answer = ask("POST /echo?q=a%20b", "Host: 127.0.0.1:8080\r\n", std::string(100'000, 'z'));
  EXPECT_NE(answer.find("\r\nX-Query: a b\r\n"), std::string::npos);
  EXPECT_EQ(body(answer), std::string(100'000, 'z'));
}

TEST_F(ServerTest, keep_alive_and_pipelining_answer_in_order) {
  serve();
  SocketClient client(port);
  std::string requests;
  for (int i = 0; i < 100; ++i)
    requests += "GET /hello/" + std::to_string(100 + i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  requests += "GET /hello/end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  ASSERT_TRUE(client.send(requests));
  const std::string answers = client.receive_all();
  std::size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    at = answers.find("hello " + std::to_string(100 + i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_NE(answers.find("hello end", at), std::string::npos);
}

TEST_F(ServerTest, answers_may_come_later_from_another_thread_and_stay_in_order) {
  serve();
  SocketClient client(port);
  ASSERT_TRUE(
      client.send("GET /later/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                  "GET /hello/2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  arrived.get_future().wait();
  waiting.with([](auto& list) {
    ASSERT_EQ(list.size(), 1U);
    list[0].second.respond(Response::json(201, "\"later " + list[0].first + "\""));
    list.clear();
  });
  const std::string answers = client.receive_all();
  EXPECT_EQ(status(answers), 201);
  const auto first = answers.find("later 1");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(answers.find("hello 2", first), std::string::npos);
}

TEST_F(ServerTest, an_answer_to_a_connection_that_is_gone_does_nothing) {
  serve();
  {
    SocketClient client(port);
    ASSERT_TRUE(client.send("GET /later/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    arrived.get_future().wait();
    client.reset();
  }
  while (thread.run([&] { return server->connections(); }) != 0) {
  }
  waiting.with([](auto& list) {
    list[0].second.respond(Response::json(200, "1"));
    list.clear();
  });
  EXPECT_EQ(status(ask("GET /hello/world")), 200);
}

TEST_F(ServerTest, a_handler_that_forgets_to_answer_is_a_500) {
  serve();
  EXPECT_EQ(status(ask("GET /forgotten")), 500);
}

TEST_F(ServerTest, malformed_requests_get_their_status_and_the_end) {
  serve();
  SocketClient client(port);
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const std::string answer = client.receive_all();
  EXPECT_EQ(status(answer), 400);
  EXPECT_NE(answer.find("\"error\":\"ambiguous_length\""), std::string::npos) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  const auto metrics = metrics::testing::parse_exposition(registry.prometheus_text());
  ASSERT_TRUE(metrics.has_value());
  EXPECT_EQ(metrics::testing::sample_value(*metrics, "millrace_http_malformed_requests_total", {{"server", "http"}}),
            1);
  EXPECT_EQ(metrics::testing::sample_value(*metrics, "millrace_http_responses_total",
                                           {{"server", "http"}, {"status", "4xx"}}),
            1);
}

TEST_F(ServerTest, only_trusted_hosts_except_for_probes) {
  serve({.allowed_hosts = {"plant.example"}});
  for (const auto* host :
       {"localhost", "LOCALHOST:8080", "127.0.0.1", "10.1.2.3:80", "[::1]:8080", "plant.example:8080"}) {
    EXPECT_EQ(status(ask("GET /hello/world", "Host: " + std::string(host) + "\r\n")), 200) << host;
  }
  for (const auto* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "[x]:80"}) {
    const std::string header = "Host: " + std::string(host) + "\r\n";
    EXPECT_EQ(status(ask("GET /hello/world", header)), 403) << host;
    EXPECT_EQ(status(ask("POST /echo", header, "x")), 403) << host;
    EXPECT_EQ(status(ask("GET /probe", header)), 200) << host;
  }
}

TEST_F(ServerTest, foreign_pages_change_nothing) {
  serve();
  const auto post = [&](const std::string& origin) {
    return status(ask("POST /echo", "Host: localhost:8080\r\nOrigin: " + origin + "\r\n", "x"));
  };
  EXPECT_EQ(post("http://localhost:8080"), 200);
  EXPECT_EQ(post("http://localhost:9090"), 403);
  EXPECT_EQ(post("https://evil.example"), 403);
  EXPECT_EQ(post("null"), 403);
}

TEST_F(ServerTest, a_request_that_takes_too_long_is_a_408) {
  serve({.request_timeout = std::chrono::milliseconds(20)});
  SocketClient client(port);
  ASSERT_TRUE(client.send("GET /hello/world HTTP/1.1\r\nHo"));
  EXPECT_EQ(status(client.receive_all()), 408);
}

TEST_F(ServerTest, an_idle_connection_is_closed_in_silence) {
  serve({.idle_timeout = std::chrono::milliseconds(20)});
  SocketClient client(port);
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_EQ(client.last_error(), 0);
}

TEST_F(ServerTest, a_client_that_does_not_take_its_answers_is_not_listened_to) {
  serve({.idle_timeout = std::chrono::milliseconds(300)});
  SocketClient client(port, 4096);
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n";
  ASSERT_TRUE(client.send(requests));
  // 150 MB were asked for; not taken, they must not be made. The connection is cut off instead.
  while (thread.run([&] { return server->connections(); }) != 0) {
  }
  const auto metrics = metrics::testing::parse_exposition(registry.prometheus_text());
  EXPECT_LT(metrics::testing::sample_value(*metrics, "millrace_http_responses_total",
                                           {{"server", "http"}, {"status", "2xx"}}),
            10);
}

TEST_F(ServerTest, a_slow_client_gets_all_of_it) {
  serve();
  SocketClient client(port, 4096);
  ASSERT_TRUE(
      client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\nGET /big HTTP/1.1\r\nHost: localhost\r\n"
                  "Connection: close\r\n\r\n"));
  EXPECT_GT(client.receive_all().size(), 6'000'000U);
}

TEST_F(ServerTest, connections_over_the_limit_are_closed_and_counted) {
  serve({.max_connections = 1});
  SocketClient first(port);
  ASSERT_TRUE(first.send("GET /hello/world HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_EQ(status(first.receive(12) + "   "), 200);
  SocketClient second(port);
  EXPECT_TRUE(second.ended());
}

TEST_F(ServerTest, continue_is_sent_to_a_client_that_waits_for_it) {
  serve();
  SocketClient client(port);
  ASSERT_TRUE(
      client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                  "Connection: close\r\n\r\n"));
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(client.receive(go_on.size()), go_on);
  ASSERT_TRUE(client.send("ok"));
  EXPECT_EQ(body(client.receive_all()), "ok");
}

TEST_F(ServerTest, drain_finishes_what_is_under_way) {
  serve();
  SocketClient idle(port);
  SocketClient busy(port);
  ASSERT_TRUE(busy.send("GET /later/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  arrived.get_future().wait();
  while (thread.run([&] { return server->connections(); }) < 2) {
  }
  thread.run([&] { server->drain(); });
  EXPECT_EQ(idle.receive_all(), "");
  waiting.with([](auto& list) {
    list[0].second.respond(Response::json(200, "\"done\""));
    list.clear();
  });
  const std::string answer = busy.receive_all();
  EXPECT_EQ(body(answer), "\"done\"");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_FALSE(SocketClient(port).connected());
}

}  // namespace
}  // namespace millrace::net::http

// The blocking client's requests under way at once: answers in any order, failures alone, ended by abort.
#include "net/http/client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "metrics/registry.h"
#include "net/http/server.h"
#include "net/testing/socket_client.h"

namespace millrace::net::http {
namespace {

class RequestsTest : public ::testing::Test {
 protected:
  RequestsTest() {
    router_.add_simple("POST", "/echo", [](const Request& request) { return Response::json(200, request.body); });
    // Answers of /later wait until /now is asked.
    router_.add("POST", "/later", [this](Request, Responder responder) { waiting_.emplace(std::move(responder)); });
    router_.add("POST", "/now", [this](Request, Responder responder) {
      responder.respond(Response::json(200, "\"now\""));
      if (waiting_) waiting_->respond(Response::json(201, "\"later\""));
      waiting_.reset();
    });
    server_ =
        Server::listen(thread_.loop(), Address{}, router_, registry_, {.read = {.body_bytes = 16U << 20U}}).value();
    url_ = "http://" + server_->address().to_string();
    thread_.run([this] { server_->start(); });
  }
  ~RequestsTest() override {
    thread_.run([this] {
      waiting_.reset();
      server_.reset();
    });
  }
  ClientRequest post(const std::string& path, std::string_view body = "{}") const {
    return {.method = "POST", .url = url_ + path, .headers = {}, .body = as_bytes(body), .has_body = true};
  }

  metrics::Registry registry_;
  Router router_;
  testing::LoopThread thread_;
  std::unique_ptr<Server> server_;
  std::optional<Responder> waiting_;  // the loop's
  std::string url_;
};

TEST_F(RequestsTest, AnswersComeInAnyOrder) {
  Requests requests({}, 2);
  requests.begin(0, post("/later"));
  // The first is at the server before the second asks for it: its connection is made and used in end().
  const std::string large(4U << 20U, 'x');
  for (int round = 0; round < 20; ++round) {
    requests.begin(1, post("/echo", large));
    const auto echoed = requests.end(1);
    ASSERT_TRUE(echoed) << echoed.error().message();
    EXPECT_EQ(echoed->body.size(), large.size());
  }
  requests.begin(1, post("/now"));
  EXPECT_EQ(requests.end(1)->body, "\"now\"");
  const auto later = requests.end(0);
  ASSERT_TRUE(later) << later.error().message();
  EXPECT_EQ(later->status, 201);
}

TEST_F(RequestsTest, AFailureIsAlone) {
  Requests requests({.connect_timeout = std::chrono::seconds(5)}, 3);
  ClientRequest nowhere = post("/echo");
  nowhere.url = "http://127.0.0.1:1/";
  requests.begin(0, post("/echo", "1"));
  requests.begin(1, nowhere);
  requests.begin(2, post("/echo", "2"));
  EXPECT_EQ(requests.end(0)->body, "1");
  EXPECT_EQ(requests.end(1).error().code, ErrorCode::unavailable);
  EXPECT_EQ(requests.end(2)->body, "2");
  EXPECT_EQ(requests.end(2).error().code, ErrorCode::internal) << "nothing is under way there";
}

TEST_F(RequestsTest, AbortEndsTheWait) {
  std::atomic<bool> abort{false};
  Requests requests({.request_timeout = std::chrono::minutes(1)}, 1, &abort);
  requests.begin(0, post("/later"));
  abort = true;
  EXPECT_EQ(requests.end(0).error().code, ErrorCode::closed);
}

TEST_F(RequestsTest, WhatIsUnderWayMayBeLeft) {
  Requests requests({}, 4);
  for (std::size_t slot = 0; slot < 4; ++slot) requests.begin(slot, post("/later"));
}

}  // namespace
}  // namespace millrace::net::http

#include "net/http/request_reader.h"

#include <gtest/gtest.h>

namespace millrace::net::http {
namespace {

struct Outcome {
  std::vector<Request> requests;
  int status = 0;  // of the refusal
  std::string code;
};

/// Feeds `bytes` in pieces of `step`, giving back what was left each time, as a stream does.
Outcome read_all(std::string_view bytes, std::size_t step, const ReadLimits& limits = {}) {
  Outcome outcome;
  RequestReader reader(limits);
  std::string pending;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    pending += bytes.substr(at, step);
    for (;;) {
      const std::size_t used = reader.read(as_bytes(pending));
      pending.erase(0, used);
      if (reader.state() == RequestReader::State::refused) {
        outcome.status = reader.refusal().status;
        outcome.code = reader.refusal().code;
        return outcome;
      }
      if (reader.state() != RequestReader::State::complete) break;
      outcome.requests.push_back(reader.take());
    }
  }
  return outcome;
}

std::string describe(const Outcome& outcome) {
  std::string text = std::to_string(outcome.status) + " " + outcome.code;
  for (const Request& request : outcome.requests) {
    text += "\n" + request.method + " " + request.path + (request.keep_alive ? " keep" : " close");
    for (const auto& [key, value] : request.query) text += " ?" + key + "=" + value;
    for (const auto& [key, value] : request.headers) text += " [" + key + ": " + value + "]";
    text += " " + request.body;
  }
  return text;
}

TEST(RequestReader, the_same_at_every_split) {
  const std::string bytes =
      "GET /a%20b?x=1&y=%2B+z&flag HTTP/1.1\r\nHost: h\r\nX-Thing:  two words \r\n\r\n"
      "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
      "\r\n"
      "PUT /c HTTP/1.1\r\nhOST: h\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n3;ext=1\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: "
      "t\r\n\r\n"
      "DELETE /d HTTP/1.0\r\n\r\n"
      "GET /e HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string expected =
      "0 "
      "\nGET /a%20b keep ?x=1 ?y=+ z ?flag= [host: h] [x-thing: two words] "
      "\nPOST /p keep [host: h] [content-length: 5] hello"
      "\nPUT /c keep [host: h] [transfer-encoding: Chunked] abc0123456789abcdef"
      "\nDELETE /d close "
      "\nGET /e close [host: h] [connection: close] ";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    ASSERT_EQ(describe(read_all(bytes, step)), expected) << "in pieces of " << step;
  }
}

struct BadRequest {
  const char* what;
  std::string bytes;
  int status;
};

class Malformed : public ::testing::TestWithParam<BadRequest> {};

TEST_P(Malformed, is_refused_at_every_split) {
  const auto& [what, bytes, status] = GetParam();
  for (const std::size_t step : {bytes.size(), 1UL, 7UL}) {
    const Outcome outcome = read_all(bytes, step, {.head_bytes = 2048, .headers = 20, .body_bytes = 100});
    EXPECT_EQ(outcome.status, status) << what << " in pieces of " << step << ": " << describe(outcome);
    EXPECT_TRUE(outcome.requests.empty()) << what;
  }
}

std::string with_headers(const std::string& headers, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body;
}

INSTANTIATE_TEST_SUITE_P(
    RequestReader, Malformed,
    ::testing::Values(
        BadRequest{"not HTTP", "\x16\x03\x01\x02 hello\r\n\r\n", 400},
        BadRequest{"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"no version", "GET /\r\nHost: h\r\n\r\n", 400},
        BadRequest{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        BadRequest{"HTTP/0.9 version", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505},
        BadRequest{"bad version text", "GET / HTTX/1.1\r\nHost: h\r\n\r\n", 505},
        BadRequest{"absolute target", "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"asterisk target", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"broken escape", "GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"escape that is no hex", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"escaped zero", "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"escaped line feed in the query", "GET /?a=%0a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
        BadRequest{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        BadRequest{"space before the colon", with_headers("Content-Length : 5\r\n", "hello"), 400},
        BadRequest{"name with a space", with_headers("A b: 5\r\n"), 400},
        BadRequest{"header without a colon", with_headers("nonsense\r\n"), 400},
        BadRequest{"empty header name", with_headers(": 5\r\n"), 400},
        BadRequest{"control character in a value", with_headers("A: b\x01z\r\n"), 400},
        BadRequest{"length and encoding", with_headers("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello"),
                   400},
        BadRequest{"encoding and length",
                   with_headers("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
        BadRequest{"two lengths that differ", with_headers("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400},
        BadRequest{"two lengths that agree", with_headers("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
        BadRequest{"length list", with_headers("Content-Length: 5, 5\r\n", "hello"), 400},
        BadRequest{"negative length", with_headers("Content-Length: -1\r\n"), 400},
        BadRequest{"signed length", with_headers("Content-Length: +5\r\n", "hello"), 400},
        BadRequest{"hex length", with_headers("Content-Length: 0x5\r\n", "hello"), 400},
        BadRequest{"length beyond 64 bits", with_headers("Content-Length: 99999999999999999999999\r\n"), 400},
        BadRequest{"unknown encoding", with_headers("Transfer-Encoding: gzip\r\n", "x"), 501},
        BadRequest{"encoding that only looks chunked", with_headers("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
                   501},
        BadRequest{"gzip then chunked", with_headers("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
        BadRequest{"encoding twice",
                   with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        BadRequest{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        BadRequest{"chunk size that is no number", with_headers("Transfer-Encoding: chunked\r\n", "zz\r\n"), 400},
        BadRequest{"chunk size beyond 64 bits", with_headers("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
                   400},
        BadRequest{"chunk longer than its size",
                   with_headers("Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n0\r\n\r\n"), 400},
        BadRequest{"body over the limit", with_headers("Content-Length: 101\r\n"), 413},
        BadRequest{"chunks over the limit",
                   with_headers("Transfer-Encoding: chunked\r\n", "60\r\n" + std::string(96, 'x') + "\r\n10\r\n"), 413},
        BadRequest{"endless request line", "GET /" + std::string(5000, 'a'), 431},
        BadRequest{"endless header", with_headers("A: " + std::string(5000, 'a')), 431},
        BadRequest{"too many headers",
                   [] {
                     std::string headers;
                     for (int i = 0; i < 21; ++i) headers += "A: b\r\n";
                     return with_headers(headers);
                   }(),
                   431},
        BadRequest{"endless chunk extension",
                   with_headers("Transfer-Encoding: chunked\r\n", "1;" + std::string(5000, 'a')), 431}),
    [](const auto& test) {
      std::string name = test.param.what;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
      return name;
    });

TEST(RequestReader, the_last_chunk_may_come_in_any_pieces) {
  const std::string head = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body : {"0\r\n\r\n", "2\r\nab\r\n0\r\n\r\n"}) {
    const std::string bytes = head + body;
    RequestReader reader(ReadLimits{});
    std::string pending;
    for (const char byte : bytes) {
      EXPECT_EQ(reader.state(), RequestReader::State::more);
      pending += byte;
      pending.erase(0, reader.read(as_bytes(pending)));
    }
    ASSERT_EQ(reader.state(), RequestReader::State::complete);
    EXPECT_EQ(reader.take().body, body.size() > 5 ? "ab" : "");
  }
}

TEST(RequestReader, the_limit_of_the_head_is_exact_at_every_split) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  for (const std::size_t over : {0U, 1U, 40U}) {
    const std::string head = start + std::string(256 + over - start.size() - 4, 'x') + "\r\n\r\n";
    ASSERT_EQ(head.size(), 256 + over);
    for (std::size_t step = 1; step <= head.size(); ++step) {
      const Outcome outcome = read_all(head, step, {.head_bytes = 256});
      EXPECT_EQ(outcome.status, over == 0 ? 0 : 431) << over << " bytes over, step " << step;
      EXPECT_EQ(outcome.requests.size(), over == 0 ? 1U : 0U) << over << " bytes over, step " << step;
    }
  }
}

TEST(RequestReader, asks_for_the_body_once_when_the_client_waits) {
  RequestReader reader({});
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  EXPECT_EQ(reader.read(as_bytes(head)), head.size());
  EXPECT_TRUE(reader.take_continue());
  EXPECT_FALSE(reader.take_continue());
  EXPECT_EQ(reader.read(as_bytes("ok")), 2U);
  EXPECT_EQ(reader.take().body, "ok");
}

TEST(RequestReader, a_claimed_length_takes_no_memory) {
  RequestReader reader({.body_bytes = std::uint64_t{1} << 60U});
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000000000\r\n\r\nx";
  EXPECT_EQ(reader.read(as_bytes(head)), head.size());
  EXPECT_EQ(reader.state(), RequestReader::State::more);
}

TEST(Message, json_strings_are_always_utf8) {
  EXPECT_EQ(json_string("caf\xC3"), "\"caf\xEF\xBF\xBD\"") << "cut off";
  EXPECT_EQ(json_string("\xFF\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"") << "a surrogate";
  EXPECT_EQ(json_string("\xF0\x9F\x9A\x97 \xE2\x82\xAC"), "\"\xF0\x9F\x9A\x97 \xE2\x82\xAC\"");
}

TEST(Message, json_strings_are_escaped) {
  EXPECT_EQ(json_string("a\"b\\c\n\x01é"), "\"a\\\"b\\\\c\\n\\u0001é\"");
}

}  // namespace
}  // namespace millrace::net::http

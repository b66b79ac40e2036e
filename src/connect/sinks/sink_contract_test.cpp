// Sinks against the contract that the runtime relies on.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "base/guarded.h"
#include "connect/sinks/clickhouse/clickhouse_sink.h"
#include "connect/sinks/http/http_sink.h"
#include "connect/sinks/influxdb/influxdb_sink.h"
#include "connect/sinks/s3/s3_sink.h"
#include "connect/testing/contract_suite.h"
#include "connect/testing/http_peer.h"

namespace millrace::connect {
namespace {

using testing::check_sink_contract;
using testing::FakeBucket;
using testing::HttpPeer;
using testing::Weather;

/// A destination that keeps the lines of every body it takes; bodies that come again under one token are one.
class Store {
 public:
  net::http::Response take(const net::http::Request& request) {
    if (weather == Weather::refusing) return net::http::Response::json(503, "{}");
    const std::string* token = request.query_value("insert_deduplication_token");
    kept_.with([&](auto& kept) {
      if (token != nullptr && !kept.tokens.insert(*token).second) return;
      std::istringstream lines(request.body);
      for (std::string line; std::getline(lines, line);) kept.lines.push_back(line);
    });
    return net::http::Response::json(weather == Weather::losing_answers ? 500 : 200, "{}");
  }
  std::vector<std::string> lines() const {
    return kept_.with([](const auto& kept) { return kept.lines; });
  }
  std::atomic<Weather> weather{Weather::fine};

 private:
  struct Kept {
    std::vector<std::string> lines;
    std::set<std::string> tokens;
  };
  Guarded<Kept> kept_;
};

TEST(SinkContract, Http) {
  Store store;
  HttpPeer peer([&](const net::http::Request& request) { return store.take(request); });
  check_sink_contract({.sink_class = &http::http_sink_class(),
                       .config = {{"http.api.url", peer.url() + "/log"}},
                       .stored = [&] { return store.lines(); },
                       .weather = [&](Weather weather) { store.weather = weather; },
                       .exactly_once = false});
}

TEST(SinkContract, ClickHouse) {
  Store store;
  HttpPeer peer([&](const net::http::Request& request) { return store.take(request); });
  check_sink_contract({.sink_class = &clickhouse::clickhouse_sink_class(),
                       .config = {{"hostname", "127.0.0.1"}, {"ssl", "false"}, {"port", peer.url().substr(17)}},
                       .stored = [&] { return store.lines(); },
                       .weather = [&](Weather weather) { store.weather = weather; }});
}

TEST(SinkContract, ClickHouseRowBinary) {
  Store store;
  HttpPeer peer([&](const net::http::Request& request) {
    if (request.query_value("query")->starts_with("DESCRIBE")) {
      return net::http::Response::json(store.weather == Weather::refusing ? 503 : 200,
                                       R"({"name":"seq","type":"Int64","default_type":""})");
    }
    EXPECT_EQ(*request.query_value("query"), "INSERT INTO `cars` (`seq`) FORMAT RowBinary");
    net::http::Request as_lines = request;
    as_lines.body.clear();
    for (std::size_t at = 0; at + 8 <= request.body.size(); at += 8) {
      std::int64_t seq = 0;
      std::memcpy(&seq, request.body.data() + at, 8);
      as_lines.body += R"({"seq":)" + std::to_string(seq) + "}\n";
    }
    return store.take(as_lines);
  });
  check_sink_contract({.sink_class = &clickhouse::clickhouse_sink_class(),
                       .config = {{"hostname", "127.0.0.1"},
                                  {"ssl", "false"},
                                  {"insert.format", "RowBinary"},
                                  {"port", peer.url().substr(17)}},
                       .stored = [&] { return store.lines(); },
                       .weather = [&](Weather weather) { store.weather = weather; }});
}

/// What a server of points holds, by their identity.
class Points {
 public:
  net::http::Response take(const net::http::Request& request) {
    if (weather == Weather::refusing) return net::http::Response::json(503, "{}");
    bool refused = false;
    kept_.with([&](auto& kept) {
      std::istringstream lines(request.body);
      for (std::string line; std::getline(lines, line);) {
        const auto fields = line.find(' ');
        const auto time = line.rfind(' ');
        const std::string field = line.substr(fields + 1, time - fields - 1);
        refused = refused || field.find("poison") != std::string::npos;
        if (field.find("poison") == std::string::npos) kept[line.substr(0, fields) + line.substr(time)] = field;
      }
    });
    if (weather == Weather::losing_answers) return net::http::Response::json(500, "{}");
    if (refused) return net::http::Response::json(400, R"({"error":"partial write: field type conflict dropped=1"})");
    return {204, "application/json", {}, ""};
  }
  std::map<std::string, std::string> all() const {
    return kept_.with([](const auto& kept) { return kept; });
  }
  std::atomic<Weather> weather{Weather::fine};

 private:
  Guarded<std::map<std::string, std::string>> kept_;
};

TEST(SinkContract, InfluxDb) {
  Points points;
  HttpPeer peer([&](const net::http::Request& request) { return points.take(request); });
  check_sink_contract({.sink_class = &influxdb::influxdb_sink_class(),
                       .config = {{"influxdb.url", peer.url()}, {"influxdb.db", "fleet"}},
                       .stored =
                           [&] {
                             std::vector<std::string> lines;
                             for (const auto& [identity, field] : points.all()) {
                               lines.push_back("{\"seq\":" + field.substr(field.find('=') + 1) + "}");
                             }
                             return lines;
                           },
                       .weather = [&](Weather weather) { points.weather = weather; }});
}

TEST(SinkContract, S3) {
  std::atomic<Weather> weather{Weather::fine};
  FakeBucket bucket([&] {
    const Weather now = weather;
    return now == Weather::fine       ? FakeBucket::Fault::none
           : now == Weather::refusing ? FakeBucket::Fault::before
                                      : FakeBucket::Fault::after;
  });
  check_sink_contract({.sink_class = &s3::s3_sink_class(),
                       .config = {{"store.url", bucket.url()},
                                  {"s3.bucket.name", "b"},
                                  {"aws.access.key.id", "k"},
                                  {"aws.secret.access.key", "s"},
                                  {"flush.size", "4"},
                                  {"format.class", "io.confluent.connect.s3.format.json.JsonFormat"}},
                       .stored =
                           [&] {
                             std::vector<std::string> lines;
                             for (const auto& [key, bytes] : bucket.objects()) {
                               std::istringstream text(bytes);
                               for (std::string line; std::getline(text, line);) lines.push_back(line);
                             }
                             return lines;
                           },
                       .weather = [&](Weather now) { weather = now; }});
}

}  // namespace
}  // namespace millrace::connect

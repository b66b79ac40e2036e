// Points of the InfluxDB sink through a whole worker, against a peer that keeps the lines it is sent.
#include <algorithm>
#include <set>
#include <sstream>

#include "base/guarded.h"
#include "connect/testing/connect_fixture.h"
#include "connect/testing/http_peer.h"

namespace millrace::connect::influxdb {
namespace {

using testing::eventually;

class InfluxDbTest : public testing::ConnectFixture {
 protected:
  InfluxDbTest() : peer_([this](const net::http::Request& request) { return serve(request); }) {}
  net::http::Response serve(const net::http::Request& request) {
    bool refused = false;
    lines_.with([&](auto& lines) {
      target_ = request.path + "?db=" + *request.query_value("db");
      std::istringstream text(request.body);
      for (std::string line; std::getline(text, line);) {
        const bool poison = line.find("poison") != std::string::npos;
        refused = refused || poison;
        if (!poison) lines.push_back(line);
      }
    });
    return refused ? net::http::Response::json(400, R"({"error":"partial write: field type conflict"})")
                   : net::http::Response{204, "application/json", {}, ""};
  }
  std::vector<std::string> lines() const {
    auto all = lines_.with([](const auto& lines) { return lines; });
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }
  void create(const std::string& more) {
    const Answer made =
        call("POST", "/connectors",
             R"({"name":"i","config":{"connector.class":"InfluxDBSink","topics":"cars","influxdb.db":"fleet",)"
             R"("errors.tolerance":"all","influxdb.url":")" +
                 peer_.url() + "\"" + more + "}}");
    ASSERT_EQ(made.status, 201) << made.body;
  }

  Guarded<std::vector<std::string>> lines_;
  std::string target_;
  testing::HttpPeer peer_;
};

TEST_F(InfluxDbTest, ARecordIsAPoint) {
  make_topic("cars", 1);
  produce("cars", {R"({"dev":"a b,c=d","speed":1,"on":true,"note":"say \"x\"\n","gone":null,"tags":{"site":"se"}})",
                   R"({"dev":"e","at":1600000000000,"speed":1.5})", R"([1])", R"({"dev":"only tags"})"});
  create(R"(,"influxdb.tags":"dev","measurement.name.format":"m ${topic}")");
  const std::vector<std::string> expected = {
      R"(m\ cars,dev=a\ b\,c\=d,site=se speed=1,on=true,note="say \"x\" " 1700000000000000000)",
      R"(m\ cars,dev=e at=1600000000000,speed=1.5 1700000000000000001)",
  };
  ASSERT_TRUE(eventually([&] { return lines() == expected; })) << lines().front();
  EXPECT_EQ(target_, "/write?db=fleet");
  ASSERT_TRUE(eventually([&] {
    return call("GET", "/connectors/i/failures").body.find("\"count\":2,") != std::string::npos;
  })) << call("GET", "/connectors/i/failures").body;
}

// Records of several partitions have the same offsets, here also the same time and no tags.
TEST_F(InfluxDbTest, ASeriesMayBeInSeveralPartitions) {
  make_topic("cars", 4);
  std::vector<std::string> values;
  for (int i = 0; i < 200; ++i) values.push_back("{\"seq\":" + std::to_string(i) + "}");
  produce("cars", values);
  create("");
  const auto points = [&] {
    std::set<std::string> times;
    for (const std::string& line : lines()) times.insert(line.substr(line.rfind(' ')));
    return times.size();
  };
  EXPECT_TRUE(eventually([&] { return points() == 200; })) << points() << " points in InfluxDB";
}

TEST_F(InfluxDbTest, APointThatIsRefusedIsFoundAndTheRestIsThere) {
  make_topic("cars", 1);
  std::vector<std::string> values;
  for (int i = 0; i < 50; ++i)
    values.push_back("{\"seq\":" + std::to_string(i) + (i == 17 ? R"(,"x":"poison"})" : "}"));
  produce("cars", values);
  create("");
  EXPECT_TRUE(eventually([&] { return lines().size() == 49; })) << lines().size();
  ASSERT_TRUE(eventually([&] { return call("GET", "/connectors/i/failures/cars/0/17").status == 200; }));
}

}  // namespace
}  // namespace millrace::connect::influxdb

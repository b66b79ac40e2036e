// The Elasticsearch sink against a peer that keeps documents as Elasticsearch does: external versions, items that fail
// one by one, answers that get lost.
#include "connect/sinks/elasticsearch/elasticsearch_sink.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "codec/compression.h"
#include "connect/json_members.h"
#include "connect/json_writer.h"
#include "connect/runtime/record_path.h"
#include "connect/runtime/validation.h"
#include "connect/testing/http_peer.h"

namespace millrace::connect::elasticsearch {
namespace {

class FakeIndex {
 public:
  struct Document {
    std::string source;
    std::int64_t version = 0;
  };
  std::map<std::string, Document> documents;                                                     // "index/id"
  std::function<int(const std::string& id)> item_status = [](const std::string&) { return 0; };  // 0: as usual
  std::function<int()> bulk_status = [] { return 200; };  // else: the answer instead, behind the effect when above 599
  std::string retry_after;
  int bulks = 0;

  net::http::Response serve(const net::http::Request& request) {
    if (request.method == "GET") return net::http::Response::json(200, R"({"version":{"number":"8.1.0"}})");
    ++bulks;
    const int status = bulk_status();
    if (status != 200 && status < 600) {
      net::http::Response response = net::http::Response::json(status, "{}");
      if (!retry_after.empty()) response.headers.emplace_back("Retry-After", retry_after);
      return response;
    }
    std::string body = request.body;
    if (request.header("content-encoding") == "gzip") {
      Buffer plain;
      EXPECT_TRUE(decompress(CompressionCodec::gzip, as_bytes(body), 64_MiB, plain));
      body = as_text(plain.view());
    }
    std::istringstream lines(body);
    JsonWriter items;
    bool errors = false;
    items.begin_array();
    for (std::string line; std::getline(lines, line);) errors = take(line, lines, items) || errors;
    items.end_array();
    if (status >= 600) return net::http::Response::json(status - 100, "{}");  // done, but nobody is told
    return net::http::Response::json(
        200, std::string(R"({"took":1,"errors":)") + (errors ? "true" : "false") + ",\"items\":" + items.take() + "}");
  }

 private:
  bool take(const std::string& line, std::istringstream& lines, JsonWriter& items) {
    sql::JsonDocument document;
    EXPECT_TRUE(document.parse(line)) << line;
    std::string op;
    sql::Value action;
    for (const char* name : {"index", "create", "update", "delete"}) {
      if (!root_of(document).member(name).is_undefined()) {
        op = name;
        action = root_of(document).member(name);
      }
    }
    std::string source;
    if (op != "delete") std::getline(lines, source);
    const std::string id = member_text(action, "_index") + "/" + member_text(action, "_id");
    const std::int64_t version = member_number(action, "version", -1);
    int status = item_status(id);
    if (status == 0) {
      const auto there = documents.find(id);
      status = 201;
      if (version >= 0 && there != documents.end() && there->second.version >= version) status = 409;
      if (op == "create" && there != documents.end()) status = 409;
      if (status == 201 && op == "delete") documents.erase(id);
      if (status == 201 && op != "delete") documents[id] = {source, version};
    }
    items.begin_object().key(op).begin_object().member("status", status);
    if (status >= 300) {
      items.key("error").begin_object();
      items.member("type", status == 400 ? "mapper_parsing_exception" : "other_exception")
          .member("reason", "r")
          .end_object();
    }
    items.end_object().end_object();
    return status >= 300;
  }
};

class ElasticsearchTest : public ::testing::Test {
 protected:
  ElasticsearchTest() : peer_([this](const net::http::Request& request) { return index_.serve(request); }) {}

  void use(ConnectorConfig config) {
    config.try_emplace("name", "es");
    config.try_emplace("connector.class", "ElasticsearchSinkConnector");
    config.try_emplace("topics", "Cars");
    config.try_emplace("connection.url", peer_.url());
    config.try_emplace("read.timeout.ms", "10000");
    config["value.converter"] = "org.apache.kafka.connect.json.JsonConverter";
    config["value.converter.schemas.enable"] = "false";
    const Validation validation = validate(elasticsearch_sink_class(), config);
    ASSERT_TRUE(validation.errors().empty()) << validation.errors().front();
    settings_ = settings_of(elasticsearch_sink_class(), config, {});
    surroundings_.clock = &clock_;
    sink_ = std::make_unique<ElasticsearchSink>(SinkContext{.connector = "es",
                                                            .task = 0,
                                                            .settings = settings_,
                                                            .surroundings = surroundings_,
                                                            .rng = Rng(1),
                                                            .stopping = stopping_});
    ASSERT_TRUE(sink_->open({}));
    path_.emplace(RecordPath::make(settings_).value());
  }
  struct In {
    std::string key;
    std::string value;
  };
  Outcome put(const std::vector<In>& in, std::int64_t first = 0) {
    inputs_ = in;
    records_.clear();
    room_.clear();
    FailedRecord failed;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      Origin origin;
      origin.partition = &partition_;
      origin.offset = Offset(first + static_cast<std::int64_t>(i));
      origin.timestamp_ms = 1'700'000'000'000;
      if (!inputs_[i].key.empty()) origin.key = as_bytes(inputs_[i].key);
      if (!inputs_[i].value.empty()) origin.value = as_bytes(inputs_[i].value);
      EXPECT_EQ(path_->convert(origin, room_, records_, failed), RecordPath::Way::kept) << failed.message;
    }
    return sink_->put(records_);
  }

  FakeIndex index_;
  testing::HttpPeer peer_;
  SystemClock clock_;
  Surroundings surroundings_;
  Settings settings_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<ElasticsearchSink> sink_;
  std::optional<RecordPath> path_;
  TopicPartition partition_{"Cars", PartitionIndex(3)};
  BatchRoom room_;
  std::vector<In> inputs_;
  std::vector<SinkRecord> records_;
};

TEST_F(ElasticsearchTest, IdsFromThePlaceInTheLog) {
  use({{"key.ignore", "true"}, {"connection.compression", "true"}, {"behavior.on.null.values", "IGNORE"}});
  EXPECT_EQ(put({{"", R"({"a": 1.50})"}, {"", ""}, {"", "{\"b\":\n2}"}}).kind, Outcome::Kind::done);
  ASSERT_EQ(index_.documents.size(), 2U);
  EXPECT_EQ(index_.documents["cars/Cars+3+0"].source, R"({"a": 1.50})");
  EXPECT_EQ(index_.documents["cars/Cars+3+2"].source, R"({"b":2})");
}

TEST_F(ElasticsearchTest, KeysGetExternalVersions) {
  use({{"key.ignore", "false"}, {"behavior.on.null.values", "DELETE"}});
  EXPECT_EQ(put({{"k", R"({"a":1})"}, {"k", R"({"a":2})"}, {"x", R"({"a":3})"}, {"x", ""}}).kind, Outcome::Kind::done);
  EXPECT_EQ(index_.documents.size(), 1U);
  EXPECT_EQ(index_.documents["cars/k"].source, R"({"a":2})");
  // A replay is all conflicts, and no failure.
  const Outcome again = put({{"k", R"({"a":1})"}, {"k", R"({"a":2})"}});
  EXPECT_EQ(again.kind, Outcome::Kind::done);
  EXPECT_TRUE(again.rejected.empty());
  EXPECT_EQ(index_.documents["cars/k"].source, R"({"a":2})");
  const Outcome bad = put({{"", R"({"a":1})"}}, 9);
  ASSERT_EQ(bad.rejected.size(), 1U);
  EXPECT_FALSE(bad.rejected.front().tolerated);
}

TEST_F(ElasticsearchTest, KeysOfSomeTopicsAreIgnored) {
  use({{"topic.key.ignore", "other, Cars"}});
  EXPECT_EQ(put({{"k", R"({"a":1})"}}).kind, Outcome::Kind::done);
  EXPECT_EQ(index_.documents.count("cars/Cars+3+0"), 1U);
}

TEST_F(ElasticsearchTest, TopicsMayHaveResourcesOfTheirOwn) {
  use({{"key.ignore", "true"},
       {"external.resource.usage", "INDEX"},
       {"topic.to.external.resource.mapping", "Cars:fleet-write"}});
  EXPECT_EQ(put({{"", R"({"a":1})"}}).kind, Outcome::Kind::done);
  EXPECT_EQ(index_.documents.count("fleet-write/Cars+3+0"), 1U);
  use({{"key.ignore", "true"},
       {"external.resource.usage", "INDEX"},
       {"topic.to.external.resource.mapping", "other:fleet-write"}});
  EXPECT_EQ(put({{"", R"({"a":1})"}}).rejected.size(), 1U) << "a topic that is not mapped";
}

TEST_F(ElasticsearchTest, DailyIndexByTimestampRouter) {
  use({{"key.ignore", "true"},
       {"transforms", "day"},
       {"transforms.day.type", "org.apache.kafka.connect.transforms.TimestampRouter"},
       {"transforms.day.timestamp.format", "yyyy.MM.dd"}});
  EXPECT_EQ(put({{"", "{}"}}).kind, Outcome::Kind::done);
  EXPECT_TRUE(index_.documents.contains("cars-2023.11.14/Cars+3+0")) << index_.documents.begin()->first;
}

TEST_F(ElasticsearchTest, PartialFailures) {
  use({{"key.ignore", "true"}, {"behavior.on.malformed.documents", "IGNORE"}});
  int busy = 1;
  index_.item_status = [&busy](const std::string& id) {
    if (id.ends_with("+1")) return 400;
    if (id.ends_with("+3") && busy-- > 0) return 429;
    return 0;
  };
  const std::vector<In> four = {{"", "{}"}, {"", "{}"}, {"", "{}"}, {"", "{}"}, {"", "{}"}};
  const Outcome first = put(four);
  EXPECT_EQ(first.kind, Outcome::Kind::retry);
  EXPECT_EQ(first.taken, 3U);
  ASSERT_EQ(first.rejected.size(), 1U);
  EXPECT_EQ(first.rejected.front().index, 1U);
  EXPECT_TRUE(first.rejected.front().tolerated);
  EXPECT_EQ(sink_->put(std::span(records_).subspan(3)).kind, Outcome::Kind::done);
  EXPECT_EQ(index_.documents.size(), 4U);
}

TEST_F(ElasticsearchTest, JudgesWholeAnswers) {
  use({{"key.ignore", "true"}});
  struct Row {
    int status;
    Outcome::Kind kind;
  };
  for (const Row& row :
       {Row{503, Outcome::Kind::retry}, Row{429, Outcome::Kind::retry}, Row{413, Outcome::Kind::reject},
        Row{401, Outcome::Kind::fatal}, Row{400, Outcome::Kind::reject}, Row{302, Outcome::Kind::fatal},
        Row{603, Outcome::Kind::retry}}) {
    index_.bulk_status = [&row] { return row.status; };
    index_.retry_after = "7";
    const Outcome outcome = put({{"", "{}"}});
    EXPECT_EQ(outcome.kind, row.kind) << row.status;
    if (row.status == 429) {
      EXPECT_EQ(outcome.retry_after, std::chrono::seconds(7));
    }
  }
  index_.bulk_status = [] { return 200; };
  EXPECT_EQ(put({{"", "{}"}}).kind, Outcome::Kind::done);
  EXPECT_EQ(index_.documents.size(), 1U);
}

TEST_F(ElasticsearchTest, DataStreams) {
  use({{"key.ignore", "true"}, {"data.stream.type", "logs"}, {"data.stream.dataset", "gps"}});
  EXPECT_EQ(put({{"", R"({"a":1})"}, {"", "{ }"}}).kind, Outcome::Kind::done);
  EXPECT_EQ(index_.documents["logs-gps-cars/Cars+3+0"].source, R"({"@timestamp":1700000000000,"a":1})");
  EXPECT_EQ(put({{"", R"({"a":1})"}}).kind, Outcome::Kind::done) << "a conflict is a replay";
}

TEST(IndexName, FollowsElasticsearchsRules) {
  EXPECT_EQ(index_name("Message-LOG"), "message-log");
  EXPECT_EQ(index_name("_x"), "x");
  EXPECT_EQ(index_name(".."), "dotdot");
}

}  // namespace
}  // namespace millrace::connect::elasticsearch

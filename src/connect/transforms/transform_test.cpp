#include "connect/transforms/transform.h"

#include <gtest/gtest.h>

#include <set>

#include "connect/converters/json_line.h"
#include "connect/runtime/record_path.h"
#include "connect/runtime/validation.h"
#include "model/topic_partition.h"

namespace millrace::connect {
namespace {

struct Case {
  ConnectorConfig config;  // of one step, without its prefix
  std::string key;
  std::string value;
  std::string expected;  // "topic|key|value", "dropped", or "failed: ..."
};

std::string line(const Datum& datum) {
  sql::Arena arena;
  Buffer out;
  append_json_line(datum, arena, out);
  return std::string(as_text(out.view()));
}

std::string run(const ConnectorConfig& step, const std::string& key, const std::string& value,
                ConnectorConfig config = {}) {
  config["key.converter"] = config["value.converter"] = "org.apache.kafka.connect.json.JsonConverter";
  config["key.converter.schemas.enable"] = config["value.converter.schemas.enable"] = "false";
  config["transforms"] = "t";
  for (const auto& [name, text] : step) config["transforms.t." + name] = text;
  ConfigTable table = rows_of(*find_connector_class("FileStreamSink"));
  std::vector<ConfigValue> problems;
  add_transform_rows(config, table, problems);
  if (!problems.empty()) return "invalid: " + problems.front().errors.front();
  auto path = RecordPath::make(Settings(table, config));
  if (!path) return "invalid: " + path.error().message();
  const TopicPartition partition{"cars", PartitionIndex(2)};
  const RecordHeader headers[] = {{"kind", as_bytes("gps")}};
  Origin origin;
  origin.partition = &partition;
  origin.offset = Offset(77);
  origin.timestamp_ms = 1'700'000'000'123;
  if (!key.empty()) origin.key = as_bytes(key);
  if (!value.empty()) origin.value = as_bytes(value);
  origin.headers = headers;
  BatchRoom room;
  std::vector<SinkRecord> records;
  FailedRecord failed;
  switch (path->convert(origin, room, records, failed)) {
    case RecordPath::Way::dropped:
      return "dropped";
    case RecordPath::Way::failed:
      return "failed: " + failed.message;
    case RecordPath::Way::kept:
      break;
  }
  const RecordImage& image = records.front().image;
  std::string text = std::string(image.topic) + "|" + line(image.key) + "|" + line(image.value);
  for (const DatumHeader& header : image.headers) text += "|" + std::string(header.key) + "=" + line(header.value);
  EXPECT_EQ(records.front().origin().partition->topic, "cars") << "the origin never changes";
  return text;
}

const std::string kPrefix = "org.apache.kafka.connect.transforms.";

// What Apache Kafka 3.9's classes do, by their documentation and source.
TEST(Transforms, EachClass) {
  const Case cases[] = {
      {{{"type", kPrefix + "ExtractField$Value"}, {"field", "a"}}, "", R"({"a":[1,2]})", "cars|null|[1,2]"},
      {{{"type", kPrefix + "ExtractField$Key"}, {"field", "id"}}, R"({"id":7})", "1", "cars|7|1"},
      {{{"type", kPrefix + "ExtractField$Value"}, {"field", "a.b"}, {"field.syntax.version", "V2"}},
       "",
       R"({"a":{"b":3}})",
       "cars|null|3"},
      {{{"type", kPrefix + "ExtractField$Value"}, {"field", "a"}},
       "",
       "5",
       "failed: Only Map objects supported in absence of schema for: [field extraction]"},
      {{{"type", kPrefix + "HoistField$Value"}, {"field", "v"}}, "", "5", R"(cars|null|{"v":5})"},
      {{{"type", kPrefix + "InsertField$Value"},
        {"topic.field", "t"},
        {"partition.field", "p"},
        {"offset.field", "o"},
        {"timestamp.field", "ts"},
        {"static.field", "s"},
        {"static.value", "x"}},
       "",
       R"({"a":1})",
       R"(cars|null|{"a":1,"t":"cars","p":2,"o":77,"ts":1700000000123,"s":"x"})"},
      {{{"type", kPrefix + "MaskField$Value"}, {"fields", "n,s,b"}},
       "",
       R"({"n":1.5,"s":"x","b":true,"k":"y"})",
       R"(cars|null|{"n":0,"s":"","b":false,"k":"y"})"},
      {{{"type", kPrefix + "MaskField$Value"}, {"fields", "s"}, {"replacement", "***"}},
       "",
       R"({"s":"x"})",
       R"(cars|null|{"s":"***"})"},
      {{{"type", kPrefix + "ReplaceField$Value"}, {"exclude", "a"}, {"renames", "b:c"}},
       "",
       R"({"a":1,"b":2,"d":1.50})",
       R"(cars|null|{"c":2,"d":1.50})"},
      {{{"type", kPrefix + "ReplaceField$Value"}, {"include", "a"}}, "", R"({"a":1,"b":2})", R"(cars|null|{"a":1})"},
      {{{"type", kPrefix + "ValueToKey"}, {"fields", "a"}}, "", R"({"a":1,"b":2})", R"(cars|{"a":1}|{"a":1,"b":2})"},
      {{{"type", kPrefix + "Flatten$Value"}, {"delimiter", "_"}},
       "",
       R"({"a":{"b":{"c":1}},"d":[{"e":2}]})",
       R"(cars|null|{"a_b_c":1,"d":[{"e":2}]})"},
      {{{"type", kPrefix + "Filter"}}, "", "1", "dropped"},
      {{{"type", kPrefix + "Cast$Value"}, {"spec", "a:string,b:int32,c:boolean,d:float64"}},
       "",
       R"({"a":1.0,"b":"12","c":0,"d":"2.50"})",
       R"(cars|null|{"a":"1.0","b":12,"c":false,"d":2.5})"},
      {{{"type", kPrefix + "Cast$Key"}, {"spec", "int8"}}, "300", "1", "cars|44|1"},
      {{{"type", kPrefix + "Cast$Value"}, {"spec", "a:int32"}},
       "",
       R"({"a":"x"})",
       "failed: Value could not be cast to a number: x"},
      {{{"type", kPrefix + "TimestampConverter$Value"},
        {"field", "t"},
        {"target.type", "string"},
        {"format", "yyyy-MM-dd HH:mm:ss.SSS"}},
       "",
       R"({"t":1700000000123})",
       R"(cars|null|{"t":"2023-11-14 22:13:20.123"})"},
      {{{"type", kPrefix + "TimestampConverter$Value"},
        {"field", "t"},
        {"target.type", "unix"},
        {"format", "yyyy-MM-dd'T'HH:mm:ssX"},
        {"unix.precision", "seconds"}},
       "",
       R"({"t":"2023-11-15T07:13:20+09:00"})",
       R"(cars|null|{"t":1700000000})"},
      {{{"type", kPrefix + "RegexRouter"}, {"regex", "c(.*)"}, {"replacement", "k-$1"}}, "", "1", "k-ars|null|1"},
      {{{"type", kPrefix + "RegexRouter"}, {"regex", "ar"}, {"replacement", "x"}}, "", "1", "cars|null|1"},
      {{{"type", kPrefix + "TimestampRouter"}, {"timestamp.format", "yyyy.MM.dd"}}, "", "1", "cars-2023.11.14|null|1"},
      {{{"type", kPrefix + "SetSchemaMetadata$Value"}, {"schema.name", "x"}}, "", "1", "cars|null|1"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.config.at("type") + " " + one.value);
    const std::string got = run(one.config, one.key, one.value);
    EXPECT_EQ(got, one.expected.starts_with("cars") || one.expected.starts_with("k-") ? one.expected + "|kind=\"gps\""
                                                                                      : one.expected);
  }
}

TEST(Transforms, NestedLineEndsStayOutOfLines) {
  EXPECT_EQ(run({{"type", kPrefix + "InsertField$Value"}, {"static.field", "s"}, {"static.value", "x"}}, "",
                "{\"a\": {\r\n  \"b\": [1,\n2]\n}\n}"),
            R"(cars|null|{"a":{  "b": [1,2]},"s":"x"}|kind="gps")");
}

TEST(Transforms, Headers) {
  EXPECT_EQ(run({{"type", kPrefix + "InsertHeader"}, {"header", "h"}, {"value.literal", "5"}}, "", "1"),
            "cars|null|1|kind=\"gps\"|h=5");
  EXPECT_EQ(run({{"type", kPrefix + "DropHeaders"}, {"headers", "kind"}}, "", "1"), "cars|null|1");
  EXPECT_EQ(run({{"type", kPrefix + "HeaderFrom$Value"}, {"fields", "a"}, {"headers", "h"}, {"operation", "move"}}, "",
                R"({"a":1,"b":2})"),
            R"(cars|null|{"b":2}|kind="gps"|h=1)");
}

TEST(Transforms, PredicatesDecide) {
  const ConnectorConfig step = {{"type", kPrefix + "Filter"}, {"predicate", "p"}};
  const auto with = [&](std::string type, std::string key, std::string value, const std::string& negate) {
    ConnectorConfig config = {{"predicates", "p"}, {"predicates.p.type", kPrefix + "predicates." + type}};
    if (!key.empty()) config["predicates.p." + key] = value;
    ConnectorConfig with_negate = step;
    with_negate["negate"] = negate;
    return run(with_negate, "", "1", config) == "dropped";
  };
  EXPECT_TRUE(with("TopicNameMatches", "pattern", "ca.*", "false"));
  EXPECT_FALSE(with("TopicNameMatches", "pattern", "ca", "false"));
  EXPECT_FALSE(with("TopicNameMatches", "pattern", "ca.*", "true"));
  EXPECT_TRUE(with("HasHeaderKey", "name", "kind", "false"));
  EXPECT_FALSE(with("RecordIsTombstone", "", "", "false"));
}

TEST(Transforms, UnknownClassesFailInValidation) {
  EXPECT_EQ(run({{"type", "com.example.Mine"}}, "", "1"),
            "invalid: Invalid value com.example.Mine for configuration transforms.t.type: Class com.example.Mine could "
            "not be found.");
}

TEST(Transforms, AllSixteenAreThere) {
  std::set<std::string> simple;
  for (const TransformClass& row : transform_classes()) {
    std::string name(row.class_name.substr(kPrefix.size()));
    simple.insert(name.substr(0, name.find('$')));
  }
  EXPECT_EQ(simple.size(), 16U);
}

}  // namespace
}  // namespace millrace::connect

#include "load/replay_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace millrace::load {
namespace {

namespace fs = std::filesystem;

class ReplayScriptTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "replay_script_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::create_directories(folder_ + "/press");
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  static std::string message(ReplayScript& script, std::size_t device, std::size_t index) {
    Buffer out;
    script.write_message(script.devices()[device], index, out);
    return std::string(as_text(out.view()));
  }
  std::string folder_;
};

TEST_F(ReplayScriptTest, BodiesAreTypedAndComplete) {
  ReplayMapping mapping;
  mapping.key = "car";
  mapping.text_columns = {"route"};
  mapping.constants.emplace_back("hz", "10");
  auto script = ReplayScript::load(
      {file("a.csv", "car,speed,route,note,odd,flag\n7,12.50,1,\"say \"\"hi\"\"\",007,true\n7,,2,,1e5,no\n")}, mapping,
      "r1", 0);
  ASSERT_TRUE(script) << script.error().message();
  EXPECT_EQ(
      message(*script, 0, 0),
      R"({"device_no":"7","type":"log","hz":10,"speed":12.50,"route":"1","note":"say \"hi\"","odd":"007","flag":true,)"
      R"("replay_run":"r1","replay_seq":1})");
  EXPECT_EQ(message(*script, 0, 1),
            R"({"device_no":"7","type":"log","hz":10,"speed":null,"route":"2","note":null,"odd":1e5,"flag":"no",)"
            R"("replay_run":"r1","replay_seq":2})");
}

TEST_F(ReplayScriptTest, NumbersAreThoseOfJson) {
  const auto value = [](std::string_view text) {
    Buffer out;
    append_json_value(out, {text, false}, false);
    return std::string(as_text(out.view()));
  };
  for (const char* number : {"0", "-0", "12", "-1.5", "1e5", "1E-7", "0.001", "-0.2e+3"})
    EXPECT_EQ(value(number), number);
  for (const char* text : {"01", "+1", ".5", "5.", "1e", "0x10", "1_000", "NaN", "-", "1 ", "--1"}) {
    EXPECT_EQ(value(text), "\"" + std::string(text) + "\"");
  }
  EXPECT_EQ(value("tab\there"), "\"tab\\u0009here\"");
}

TEST_F(ReplayScriptTest, OneDevicePerKeyInFileOrderLateRowsStayLate) {
  ReplayMapping mapping;
  mapping.key = "id";
  mapping.time = "at";
  auto script = ReplayScript::load({file("a.csv", "id,at\nb,100\na,90\nb,130\nb,120\na,95\n")}, mapping, "r", 0);
  ASSERT_TRUE(script) << script.error().message();
  ASSERT_EQ(script->devices().size(), 2U);
  EXPECT_EQ(script->devices()[0].name, "b");
  std::vector<std::int64_t> due;
  std::vector<std::uint32_t> rows;
  for (const auto& event : script->devices()[0].events) {
    due.push_back(event.due_ms);
    rows.push_back(event.row);
  }
  EXPECT_THAT(due, testing::ElementsAre(10'000, 40'000, 40'000));
  EXPECT_THAT(rows, testing::ElementsAre(0, 2, 3));
  EXPECT_EQ(script->span_ms(), 40'000);
}

TEST_F(ReplayScriptTest, FoldersAreDevicesAndSeveralFilesOfADeviceAreMergedByTime) {
  file("press/1.csv", "datetime;p\n2020-01-01 00:00:00;1\n2020-01-01 00:00:02;2\n");
  file("press/2.csv", "datetime;p\n2020-01-01 00:00:01;3\n");
  auto each = ReplayScript::load({folder_}, {}, "r", 0);
  ASSERT_TRUE(each) << each.error().message();
  EXPECT_EQ(each->recognised(), "skab");
  ASSERT_EQ(each->devices().size(), 2U);
  EXPECT_EQ(each->devices()[0].name, "press-1");

  ReplayMapping mapping;
  mapping.device = "press";
  mapping.time = "datetime";
  mapping.topic = "plant/{dir}/{file}";
  auto merged = ReplayScript::load({folder_}, mapping, "r", 0);
  ASSERT_TRUE(merged);
  ASSERT_EQ(merged->devices().size(), 1U);
  EXPECT_THAT(message(*merged, 0, 1), testing::HasSubstr("\"p\":3"));
  EXPECT_EQ(merged->topic(merged->devices()[0].events[1]), "plant/press/2");
}

TEST_F(ReplayScriptTest, ErrorsNameFileLineAndColumns) {
  const std::string path = file("a.csv", "id,at,v\na,10,1\n,11,2\n");
  ReplayMapping mapping;
  EXPECT_THAT(ReplayScript::load({path}, mapping, "r", 0).error().message(), testing::HasSubstr("Say --key COLUMN"));
  mapping.key = "ID";
  EXPECT_THAT(ReplayScript::load({path}, mapping, "r", 0).error().message(), testing::HasSubstr("has id, at, v"));
  mapping.key = "id";
  EXPECT_THAT(ReplayScript::load({path}, mapping, "r", 0).error().message(), testing::HasSubstr("a.csv:3"));
  mapping.time = "v";
  EXPECT_TRUE(ReplayScript::load({path}, mapping, "r", 1));
  const std::string bad_time = file("b.csv", "id,at\na,soon\n");
  mapping.time = "at";
  EXPECT_THAT(ReplayScript::load({bad_time}, mapping, "r", 0).error().message(), testing::HasSubstr("b.csv:2: 'soon'"));
  fs::create_directories(folder_ + "/empty");
  EXPECT_FALSE(ReplayScript::load({folder_ + "/empty"}, mapping, "r", 0));
}

TEST_F(ReplayScriptTest, PresetsKnowTheirHeaders) {
  const std::pair<const char*, const char*> headers[] = {
      {"bus-fleet", "vehicle_id,timestamp,speed\n1,2016-11-25T17:01:32-06:00,1\n"},
      {"car-can", "t,bus,can_id,data_hex\n46408.58,0,260,08ff\n"},
      {"nab", "timestamp,value\n2014-04-01 00:00:00,20.0\n"},
      {"skab", "datetime;Current\n2020-03-09 10:14:33;1.33\n"},
  };
  for (const auto& [name, text] : headers) {
    auto script = ReplayScript::load({file(std::string(name) + ".csv", text)}, {}, "r", 0);
    ASSERT_TRUE(script) << name << ": " << script.error().message();
    EXPECT_EQ(script->recognised(), name);
    EXPECT_NE(find_preset(name), nullptr);
  }
  auto can = ReplayScript::load({file("raw_can.csv", headers[1].second)}, {}, "r", 0);
  EXPECT_THAT(message(*can, 0, 0),
              testing::AllOf(testing::HasSubstr(R"("can_id":"260")"), testing::HasSubstr(R"("signal":"raw_can")")));
}

}  // namespace
}  // namespace millrace::load

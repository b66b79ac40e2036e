// One object: the same bytes and parts whether they waited in memory or on disk, and whatever the format keeps back.
#include "connect/sinks/s3/open_object.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "connect/json_members.h"
#include "connect/runtime/validation.h"
#include "connect/sinks/s3/s3_sink.h"
#include "connect/testing/http_peer.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"

namespace millrace::connect::s3 {
namespace {

/// As a columnar format does it: rows are kept, what is written comes at the end.
class Columns final : public RecordFormat {
 public:
  class Writer final : public RecordWriter {
   public:
    Result<void> append(const Datum& value, Buffer&) override {
      if (!value.is_object()) return fail(ErrorCode::malformed, "a row is an object");
      sql::Arena arena;
      for (const char* name : {"a", "b"})
        columns_[name] += std::string(*sql::to_text(arena, value.value.member(name))) + ",";
      return {};
    }
    Result<void> end(Buffer& out) override {
      for (const auto& [name, cells] : columns_) out.append(name + "=" + cells);
      out.append("footer");
      return {};
    }
    [[nodiscard]] std::size_t kept_bytes() const override { return columns_.empty() ? 0 : 2 * columns_.at("a").size(); }

   private:
    std::map<std::string, std::string> columns_;
  };
  std::unique_ptr<RecordWriter> begin() override { return std::make_unique<Writer>(); }
  [[nodiscard]] std::string extension() const override { return ".columns"; }
  [[nodiscard]] std::string_view content_type() const override { return "application/octet-stream"; }
};

TEST(OpenObject, PartsAndTheEndTakeWhatIsOnDisk) {
  for (const bool gzip : {false, true}) {
    io::TemporaryDirectory directory;
    const auto files = io::PosixFileSystem::open(directory.path()).value();
    SpillFolder folder(*files, "spill", 1 << 30);
    const auto spill = folder.make_file().value();
    testing::FakeBucket server;
    SystemClock clock;
    Bucket bucket({server.url(), "r", "b", true}, {"k", "s", ""}, clock, net::http::Client({}));
    ConnectorConfig config{{"format.class", "io.confluent.connect.s3.format.json.JsonFormat"}};
    const auto format = RecordFormat::make(settings_of(s3_sink_class(), config, {})).value();
    Deflater deflater(6);
    OpenObject calm("calm", *format, gzip ? &deflater : nullptr);
    OpenObject tight("tight", *format, gzip ? &deflater : nullptr);
    Rng rng(3);
    constexpr std::size_t kPart = 300'000;
    for (int i = 0; i < 4000; ++i) {
      std::string text = R"({"n":)" + std::to_string(rng()) + R"(,"more":")" + std::string(rng.below(600), 'x') + "\"}";
      sql::JsonDocument row;
      ASSERT_TRUE(row.parse(text));
      for (OpenObject* object : {&calm, &tight}) {
        ASSERT_TRUE(object->append(Datum::of(root_of(row))));
        ASSERT_TRUE(object->wrote());
        if (object->kept_bytes() < kPart) continue;
        ASSERT_TRUE(object->send_parts(bucket, kPart));
      }
      EXPECT_EQ(calm.kept_bytes(), tight.kept_bytes());
      if (!rng.chance(1, 40)) continue;
      ASSERT_TRUE(tight.spill(*spill));
    }
    ASSERT_TRUE(tight.spill(*spill));
    EXPECT_LT(tight.reserved_bytes(), 4096U);
    ASSERT_TRUE(calm.finish(bucket));
    ASSERT_TRUE(tight.finish(bucket));
    EXPECT_EQ(server.objects().at("/b/calm"), server.objects().at("/b/tight"));
    EXPECT_EQ(tight.parts(), calm.parts());
    EXPECT_EQ(folder.used(), 0);
  }
}

TEST(OpenObject, AFormatMayKeepRowsUntilTheEnd) {
  bool refuse = true;
  testing::FakeBucket server([&] {
    return std::exchange(refuse, false) ? testing::FakeBucket::Fault::before : testing::FakeBucket::Fault::none;
  });
  SystemClock clock;
  Bucket bucket({server.url(), "r", "b", true}, {"k", "s", ""}, clock, net::http::Client({}));
  Columns format;
  OpenObject object("x.columns", format, nullptr);
  sql::JsonDocument rows[3];
  ASSERT_TRUE(rows[0].parse(R"({"a":1,"b":"x"})") && rows[1].parse(R"({"a":2,"b":"y"})") && rows[2].parse("3"));
  EXPECT_TRUE(object.append(Datum::of(root_of(rows[0]))));
  EXPECT_FALSE(object.append(Datum::of(root_of(rows[2]))));
  EXPECT_TRUE(object.append(Datum::of(root_of(rows[1]))));
  EXPECT_EQ(object.kept_bytes(), 8U) << "counted against the memory of all sinks";
  EXPECT_FALSE(object.finish(bucket));
  ASSERT_TRUE(object.finish(bucket)) << "repeated";
  EXPECT_EQ(server.objects().at("/b/x.columns"), "a=1,2,b=x,y,footer");
}

}  // namespace
}  // namespace millrace::connect::s3

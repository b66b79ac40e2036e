// The S3 sink against a bucket that fails: whatever happens, every record is in exactly one object, and where the
// records alone decide, the bucket is byte for byte that of a run without faults.
#include "connect/sinks/s3/s3_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <sstream>

#include "codec/compression.h"
#include "connect/json_members.h"
#include "connect/runtime/record_path.h"
#include "connect/runtime/validation.h"
#include "connect/testing/http_peer.h"
#include "io/fault_injecting_file_system.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"

namespace millrace::connect::s3 {
namespace {

using testing::FakeBucket;

constexpr std::int64_t kStart = 1'700'000'000'000;
const RecordHeader kHeaders[] = {{"site", as_bytes("seoul")}, {"n", as_bytes("17")}};

struct LogRecord {
  std::string key;
  std::optional<std::string> value;
  std::int64_t timestamp;
};

/// A log of two partitions, and what a runtime keeps of it: bookmarks with notes.
class World {
 public:
  /// `padding`: bytes added to every value.
  World(const ConnectorConfig& more, std::uint64_t seed, bool faults, std::size_t padding = 0)
      : rng_(seed), faults_(faults) {
    ConnectorConfig config = {{"name", "s3"},
                              {"topics", "cars"},
                              {"connector.class", "io.confluent.connect.s3.S3SinkConnector"},
                              {"s3.bucket.name", "bucket"},
                              {"aws.access.key.id", "k"},
                              {"aws.secret.access.key", "s"},
                              {"store.url", bucket_.url()},
                              {"format.class", "io.confluent.connect.s3.format.json.JsonFormat"},
                              {"locale", "en"},
                              {"timezone", "Asia/Seoul"},
                              {"value.converter", "org.apache.kafka.connect.json.JsonConverter"},
                              {"value.converter.schemas.enable", "false"},
                              {"path.format", "YYYY/MM/dd/HH"}};
    for (const auto& [key, value] : more) config[key] = value;
    const Validation validation = validate(s3_sink_class(), config);
    EXPECT_TRUE(validation.errors().empty()) << validation.errors().front();
    settings_ = settings_of(s3_sink_class(), config, {});
    surroundings_.clock = &clock_;
    clock_.set_wall(WallTime(kStart));
    Rng content(4711);
    for (std::size_t lane = 0; lane < 2; ++lane) {
      partitions_.push_back({"cars", PartitionIndex(static_cast<std::int32_t>(lane))});
      std::int64_t time = kStart;
      for (int i = 0; i < 150; ++i) {
        time += content.between(-60'000, 240'000);
        std::string value = R"({"lane":)" + std::to_string(lane) + R"(,"seq":)" + std::to_string(i);
        if (padding > 0) value += R"(,"x":")";
        for (std::size_t at = 0; at < padding; ++at) value += static_cast<char>('a' + content.below(26));
        value += padding > 0 ? "\"}" : "}";
        const bool tombstone = settings_.choice("behavior.on.null.values") == "write" && i % 9 == 4;
        logs_[lane].push_back({"d" + std::to_string(i % 5), tombstone ? std::nullopt : std::optional(value), time});
      }
    }
  }

  /// Delivers everything, with crashes and faults; then cuts what is open.
  void run() {
    for (int guard = 0; guard < 2000; ++guard) {
      if (session()) return;
    }
    FAIL() << "never finished";
  }
  [[nodiscard]] std::map<std::string, std::string> objects() const { return bucket_.objects(); }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& [key, bytes] : objects()) {
      Buffer plain;
      if (key.ends_with(".gz")) {
        EXPECT_TRUE(decompress(CompressionCodec::gzip, as_bytes(bytes), 64_MiB, plain)) << key;
      } else {
        plain.append(bytes);
      }
      std::istringstream text(std::string(as_text(plain.view())));
      for (std::string line; std::getline(text, line);) all.push_back(line);
    }
    return all;
  }
  [[nodiscard]] std::size_t crashes() const { return crashes_; }
  /// The wall clock is set by an hour, forward and back, now and then.
  void with_clock_steps() { steps_ = true; }
  /// All sinks together keep `bytes` in memory and `on_disk` beyond; `one_in` operations on that disk fails (0: none).
  void with_memory(std::int64_t bytes, std::int64_t on_disk, std::uint64_t one_in = 0) {
    memory_.emplace(bytes);
    posix_ = io::PosixFileSystem::open(directory_.path()).value();
    disk_.emplace(*posix_);
    spill_.emplace(*disk_, "spill", on_disk);
    surroundings_.spill = &*spill_;
    failing_ = one_in;
  }
  /// Another sink takes all room as soon as this one has seen that there is some, and leaves it before the next batch.
  void with_neighbour() { neighbour_ = 0; }
  [[nodiscard]] std::int64_t most_in_memory() const { return most_in_memory_; }
  [[nodiscard]] std::int64_t most_on_disk() const { return most_on_disk_; }
  [[nodiscard]] std::size_t plans() const { return plans_; }

 private:
  bool crash() {
    if (!faults_ || !rng_.chance(1, 12)) return false;
    ++crashes_;
    return true;
  }
  /// True when everything is delivered; false when the process "died".
  bool session() {
    dead_ = false;
    std::atomic<bool> stopping{false};
    struct Account {
      ~Account() {
        if (memory) memory->add(-bytes);
      }
      std::optional<MemoryBudget>& memory;
      std::int64_t bytes = 0;
    } account{memory_};
    S3Sink sink({.connector = "s3",
                 .task = 0,
                 .settings = settings_,
                 .surroundings = surroundings_,
                 .rng = Rng(1),
                 .stopping = stopping,
                 .record_plan = [&](std::uint32_t lane, Offset bookmark, const std::string& note) -> Result<void> {
                   if (dead_ || crash()) {
                     dead_ = true;
                     return fail(ErrorCode::closed, "crashed before the plan was written");
                   }
                   bookmarks_[lane] = bookmark;
                   notes_[lane] = note;
                   ++plans_;
                   if (crash()) {
                     dead_ = true;
                     return fail(ErrorCode::closed, "crashed behind it");
                   }
                   return {};
                 },
                 .account =
                     [&](std::int64_t change) {
                       account.bytes += change;
                       if (!memory_) return MemoryLevel::roomy;
                       const MemoryLevel level = memory_->add(change);
                       if (neighbour_ && change == 0 && level == MemoryLevel::roomy) {
                         const std::int64_t room = memory_->limit() - memory_->used() + 1;
                         memory_->add(room);
                         *neighbour_ += room;
                       }
                       return level;
                     }});
    std::vector<LaneStart> starts;
    for (std::size_t i = 0; i < 2; ++i) starts.push_back({&partitions_[i], bookmarks_[i], notes_[i]});
    EXPECT_TRUE(sink.open(starts));
    auto path = RecordPath::make(settings_);
    std::size_t next[2] = {static_cast<std::size_t>(bookmarks_[0].value()),
                           static_cast<std::size_t>(bookmarks_[1].value())};
    const auto move_bookmarks = [&] {
      for (std::uint32_t lane = 0; lane < 2; ++lane) {
        const Offset safe = sink.delivered(lane).value_or(Offset(static_cast<std::int64_t>(next[lane])));
        if (safe > bookmarks_[lane]) {
          bookmarks_[lane] = safe;
          notes_[lane].clear();
        }
      }
    };
    while (next[0] < logs_[0].size() || next[1] < logs_[1].size()) {
      BatchRoom room;
      std::vector<SinkRecord> records;
      FailedRecord failed;
      for (std::uint32_t lane = 0; lane < 2; ++lane) {
        const std::size_t end = std::min(logs_[lane].size(), next[lane] + rng_.below(9));
        for (; next[lane] < end; ++next[lane]) {
          Origin origin;
          origin.partition = &partitions_[lane];
          origin.lane = lane;
          origin.offset = Offset(static_cast<std::int64_t>(next[lane]));
          origin.timestamp_ms = logs_[lane][next[lane]].timestamp;
          const LogRecord& record = logs_[lane][next[lane]];
          origin.key = as_bytes(record.key);
          if (record.value) origin.value = as_bytes(*record.value);
          origin.headers = kHeaders;
          path->convert(origin, room, records, failed);
        }
      }
      std::span<const SinkRecord> rest = records;
      while (true) {
        if (failing_ != 0 && rng_.chance(1, failing_)) {
          disk_->plan({.kinds = io::all_operations(), .nth = 1 + rng_.below(8), .error = ErrorCode::io_error});
        }
        if (neighbour_) memory_->add(-std::exchange(*neighbour_, 0));
        const Outcome outcome = sink.put(rest);
        if (memory_) most_in_memory_ = std::max(most_in_memory_, memory_->used());
        if (spill_) most_on_disk_ = std::max(most_on_disk_, spill_->used());
        if (dead_) return false;
        // What was spilled cannot be read: the runtime begins a new session.
        if (failing_ != 0 && outcome.kind == Outcome::Kind::fatal && outcome.error.code == ErrorCode::fenced)
          return false;
        EXPECT_NE(outcome.kind, Outcome::Kind::fatal) << outcome.error.message();
        if (outcome.kind == Outcome::Kind::done) break;
        rest = rest.subspan(outcome.taken);
      }
      if (crash()) return false;
      clock_.advance(std::chrono::seconds(rng_.below(120)));
      if (steps_ && rng_.chance(1, 10)) clock_.set_wall(clock_.wall() + std::chrono::hours(rng_.chance(1, 2) ? 1 : -1));
      if (!flush(sink) || dead_) return false;
      move_bookmarks();
      if (crash()) return false;
    }
    clock_.advance(std::chrono::hours(2));
    if (!flush(sink) || dead_) return false;
    move_bookmarks();
    return true;
  }
  bool flush(S3Sink& sink) {
    for (int guard = 0; guard < 200; ++guard) {
      const auto due = sink.next_flush();
      if (!due || *due > clock_.wall()) return true;
      if (sink.flush().kind == Outcome::Kind::fatal || dead_ || crash()) return false;
    }
    return false;
  }

  Rng rng_;
  bool faults_;
  bool steps_ = false;
  io::TemporaryDirectory directory_;
  std::unique_ptr<io::FileSystem> posix_;
  std::optional<io::FaultInjectingFileSystem> disk_;
  std::optional<SpillFolder> spill_;
  std::optional<MemoryBudget> memory_;
  std::optional<std::int64_t> neighbour_;  // bytes it holds
  std::uint64_t failing_ = 0;
  std::int64_t most_in_memory_ = 0;
  std::int64_t most_on_disk_ = 0;
  std::size_t plans_ = 0;
  std::size_t crashes_ = 0;
  std::atomic<bool> dead_{false};
  Rng fault_rng_{99};
  FakeBucket bucket_{[this] {
    if (!faults_ || !fault_rng_.chance(1, 6)) return FakeBucket::Fault::none;
    // Now and then the process dies together with the request, before or behind its effect.
    if (fault_rng_.chance(1, 4)) dead_ = true;
    return fault_rng_.chance(1, 2) ? FakeBucket::Fault::before : FakeBucket::Fault::after;
  }};
  ManualClock clock_;
  Surroundings surroundings_;
  Settings settings_;
  std::vector<TopicPartition> partitions_;
  std::vector<LogRecord> logs_[2];
  Offset bookmarks_[2] = {Offset(0), Offset(0)};
  std::string notes_[2];
};

const ConnectorConfig kByRecords = {{"flush.size", "7"},
                                    {"s3.compression.type", "gzip"},
                                    {"partitioner.class", "io.confluent.connect.storage.partitioner.HourlyPartitioner"},
                                    {"timestamp.extractor", "Record"}};
const ConnectorConfig kByInterval = {
    {"flush.size", "1000"},
    {"rotate.interval.ms", "600000"},
    {"partitioner.class", "io.confluent.connect.storage.partitioner.HourlyPartitioner"},
    {"timestamp.extractor", "Record"}};
const ConnectorConfig kWithSiblings = {
    {"flush.size", "11"},
    {"s3.compression.type", "gzip"},
    {"partitioner.class", "io.confluent.connect.storage.partitioner.HourlyPartitioner"},
    {"timestamp.extractor", "Record"},
    {"store.kafka.keys", "true"},
    {"store.kafka.headers", "true"},
    {"behavior.on.null.values", "write"}};
// Scenario A's: the wall clock decides both the folder and the cut.
const ConnectorConfig kByClock = {
    {"flush.size", "20000"},
    {"rotate.schedule.interval.ms", "180000"},
    {"partition.duration.ms", "180000"},
    {"s3.compression.type", "gzip"},
    {"partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"}};

TEST(S3Sink, ReplaysGiveTheSameBytes) {
  for (const ConnectorConfig& config : {kByRecords, kByInterval, kWithSiblings}) {
    World calm(config, 1, false);
    calm.run();
    // The last set stays open: flush.size and intervals of record time wait for records.
    const auto expected = calm.objects();
    ASSERT_GT(expected.size(), 10U);
    std::size_t crashes = 0;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      World stormy(config, seed, true);
      stormy.run();
      EXPECT_EQ(stormy.objects(), expected);
      crashes += stormy.crashes();
    }
    EXPECT_GT(crashes, 10U);
  }
}

TEST(S3Sink, EveryRecordOnceWhenTheClockDecides) {
  std::size_t crashes = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World stormy(kByClock, seed, true);
    stormy.run();
    const auto lines = stormy.lines();
    EXPECT_EQ(lines.size(), 300U);
    EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 300U);
    crashes += stormy.crashes();
  }
  EXPECT_GT(crashes, 20U);
}

constexpr std::size_t kLarge = 4000;  // bytes of a value, so that a few records fill the memory

TEST(S3Sink, WhatMemoryHasNoRoomForGoesToDiskAndTheBytesAreTheSame) {
  for (const char* compression : {"none", "gzip"}) {
    ConnectorConfig config = kByRecords;
    config["flush.size"] = "70";
    config["s3.compression.type"] = compression;
    World calm(config, 1, false, kLarge);
    calm.run();
    const auto expected = calm.objects();
    ASSERT_GE(expected.size(), 8U);
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(std::string(compression) + " seed " + std::to_string(seed));
      World tight(config, seed, seed % 2 == 0, kLarge);
      tight.with_memory(128 << 10, 64 << 20);
      tight.run();
      EXPECT_EQ(tight.objects(), expected);
      EXPECT_GT(tight.most_on_disk(), 100 << 10);
      EXPECT_EQ(tight.plans(), 0U) << "nothing was cut for memory's sake";
      EXPECT_LE(tight.most_in_memory(), 128 << 10) << "behind every put() there is room again";
    }
  }
}

TEST(S3Sink, ANeighbourThatTakesTheRoomMakesNoObjectSmaller) {
  ConnectorConfig config = kByRecords;
  config["flush.size"] = "120";
  World calm(config, 1, false, kLarge);
  calm.run();
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    World tight(config, seed, seed % 2 == 0, kLarge);
    tight.with_memory(700 << 10, 64 << 20);
    tight.with_neighbour();
    tight.run();
    EXPECT_TRUE(tight.objects() == calm.objects());
    EXPECT_GT(tight.most_on_disk(), 0);
    EXPECT_EQ(tight.plans(), 0U) << "nothing was cut for memory's sake";
  }
}

TEST(S3Sink, EveryRecordOnceWhenMemoryAndDiskAreUsedUpOrTheDiskFails) {
  ConnectorConfig config = kByRecords;
  config["flush.size"] = "1000";
  config["rotate.schedule.interval.ms"] = "3600000";  // at the end
  for (const char* compression : {"none", "gzip"}) {
    config["s3.compression.type"] = compression;
    World calm(config, 1, false, kLarge);
    calm.run();
    std::size_t more = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(std::string(compression) + " seed " + std::to_string(seed));
      World full(config, seed, seed % 2 == 0, kLarge);
      full.with_memory(200 << 10, seed % 3 == 0 ? 0 : 100 << (seed % 3 * 5), seed % 3 == 2 ? 10 : 0);
      full.run();
      const auto lines = full.lines();
      EXPECT_EQ(lines.size(), 300U);
      EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 300U);
      more += full.objects().size() > calm.objects().size() ? 1 : 0;
    }
    EXPECT_GE(more, 4U) << "where there is no room on disk, sets are cut for memory's sake";
  }
}

TEST(S3Sink, AClockThatIsSetLosesAndRepeatsNothing) {
  for (const bool by_clock : {true, false}) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      World stepped(by_clock ? kByClock : kByInterval, seed, true);
      stepped.with_clock_steps();
      stepped.run();
      const auto lines = stepped.lines();
      EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), lines.size());
      if (!by_clock) continue;  // its last set stays open
      EXPECT_EQ(lines.size(), 300U);
      EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 300U);
    }
  }
}

TEST(Bucket, AClockThatDiffersIsCorrectedByTheServers) {
  ManualClock clock;
  clock.set_wall(WallTime(kStart));
  std::vector<std::string> dates;
  testing::HttpPeer peer([&](const net::http::Request& request) {
    dates.push_back(std::string(request.header("x-amz-date")));
    net::http::Response response{200, "application/xml", {}, ""};
    if (dates.back() < "20231114T223000Z") {
      response = {403, "application/xml", {}, "<Error><Code>RequestTimeTooSkewed</Code></Error>"};
    }
    return response;  // with the server's Date, years ahead of the bucket's clock
  });
  Bucket bucket({.endpoint = peer.url(), .region = "r", .bucket = "b"}, {"k", "s", ""}, clock, net::http::Client({}));
  EXPECT_TRUE(bucket.put("a", as_bytes("x"), "text/plain"));
  EXPECT_TRUE(bucket.put("b", as_bytes("x"), "text/plain"));
  ASSERT_EQ(dates.size(), 3U) << "the second object is signed right at once";
  EXPECT_EQ(dates[0], "20231114T221320Z");
  EXPECT_GT(dates[1], "2026");
  EXPECT_GE(dates[2], dates[1]);
}

TEST(Bucket, HttpDates) {
  EXPECT_EQ(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), std::chrono::seconds(784'111'777));
  for (const char* wrong : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
                            "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:xx:37 GMT"}) {
    EXPECT_EQ(http_date(wrong), std::nullopt) << wrong;
  }
}

TEST(S3Sink, ConfluentsNames) {
  World calm({{"flush.size", "150"}}, 1, false);
  calm.run();
  std::set<std::string> keys;
  for (const auto& [key, bytes] : calm.objects()) keys.insert(key);
  EXPECT_EQ(keys, (std::set<std::string>{"/bucket/topics/cars/partition=0/cars+0+0000000000.json",
                                         "/bucket/topics/cars/partition=1/cars+1+0000000000.json"}));
}

TEST(S3Sink, KeysHeadersAndTombstonesHaveObjectsBesideTheValues) {
  World calm({{"flush.size", "150"},
              {"store.kafka.keys", "true"},
              {"keys.format.class", "io.confluent.connect.s3.format.bytearray.ByteArrayFormat"},
              {"key.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"},
              {"store.kafka.headers", "true"},
              {"behavior.on.null.values", "WRITE"}},
             1, false);
  calm.run();
  const auto objects = calm.objects();
  std::map<std::string, std::size_t> lines;
  for (const auto& [key, bytes] : objects) lines[key] = static_cast<std::size_t>(std::ranges::count(bytes, '\n'));
  const std::string cars = "/bucket/topics/cars/";
  std::map<std::string, std::size_t> expected;
  for (const std::string lane : {"0", "1"}) {
    // Values from offset 0 on; the first tombstone is at 4.
    expected[cars + "partition=" + lane + "/cars+" + lane + "+0000000000.json"] = 133;
    expected[cars + "partition=" + lane + "/cars+" + lane + "+0000000000.keys.bin"] = 133;
    expected[cars + "partition=" + lane + "/cars+" + lane + "+0000000000.headers.json"] = 133;
    expected[cars + "tombstone/cars+" + lane + "+0000000004.keys.bin"] = 17;
    expected[cars + "tombstone/cars+" + lane + "+0000000004.headers.json"] = 17;
  }
  EXPECT_EQ(lines, expected);
  EXPECT_EQ(objects.at(cars + "tombstone/cars+0+0000000004.keys.bin").substr(0, 9), "d4\nd3\nd2\n");
  EXPECT_EQ(objects.at(cars + "tombstone/cars+0+0000000004.headers.json").substr(0, 77),
            R"({"headers":[{"key":"site","value":"seoul"},{"key":"n","value":"17"}]})"
            "\n{\"heade");
}

TEST(Plan, NotesAreReadBack) {
  const auto plan = Plan::parse(Plan{Offset(1200), WallTime(kStart)}.note());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->end, Offset(1200));
  EXPECT_EQ(plan->clock, WallTime(kStart));
  for (const char* wrong : {"", "end=", "end=5", "end=5;clock=", "end=5;clock=6;x", "cut=5;clock=6"}) {
    EXPECT_FALSE(Plan::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace millrace::connect::s3

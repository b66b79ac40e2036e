// The contract of a Sink (runtime/sink.h), as checks that every sink's test runs: the runtime relies on each of them.
//
//   testing::check_sink_contract({.sink_class = &http_sink_class(), .config = {...}, .stored = [&] { return ...; },
//   .weather = ...});
//
// `stored` tells what the destination holds, one text per record, in any order. `weather` switches it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "connect/runtime/record_path.h"
#include "connect/runtime/validation.h"

namespace millrace::connect::testing {

enum class Weather : std::uint8_t { fine, refusing, losing_answers };

struct SinkUnderTest {
  const SinkClass* sink_class = nullptr;
  ConnectorConfig config;  // without name and topics
  std::function<std::vector<std::string>()> stored;
  std::function<void(Weather)> weather;
  bool exactly_once = true;  // a record that comes again is stored once
  io::FileSystem* files = nullptr;
};

class SinkContract {
 public:
  explicit SinkContract(const SinkUnderTest& subject) : subject_(subject) {
    ConnectorConfig config = subject.config;
    config["name"] = "contract";
    config["topics"] = "cars";
    config["connector.class"] = subject.sink_class->class_name;
    config["value.converter"] = "org.apache.kafka.connect.json.JsonConverter";
    config["value.converter.schemas.enable"] = "false";
    const Validation validation = validate(*subject.sink_class, config);
    EXPECT_TRUE(validation.errors().empty()) << validation.errors().front();
    settings_ = settings_of(*subject.sink_class, config, {});
    surroundings_.clock = &clock_;
    surroundings_.files = subject.files;
    path_.emplace(RecordPath::make(settings_).value());
  }

  void run() {
    delivers_in_batches_of_any_size();
    refusals_are_retries_that_keep_what_is_due();
    lost_answers_do_no_harm();
    a_restart_from_the_bookmark_does_no_harm();
    stopping_ends_soon();
  }

 private:
  void delivers_in_batches_of_any_size() {
    begin();
    for (const std::size_t size : {1U, 2U, 7U, 90U}) put(size);
    finish("every record is stored");
  }
  void refusals_are_retries_that_keep_what_is_due() {
    begin();
    subject_.weather(Weather::refusing);
    make(5);
    Outcome outcome = sink_->put(records_);
    if (outcome.kind == Outcome::Kind::done) outcome = sink_->finish();  // a sink that keeps records
    EXPECT_EQ(outcome.kind, Outcome::Kind::retry) << "a destination that refuses for now is no fatal error";
    EXPECT_LE(sink_->delivered(0).value_or(bookmark_), bookmark_) << "nothing was delivered";
    subject_.weather(Weather::fine);
    push(std::span(records_).subspan(std::min(outcome.taken, records_.size())));
    finish("and everything is stored once it is willing");
  }
  void lost_answers_do_no_harm() {
    begin();
    subject_.weather(Weather::losing_answers);
    make(5);
    Outcome outcome = sink_->put(records_);
    if (outcome.kind == Outcome::Kind::done) outcome = sink_->finish();
    subject_.weather(Weather::fine);
    if (outcome.kind == Outcome::Kind::retry)
      push(std::span(records_).subspan(std::min(outcome.taken, records_.size())));
    finish("a request whose answer was lost is sent again");
  }
  void a_restart_from_the_bookmark_does_no_harm() {
    begin();
    put(10);
    finish("before the restart");
    const std::int64_t next = next_;
    next_ -= 10;  // the bookmark was not written: the same ten come again
    begin();
    put(10);
    EXPECT_EQ(next_, next);
    finish("after it");
  }
  void stopping_ends_soon() {
    begin();
    subject_.weather(Weather::refusing);
    stopping_ = true;
    make(3);
    const MonoTime start = clock_.mono();
    static_cast<void>(sink_->put(records_));
    EXPECT_LT(clock_.mono() - start, std::chrono::seconds(5)) << "a blocked call ends soon after `stopping`";
    stopping_ = false;
    subject_.weather(Weather::fine);
    sink_.reset();
  }

  void begin() {
    subject_.weather(Weather::fine);
    sink_.reset();
    bookmark_ = Offset(next_);
    sink_ = subject_.sink_class->make(
        {.connector = "contract",
         .task = 0,
         .settings = settings_,
         .surroundings = surroundings_,
         .rng = Rng(1),
         .stopping = stopping_,
         .record_plan = [this](std::uint32_t, Offset, const std::string& note) -> Result<void> {
           note_ = note;
           return {};
         }});
    const LaneStart lane{&partition_, bookmark_, ""};
    ASSERT_TRUE(sink_->open(std::span(&lane, 1)));
  }
  void make(std::size_t count) {
    records_.clear();
    room_.clear();
    values_.clear();
    values_.reserve(count);
    for (std::size_t i = 0; i < count; ++i, ++next_) {
      values_.push_back(R"({"seq":)" + std::to_string(next_) + "}");
      if (std::ranges::count(expected_, values_.back()) == 0) expected_.push_back(values_.back());
      Origin origin;
      origin.partition = &partition_;
      origin.offset = Offset(next_);
      origin.timestamp_ms = 1'700'000'000'000;
      origin.value = as_bytes(values_.back());
      FailedRecord failed;
      EXPECT_EQ(path_->convert(origin, room_, records_, failed), RecordPath::Way::kept) << failed.message;
    }
  }
  void put(std::size_t count) {
    make(count);
    push(records_);
  }
  void push(std::span<const SinkRecord> records) {
    for (int attempts = 0; !records.empty() && attempts < 20; ++attempts) {
      const Outcome outcome = sink_->put(records);
      EXPECT_TRUE(outcome.rejected.empty());
      if (outcome.kind == Outcome::Kind::done) return;
      ASSERT_EQ(outcome.kind, Outcome::Kind::retry) << outcome.error.message();
      records = records.subspan(std::min(outcome.taken, records.size()));
    }
  }
  void finish(const char* what) {
    EXPECT_EQ(sink_->finish().kind, Outcome::Kind::done);
    EXPECT_EQ(sink_->delivered(0).value_or(Offset(next_)), Offset(next_)) << what;
    auto stored = subject_.stored();
    std::ranges::sort(stored);
    if (!subject_.exactly_once) stored.erase(std::unique(stored.begin(), stored.end()), stored.end());
    auto expected = expected_;
    std::ranges::sort(expected);
    EXPECT_EQ(stored, expected) << what;
  }

  const SinkUnderTest& subject_;
  SystemClock clock_;
  Surroundings surroundings_;
  Settings settings_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<Sink> sink_;
  std::optional<RecordPath> path_;
  TopicPartition partition_{"cars", PartitionIndex(0)};
  BatchRoom room_;
  std::vector<std::string> values_;
  std::vector<SinkRecord> records_;
  std::vector<std::string> expected_;
  std::int64_t next_ = 0;
  Offset bookmark_;
  std::string note_;
};

inline void check_sink_contract(const SinkUnderTest& subject) {
  SinkContract(subject).run();
}

}  // namespace millrace::connect::testing

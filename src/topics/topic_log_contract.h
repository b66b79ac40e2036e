// The contract of TopicLog as a test suite. Every implementation (embedded, remote) instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Embedded, TopicLogContract, ::testing::Values(LogFactory{...}));
//
// A factory opens a log on the same storage again when `reopen` is called, so that durability can be asked for.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/queue_executor.h"
#include "model/record_batch_builder.h"
#include "model/record_reader.h"
#include "topics/topic_log.h"

namespace millrace::topics {

/// One running log under test.
class LogUnderTest {
 public:
  virtual ~LogUnderTest() = default;
  virtual TopicLog& log() = 0;
  /// Ends it without a clean stop where that can be done, and opens it again.
  virtual void reopen() = 0;
};
using LogFactory = std::function<std::unique_ptr<LogUnderTest>()>;

class TopicLogContract : public ::testing::TestWithParam<LogFactory> {
 protected:
  void SetUp() override { under_test_ = GetParam()(); }
  TopicLog& log() { return under_test_->log(); }

  Result<std::shared_ptr<const Topic>> create(NewTopic topic) {
    std::optional<Result<std::shared_ptr<const Topic>>> answer;
    log().create_topic(std::move(topic), executor_, [&](auto result) { answer = std::move(result); });
    EXPECT_TRUE(executor_.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  Result<void> remove(const std::string& name) {
    std::optional<Result<void>> answer;
    log().delete_topic(name, executor_, [&](auto result) { answer = std::move(result); });
    EXPECT_TRUE(executor_.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  Result<std::shared_ptr<const Topic>> alter(const std::string& name, std::map<std::string, std::string> settings) {
    std::optional<Result<std::shared_ptr<const Topic>>> answer;
    log().alter_config(name, std::move(settings), executor_, [&](auto result) { answer = std::move(result); });
    EXPECT_TRUE(executor_.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  Result<std::shared_ptr<const Topic>> grow(const std::string& name, std::int32_t total) {
    std::optional<Result<std::shared_ptr<const Topic>>> answer;
    log().create_partitions(name, total, executor_, [&](auto result) { answer = std::move(result); });
    EXPECT_TRUE(executor_.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  std::vector<RecordDeletion> delete_records(std::vector<RecordDeletion> deletions) {
    std::optional<std::vector<RecordDeletion>> answer;
    log().delete_records(std::move(deletions), executor_, [&](auto result) { answer = std::move(result); });
    EXPECT_TRUE(executor_.run_until([&] { return answer.has_value(); }));
    return std::move(*answer);
  }
  static SharedBytes batch_of(const std::vector<std::string>& values, ProducerId producer = kNoProducer,
                              std::int32_t sequence = kNoSequence) {
    RecordBatchBuilder builder;
    std::int64_t timestamp = 1'000;
    for (const std::string& value : values) {
      builder.append({.key = as_bytes("k"), .value = as_bytes(value), .headers = {}, .timestamp_ms = timestamp++});
    }
    return builder.finish(producer, producer == kNoProducer ? kNoProducerEpoch : ProducerEpoch(0), sequence);
  }
  std::unique_ptr<AppendRequest> append(std::vector<PartitionAppend> items) {
    auto request = std::make_unique<AppendRequest>();
    request->items = std::move(items);
    request->reply_to = &executor_;
    std::unique_ptr<AppendRequest> answer;
    request->done = [&](std::unique_ptr<AppendRequest> back) { answer = std::move(back); };
    log().append(std::move(request));
    EXPECT_TRUE(executor_.run_until([&] { return answer != nullptr; }));
    return answer;
  }
  Result<AppendResult> append_one(const std::string& topic, SharedBytes batch, std::size_t partition = 0) {
    std::vector<PartitionAppend> items;
    items.push_back({.partition = log().table()->find(topic)->partitions[partition], .batch = std::move(batch)});
    return append(std::move(items))->items.front().outcome;
  }
  std::vector<std::string> read_all(const std::string& topic, std::size_t partition = 0) {
    const auto table = log().table();
    Partition& log = *table->find(topic)->partitions[partition];
    std::vector<std::string> values;
    Offset next = log.log_start();
    while (next < log.high_watermark()) {
      const auto read = log.read(next, 1000);
      EXPECT_TRUE(read) << read.error().message();
      if (!read || read->batches.empty()) break;
      for (const SharedBytes& batch : read->batches) {
        const auto header = parse_batch_header(batch.view());
        EXPECT_TRUE(header && batch_crc_matches(batch.view()));
        RecordReader reader = RecordReader::of_batch(*header, batch.view());
        while (!reader.done()) {
          const auto record = reader.next();
          EXPECT_TRUE(record);
          if (record->offset >= next) values.emplace_back(as_text(*record->record.value));
        }
        next = header->next_offset();
      }
    }
    return values;
  }

  QueueExecutor executor_;
  std::unique_ptr<LogUnderTest> under_test_;
};

using Strings = std::vector<std::string>;

TEST_P(TopicLogContract, CreatedTopicsAreInTheTableAndSurviveReopening) {
  const auto version = log().table_version();
  ASSERT_TRUE(create({.name = "a", .partitions = 3, .config = {{"retention.ms", "5000"}}}));
  EXPECT_GT(log().table_version(), version);
  under_test_->reopen();
  const auto table = log().table();
  const Topic* topic = table->find("a");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->partitions.size(), 3U);
  EXPECT_EQ(topic->config.at("retention.ms"), "5000");
  EXPECT_EQ(topic->log_config.retention_ms, 5000);
  EXPECT_FALSE(topic->id.is_zero());
}

TEST_P(TopicLogContract, CreationIsRefusedWithTheReason) {
  ASSERT_TRUE(create({.name = "a.b", .partitions = 1}));
  EXPECT_EQ(create({.name = "a.b", .partitions = 1}).error().code, ErrorCode::already_exists);
  EXPECT_EQ(create({.name = "a_b", .partitions = 1}).error().code, ErrorCode::invalid_argument);  // collides
  EXPECT_EQ(create({.name = "a/b", .partitions = 1}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(create({.name = "c", .partitions = 0}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(create({.name = "c", .partitions = 1, .config = {{"retntion.ms", "1"}}}).error().code,
            ErrorCode::invalid_argument);
  ASSERT_TRUE(create({.name = "v", .partitions = 1, .validate_only = true}));
  EXPECT_EQ(log().table()->find("v"), nullptr);
}

TEST_P(TopicLogContract, AppendedRecordsAreReadInOrderAndSurviveReopening) {
  ASSERT_TRUE(create({.name = "t", .partitions = 2}));
  EXPECT_EQ(append_one("t", batch_of({"1", "2"}))->base_offset, Offset(0));
  EXPECT_EQ(append_one("t", batch_of({"3"}))->base_offset, Offset(2));
  EXPECT_EQ(append_one("t", batch_of({"x"}), 1)->base_offset, Offset(0));
  EXPECT_EQ(read_all("t"), (Strings{"1", "2", "3"}));
  under_test_->reopen();
  EXPECT_EQ(read_all("t"), (Strings{"1", "2", "3"}));
  EXPECT_EQ(read_all("t", 1), (Strings{"x"}));
  EXPECT_EQ(append_one("t", batch_of({"4"}))->base_offset, Offset(3));
}

TEST_P(TopicLogContract, ManyRequestsAtOnceKeepTheirOrder) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  const auto partition = log().table()->find("t")->partitions[0];
  int answered = 0;
  Strings expected;
  for (int i = 0; i < 200; ++i) {
    auto request = std::make_unique<AppendRequest>();
    request->items.push_back({.partition = partition, .batch = batch_of({std::to_string(i)})});
    request->reply_to = &executor_;
    request->done = [&answered](auto back) {
      EXPECT_TRUE(back->items.front().outcome);
      ++answered;
    };
    log().append(std::move(request));
    expected.push_back(std::to_string(i));
  }
  ASSERT_TRUE(executor_.run_until([&] { return answered == 200; }));
  EXPECT_EQ(read_all("t"), expected);
}

TEST_P(TopicLogContract, ReadsOutsideTheLogAreOutOfRange) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  ASSERT_TRUE(append_one("t", batch_of({"1"})));
  const auto partition = log().table()->find("t")->partitions[0];
  EXPECT_EQ(partition->read(Offset(2), 100).error().code, ErrorCode::out_of_range);
  EXPECT_EQ(partition->read(Offset(-1), 100).error().code, ErrorCode::out_of_range);
  EXPECT_TRUE(partition->read(Offset(1), 100)->batches.empty());
}

TEST_P(TopicLogContract, IdempotentProducersAreDeduplicatedAlsoAfterReopening) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  ASSERT_EQ(append_one("t", batch_of({"a", "b"}, ProducerId(7), 0))->base_offset, Offset(0));
  const auto again = append_one("t", batch_of({"a", "b"}, ProducerId(7), 0));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->base_offset, Offset(0));
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(append_one("t", batch_of({"d"}, ProducerId(7), 3)).error().code, ErrorCode::out_of_order);
  under_test_->reopen();
  EXPECT_TRUE(append_one("t", batch_of({"a", "b"}, ProducerId(7), 0))->duplicate);
  EXPECT_EQ(append_one("t", batch_of({"c"}, ProducerId(7), 2))->base_offset, Offset(2));
  EXPECT_EQ(read_all("t"), (Strings{"a", "b", "c"}));
}

TEST_P(TopicLogContract, ProducerIdsAreNeverHandedOutTwice) {
  std::vector<std::int64_t> ids;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      std::optional<Result<ProducerId>> answer;
      log().next_producer_id(executor_, [&](auto id) { answer = std::move(id); });
      ASSERT_TRUE(executor_.run_until([&] { return answer.has_value(); }));
      ASSERT_TRUE(*answer);
      ids.push_back((*answer)->value());
    }
    under_test_->reopen();
  }
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

TEST_P(TopicLogContract, WaitersHearOfNewRecordsOnceAndOfDeletion) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  const auto partition = log().table()->find("t")->partitions[0];
  int heard = 0;
  partition->when_beyond(Offset(0), executor_, [&] { ++heard; });
  executor_.run_ready();
  EXPECT_EQ(heard, 0);
  ASSERT_TRUE(append_one("t", batch_of({"1"})));
  ASSERT_TRUE(executor_.run_until([&] { return heard == 1; }));
  ASSERT_TRUE(append_one("t", batch_of({"2"})));
  executor_.run_ready();
  EXPECT_EQ(heard, 1);
  partition->when_beyond(Offset(0), executor_, [&] { ++heard; });  // already so
  ASSERT_TRUE(executor_.run_until([&] { return heard == 2; }));
  partition->when_beyond(Offset(100), executor_, [&] { ++heard; });
  ASSERT_TRUE(remove("t"));
  ASSERT_TRUE(executor_.run_until([&] { return heard == 3; }));
}

TEST_P(TopicLogContract, DeletedTopicsAreGoneAndTheNameIsFree) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  const auto old = log().table()->find("t")->partitions[0];
  ASSERT_TRUE(append_one("t", batch_of({"old"})));
  ASSERT_TRUE(remove("t"));
  EXPECT_EQ(remove("t").error().code, ErrorCode::not_found);
  EXPECT_EQ(log().table()->find("t"), nullptr);
  EXPECT_TRUE(old->deleted());
  std::vector<PartitionAppend> items;
  items.push_back({.partition = old, .batch = batch_of({"late"})});
  EXPECT_EQ(append(std::move(items))->items.front().outcome.error().code, ErrorCode::not_found);
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  EXPECT_TRUE(read_all("t").empty());
  under_test_->reopen();
  EXPECT_TRUE(read_all("t").empty());
  EXPECT_EQ(append_one("t", batch_of({"new"}))->base_offset, Offset(0));
}

TEST_P(TopicLogContract, OffsetsAreFoundByTimestamp) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  ASSERT_TRUE(append_one("t", batch_of({"a", "b", "c"})));  // timestamps 1000, 1001, 1002
  const auto partition = log().table()->find("t")->partitions[0];
  const auto found = partition->find_timestamp(1001);
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ((*found)->offset, Offset(1));
  EXPECT_FALSE(partition->find_timestamp(2000)->has_value());
  const auto last = partition->find_max_timestamp();
  ASSERT_TRUE(last && last->has_value());
  EXPECT_EQ((*last)->offset, Offset(2));
}

TEST_P(TopicLogContract, AlteredSettingsTakeEffectAndSurviveReopening) {
  ASSERT_TRUE(create({.name = "t", .partitions = 2, .config = {{"retention.ms", "5000"}}}));
  ASSERT_TRUE(alter("t", {{"cleanup.policy", "compact"}, {"max.message.bytes", "100"}}));
  const auto check = [&] {
    const auto table = log().table();
    const Topic& topic = *table->find("t");
    EXPECT_EQ(topic.config.size(), 2U);
    EXPECT_TRUE(topic.log_config.compact);
    EXPECT_EQ(topic.log_config.retention_ms, log().topic_defaults().retention_ms);
  };
  check();
  EXPECT_EQ(append_one("t", batch_of({std::string(200, 'x')}), 1).error().code, ErrorCode::too_large);
  under_test_->reopen();
  check();
  EXPECT_EQ(append_one("t", batch_of({std::string(200, 'x')}), 1).error().code, ErrorCode::too_large);
}

TEST_P(TopicLogContract, RefusedSettingsChangeNothing) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1, .config = {{"retention.ms", "5000"}}}));
  EXPECT_EQ(alter("u", {}).error().code, ErrorCode::not_found);
  const auto refused = alter("t", {{"retention.ms", "soon"}});
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().detail, "Invalid value soon for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(log().table()->find("t")->config.at("retention.ms"), "5000");
}

TEST_P(TopicLogContract, EditsAtOnceLoseNoneOfEachOther) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1}));
  int answered = 0;
  for (const char* key : {"retention.ms", "segment.ms", "flush.ms"}) {
    log().edit_config(
        "t",
        [key](const auto& current) -> Result<std::map<std::string, std::string>> {
          auto next = current;
          next[key] = "7";
          return next;
        },
        executor_,
        [&](auto result) {
          EXPECT_TRUE(result);
          ++answered;
        });
  }
  ASSERT_TRUE(executor_.run_until([&] { return answered == 3; }));
  EXPECT_EQ(log().table()->find("t")->config.size(), 3U);
}

TEST_P(TopicLogContract, PartitionsAreAddedAndKeepTheOldOnes) {
  ASSERT_TRUE(create({.name = "t", .partitions = 1, .config = {{"retention.ms", "5000"}}}));
  ASSERT_TRUE(append_one("t", batch_of({"old"})));
  const Uuid id = log().table()->find("t")->id;
  EXPECT_EQ(grow("u", 2).error().code, ErrorCode::not_found);
  EXPECT_EQ(grow("t", 1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(grow("t", 0).error().code, ErrorCode::invalid_argument);
  const auto version = log().table_version();
  const auto grown = grow("t", 3);
  ASSERT_TRUE(grown);
  EXPECT_EQ((*grown)->partitions.size(), 3U);
  EXPECT_GT(log().table_version(), version);
  ASSERT_TRUE(append_one("t", batch_of({"new"}), 2));
  under_test_->reopen();
  EXPECT_EQ(log().table()->find("t")->partitions.size(), 3U);
  EXPECT_EQ(log().table()->find("t")->id, id);
  EXPECT_EQ(read_all("t", 0), (Strings{"old"}));
  EXPECT_EQ(read_all("t", 2), (Strings{"new"}));
}

TEST_P(TopicLogContract, DeletedRecordsAreGoneAlsoAfterReopening) {
  ASSERT_TRUE(create({.name = "t", .partitions = 2}));
  ASSERT_TRUE(append_one("t", batch_of({"a", "b", "c"})));
  ASSERT_TRUE(append_one("t", batch_of({"x", "y"}), 1));
  const TopicPartition zero{"t", PartitionIndex(0)};
  const TopicPartition one{"t", PartitionIndex(1)};
  const auto done = delete_records({{zero, Offset(2)}, {one, Offset(-1)}, {{"u", PartitionIndex(0)}, Offset(0)}});
  ASSERT_EQ(done.size(), 3U);
  EXPECT_EQ(*done[0].log_start, Offset(2));
  EXPECT_EQ(*done[1].log_start, Offset(2));
  EXPECT_EQ(done[2].log_start.error().code, ErrorCode::not_found);
  EXPECT_EQ(delete_records({{zero, Offset(4)}})[0].log_start.error().code, ErrorCode::out_of_range);
  EXPECT_EQ(delete_records({{zero, Offset(-2)}})[0].log_start.error().code, ErrorCode::out_of_range);
  EXPECT_EQ(*delete_records({{zero, Offset(1)}})[0].log_start, Offset(2));  // never back
  under_test_->reopen();
  EXPECT_EQ(read_all("t"), (Strings{"c"}));
  EXPECT_TRUE(read_all("t", 1).empty());
  EXPECT_EQ(append_one("t", batch_of({"z"}), 1)->base_offset, Offset(2));
}

}  // namespace millrace::topics

#include "topics/table_topic.h"

#include <gtest/gtest.h>

#include <map>

#include "base/queue_executor.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
#include "metrics/registry.h"
#include "model/record_batch_builder.h"
#include "topics/embedded/embedded_topic_log.h"

namespace millrace::topics {
namespace {

class TableTopicTest : public ::testing::Test {
 protected:
  TableTopicTest() : files_(*io::PosixFileSystem::open(directory_.path())) { start(); }
  ~TableTopicTest() override {
    table_.reset();
    log_.reset();
  }

  void start() {
    table_.reset();
    log_.reset();
    EmbeddedSettings settings;
    settings.log.journal_file_bytes = 1_MiB;
    log_ = *EmbeddedTopicLog::open(*files_, clock_, metrics_, settings,
                                   [](const Error& error) { ADD_FAILURE() << error.message(); });
  }
  Result<void> open(TableSpec spec) {
    values_.clear();
    std::optional<Result<std::shared_ptr<TableTopic>>> answer;
    TableTopic::open(
        *log_, clock_, loop_, std::move(spec),
        [this](ByteView key, std::optional<ByteView> value) {
          if (value) {
            values_[std::string(as_text(key))] = as_text(*value);
          } else {
            values_.erase(std::string(as_text(key)));
          }
        },
        [&](auto opened) { answer = std::move(opened); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }));
    if (!*answer) return std::unexpected(answer->error());
    table_ = **answer;
    return {};
  }
  void put(std::string_view key, std::optional<std::string_view> value) {
    ++open_puts_;
    table_->put(as_bytes(key), value ? std::optional(as_bytes(*value)) : std::nullopt, [this](Result<void> done) {
      EXPECT_TRUE(done) << done.error().message();
      --open_puts_;
    });
  }
  void settle() {
    EXPECT_TRUE(loop_.run_until([this] { return open_puts_ == 0; }));
  }

  io::TemporaryDirectory directory_;
  SystemClock clock_;
  metrics::Registry metrics_;
  std::unique_ptr<io::PosixFileSystem> files_;
  std::unique_ptr<EmbeddedTopicLog> log_;
  QueueExecutor loop_;
  std::shared_ptr<TableTopic> table_;
  std::map<std::string, std::string> values_;
  int open_puts_ = 0;
};

using Values = std::map<std::string, std::string>;

TEST_F(TableTopicTest, WhatWasPutLastIsReadBackAfterReopening) {
  ASSERT_TRUE(open({.name = "__table"}));
  EXPECT_TRUE(log_->table()->find("__table")->log_config.compact);
  put("a", "1");
  put("b", "2");
  put("a", "3");
  put("b", std::nullopt);
  settle();
  put("c", "4");
  settle();
  EXPECT_EQ(table_->pending_bytes(), 0U);
  start();
  ASSERT_TRUE(open({.name = "__table"}));
  EXPECT_EQ(values_, (Values{{"a", "3"}, {"c", "4"}}));
}

TEST_F(TableTopicTest, PutsOfOneTurnShareABatch) {
  ASSERT_TRUE(open({.name = "__table"}));
  for (int i = 0; i < 100; ++i) put(std::to_string(i), "x");
  settle();
  const auto partition = log_->table()->find("__table")->partitions.front();
  EXPECT_EQ(partition->read(Offset(0), 1_MiB)->batches.size(), 1U);
}

TEST_F(TableTopicTest, ManyPutsAreSplitByTheLargestBatchAndKeepTheirOrder) {
  ASSERT_TRUE(open({.name = "__table", .config = {{"max.message.bytes", "2000"}}}));
  for (int i = 0; i < 500; ++i) put("key", std::string(100, 'v') + std::to_string(i));
  settle();
  start();
  ASSERT_TRUE(open({.name = "__table"}));
  EXPECT_EQ(values_, (Values{{"key", std::string(100, 'v') + "499"}}));
}

TEST_F(TableTopicTest, AChangeThatIsTooLargeFailsAlone) {
  ASSERT_TRUE(open({.name = "__table", .config = {{"max.message.bytes", "2000"}}}));
  put("before", "1");
  std::optional<Result<void>> refused;
  table_->put(as_bytes("k"), as_bytes(std::string(3000, 'v')), [&](Result<void> done) { refused = std::move(done); });
  put("after", "1");
  settle();
  ASSERT_TRUE(loop_.run_until([&] { return refused.has_value(); }));
  EXPECT_EQ(refused->error().code, ErrorCode::too_large);
}

TEST_F(TableTopicTest, PutsFromCallbacksGoWithTheNextRequest) {
  ASSERT_TRUE(open({.name = "__table"}));
  int left = 20;
  std::function<void()> next = [&] {
    if (left-- == 0) return;
    table_->put(as_bytes(std::to_string(left)), as_bytes("v"), [&](Result<void> done) {
      EXPECT_TRUE(done);
      next();
    });
  };
  next();
  ASSERT_TRUE(loop_.run_until([&] { return left < 0; }));
  start();
  ASSERT_TRUE(open({.name = "__table"}));
  EXPECT_EQ(values_.size(), 20U);
}

TEST_F(TableTopicTest, ATopicOfSeveralPartitionsIsRefused) {
  bool made = false;
  log_->create_topic({.name = "wide", .partitions = 2}, loop_, [&](auto created) { made = created.has_value(); });
  ASSERT_TRUE(loop_.run_until([&] { return made; }));
  const auto opened = open({.name = "wide", .internal = false});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace millrace::topics

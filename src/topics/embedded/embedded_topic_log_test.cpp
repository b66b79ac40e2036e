#include "topics/embedded/embedded_topic_log.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/queue_executor.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
#include "model/record_batch_builder.h"
#include "topics/topic_log_contract.h"

namespace millrace::topics {
namespace {

class EmbeddedUnderTest final : public LogUnderTest {
 public:
  EmbeddedUnderTest() : files_(*io::PosixFileSystem::open(directory_.path())) { open(); }
  ~EmbeddedUnderTest() override { log_.reset(); }
  TopicLog& log() override { return *log_; }
  void reopen() override {
    log_.reset();
    open();
  }

 private:
  void open() {
    EmbeddedSettings settings;
    settings.log.journal_file_bytes = 1_MiB;
    auto opened = EmbeddedTopicLog::open(*files_, clock_, metrics_, settings,
                                         [](const Error& error) { ADD_FAILURE() << error.message(); });
    ASSERT_TRUE(opened) << opened.error().message();
    log_ = std::move(*opened);
  }

  io::TemporaryDirectory directory_;
  SystemClock clock_;
  metrics::Registry metrics_;
  std::unique_ptr<io::PosixFileSystem> files_;
  std::unique_ptr<EmbeddedTopicLog> log_;
};

INSTANTIATE_TEST_SUITE_P(Embedded, TopicLogContract,
                         ::testing::Values(LogFactory([] { return std::make_unique<EmbeddedUnderTest>(); })),
                         [](const auto&) { return std::string("EmbeddedTopicLog"); });

// Appends that find the journal full go on with the checkpoint that gives files back, not with their next look at it.
TEST(EmbeddedTopicLog, AFullJournalIsWaitedForNoLongerThanItLasts) {
  log::set_level(log::Level::off);
  io::TemporaryDirectory directory;
  const auto files = *io::PosixFileSystem::open(directory.path());
  SystemClock clock;
  metrics::Registry metrics;
  EmbeddedSettings settings;
  settings.log.journal_file_bytes = 1_MiB;
  settings.log.journal_max_bytes = 2_MiB;
  settings.disk_full_retry = std::chrono::hours(1);
  const auto log = *EmbeddedTopicLog::open(*files, clock, metrics, settings,
                                           [](const Error& error) { ADD_FAILURE() << error.message(); });
  QueueExecutor executor;
  std::shared_ptr<const Topic> topic;
  log->create_topic({.name = "t", .partitions = 1}, executor, [&](auto created) { topic = *created; });
  ASSERT_TRUE(executor.run_until([&] { return topic != nullptr; }));
  int answered = 0;
  for (int i = 0; i < 40; ++i) {  // five times the journal
    RecordBatchBuilder builder;
    const std::string value(256_KiB, 'x');
    builder.append({.key = std::nullopt, .value = as_bytes(value), .headers = {}, .timestamp_ms = i});
    auto request = std::make_unique<AppendRequest>();
    request->items.push_back({topic->partitions[0], builder.finish(kNoProducer, kNoProducerEpoch, kNoSequence)});
    request->reply_to = &executor;
    request->done = [&](std::unique_ptr<AppendRequest> done) {
      EXPECT_TRUE(done->items.front().outcome);
      ++answered;
    };
    log->append(std::move(request));
    // One after the other, so that a commit fits into a journal file.
    ASSERT_TRUE(executor.run_until([&] { return answered == i + 1; })) << i;
  }
  topic.reset();
  ASSERT_TRUE(log->stop());
}

}  // namespace
}  // namespace millrace::topics

#include "topics/embedded/embedded_topic_log.h"

#include <gtest/gtest.h>

#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
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

}  // namespace
}  // namespace millrace::topics

#include "topics/embedded/embedded_topic_log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "io/posix_file_system.h"
#include "topics/topic_log_contract.h"

namespace millrace::topics {
namespace {

class EmbeddedUnderTest final : public LogUnderTest {
 public:
  EmbeddedUnderTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-topics-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    open();
  }
  ~EmbeddedUnderTest() override {
    log_.reset();
    std::filesystem::remove_all(directory_);
  }
  TopicLog& log() override { return *log_; }
  void reopen() override {
    log_.reset();
    open();
  }

 private:
  void open() {
    files_ = std::make_unique<io::PosixFileSystem>(directory_);
    EmbeddedSettings settings;
    settings.log.journal_file_bytes = 1_MiB;
    auto opened = EmbeddedTopicLog::open(*files_, clock_, metrics_, settings,
                                         [](const Error& error) { ADD_FAILURE() << error.message(); });
    ASSERT_TRUE(opened) << opened.error().message();
    log_ = std::move(*opened);
  }

  std::string directory_;
  SystemClock clock_;
  metrics::Registry metrics_;
  std::unique_ptr<io::FileSystem> files_;
  std::unique_ptr<EmbeddedTopicLog> log_;
};

INSTANTIATE_TEST_SUITE_P(Embedded, TopicLogContract,
                         ::testing::Values(LogFactory([] { return std::make_unique<EmbeddedUnderTest>(); })),
                         [](const auto&) { return std::string("EmbeddedTopicLog"); });

}  // namespace
}  // namespace millrace::topics

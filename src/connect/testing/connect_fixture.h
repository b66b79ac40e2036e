// ConnectFixture: a worker with its REST interface on a real log in a temporary directory, for tests of the whole
// module.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/queue_executor.h"
#include "connect/rest/routes.h"
#include "connect/runtime/worker.h"
#include "connect/testing/eventually.h"
#include "connect/testing/holding_log.h"
#include "connect/testing/memory_offset_store.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
#include "metrics/registry.h"
#include "net/http/client.h"
#include "net/http/server.h"
#include "net/testing/socket_client.h"
#include "topics/batch_accumulator.h"
#include "topics/embedded/embedded_topic_log.h"

namespace millrace::connect::testing {

class ConnectFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    files_ = io::PosixFileSystem::open(directory_.path() + "/data").value();
    storage::RecoveryReport report;
    topics::EmbeddedSettings settings;
    settings.log.journal_file_bytes = 2_MiB;
    settings.log.journal_max_bytes = 8_MiB;
    log_ = topics::EmbeddedTopicLog::open(*files_, clock_, registry_, settings, [](const Error&) {}, &report).value();
    slow_log_ = std::make_unique<HoldingLog>(*log_);
    root_ = io::PosixFileSystem::open("/").value();
    surroundings_ = {.clock = &clock_,
                     .variable =
                         [](std::string_view name) {
                           return name == "SECRET" ? std::optional<std::string>("swordfish") : std::nullopt;
                         },
                     .files = root_.get()};
    start();
  }
  void TearDown() override {
    stop();
    ASSERT_TRUE(log_->stop());
    ended_.clear();
  }

  void start() {
    loop_ = std::make_unique<net::testing::LoopThread>();
    metrics_ = std::make_unique<metrics::Registry>();
    worker_ = std::make_unique<Worker>(loop_->loop(), *slow_log_, offsets_, surroundings_, *metrics_,
                                       WorkerSettings{.config_topic = "connect-configs",
                                                      .status_topic = "connect-status",
                                                      .worker_id = "127.0.0.1:8083",
                                                      .memory_bytes = memory_bytes_,
                                                      .bookmark_interval = std::chrono::milliseconds(20),
                                                      .assignment_interval = std::chrono::milliseconds(20)},
                                       4711);
    router_ = std::make_unique<net::http::Router>();
    add_routes(*router_, {.worker = *worker_, .version = "3.9.1", .commit = "c", .kafka_cluster_id = "id"});
    server_ = net::http::Server::listen(loop_->loop(), net::Address{}, *router_, *metrics_, {}).value();
    url_ = "http://" + server_->address().to_string();
    std::promise<Result<void>> opened;
    loop_->run([this, &opened] {
      server_->start();
      worker_->open([&opened](Result<void> result) { opened.set_value(std::move(result)); });
    });
    ASSERT_TRUE(opened.get_future().get());
  }
  /// As a process ends: bookmarks and topics stay.
  void stop() {
    loop_->run([this] { server_.reset(); });
    loop_->stop();
    worker_->stop();
    worker_.reset();
    ended_.push_back(std::move(loop_));  // the log may still post answers to it
  }

  struct Answer {
    int status = 0;
    std::string body;
    std::string location;
  };
  Answer call(const std::string& method, const std::string& path, const std::string& body = "") {
    net::http::Client client({});
    const auto response = client.perform({.method = method,
                                          .url = url_ + path,
                                          .headers = {{"Content-Type", "application/json"}},
                                          .body = as_bytes(body),
                                          .has_body = !body.empty()});
    if (!response) return {0, response.error().message(), ""};
    return {response->status, response->body, std::string(response->header("location"))};
  }

  void make_topic(const std::string& name, std::int32_t partitions) {
    QueueExecutor executor;
    bool done = false;
    log_->create_topic({.name = name, .partitions = partitions}, executor, [&](auto result) {
      EXPECT_TRUE(result);
      done = true;
    });
    ASSERT_TRUE(executor.run_until([&] { return done; }));
  }
  void delete_topic(const std::string& name) {
    QueueExecutor executor;
    bool done = false;
    log_->delete_topic(name, executor, [&](Result<void> result) {
      EXPECT_TRUE(result);
      done = true;
    });
    ASSERT_TRUE(executor.run_until([&] { return done; }));
    offsets_.forget_topic(name);
  }
  void produce(const std::string& topic, const std::vector<std::string>& values) {
    QueueExecutor executor;
    topics::BatchAccumulator batches(*log_, 1);
    for (const std::string& value : values) {
      const std::string key = std::to_string(std::hash<std::string>{}(value) % 10);
      ASSERT_EQ(batches.add(
                    topic, std::nullopt,
                    {.key = as_bytes(key), .value = as_bytes(value), .headers = {}, .timestamp_ms = 1'700'000'000'000}),
                topics::Placement::added);
    }
    auto request = std::make_unique<topics::AppendRequest>();
    batches.take(request->items);
    request->reply_to = &executor;
    bool done = false;
    request->done = [&](auto) { done = true; };
    log_->append(std::move(request));
    ASSERT_TRUE(executor.run_until([&] { return done; }));
  }
  /// Every value of a topic, with its headers as "key=value".
  std::vector<std::pair<std::string, std::vector<std::string>>> consume(const std::string& topic) {
    std::vector<std::pair<std::string, std::vector<std::string>>> all;
    const auto table = log_->table();
    const topics::Topic* found = table->find(topic);
    if (found == nullptr) return all;
    for (const auto& partition : found->partitions) {
      Lane lane(0, partition, Offset(0), "");
      while (lane.fetch(1_MiB).value()) {
        while (const auto read = lane.next().value()) {
          all.emplace_back(read->record.value ? std::string(as_text(*read->record.value)) : "(null)",
                           std::vector<std::string>());
          for (const RecordHeader& header : read->record.headers) {
            all.back().second.push_back(std::string(header.key) + "=" +
                                        (header.value ? std::string(as_text(*header.value)) : ""));
          }
        }
      }
    }
    return all;
  }
  bool status_is(const std::string& name, const std::string& text) {
    return eventually(
        [&] { return call("GET", "/connectors/" + name + "/status").body.find(text) != std::string::npos; });
  }

  io::TemporaryDirectory directory_;
  SystemClock clock_;
  metrics::Registry registry_;
  std::unique_ptr<io::FileSystem> files_;
  std::unique_ptr<io::FileSystem> root_;
  std::unique_ptr<topics::EmbeddedTopicLog> log_;
  std::unique_ptr<HoldingLog> slow_log_;  // the worker's
  MemoryOffsetStore offsets_;
  std::int64_t memory_bytes_ = 256 << 20;
  Surroundings surroundings_;
  std::vector<std::unique_ptr<net::testing::LoopThread>> ended_;
  std::unique_ptr<net::testing::LoopThread> loop_;
  std::unique_ptr<metrics::Registry> metrics_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<net::http::Router> router_;
  std::unique_ptr<net::http::Server> server_;
  std::string url_;
};

}  // namespace millrace::connect::testing

// Durable: a TestServer with a message topic and what it remembers, through restarts. Without a log or a disk.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "mqtt/server/restore.h"
#include "mqtt/testing/test_server.h"

namespace millrace::mqtt::testing {

/// A server with a message topic; restart() is a kill -9: what was not recorded is gone.
class Durable {
 public:
  explicit Durable(std::size_t loops = 1, Settings settings = {}) : settings_(std::move(settings)), loops_(loops) {
    begin();
  }
  TestServer& operator*() { return *server_; }
  TestServer* operator->() { return server_.get(); }

  TestClient client(std::string_view id, std::size_t loop = 0, const char* properties = "11 00000e10") {
    TestClient made = server_->client(protocol::Version::v5, loop);
    made.connect(id, false, 0, properties);
    return made;
  }
  void restart() {
    keep_records();
    server_.reset();
    messages_->forget_waits();
    begin();
    SessionRecords records;
    for (const auto& [key, value] : sessions_) EXPECT_TRUE(records.add(key, as_bytes(value)));
    EXPECT_TRUE(restore_sessions(std::move(records), server_->exchange(), {}));
    server_->turn();
  }
  /// The message topic as the records tell it.
  MemoryMessages& messages() { return *messages_; }

 private:
  void begin() {
    server_ = std::make_unique<TestServer>(settings_, loops_);
    server_->make_durable(messages_);
  }
  void keep_records() {
    for (std::size_t loop = 0; loop < loops_; ++loop) {
      for (const auto& own : server_->receiver(loop).own) {
        if (own.topic != kSessionTopic) continue;
        const auto value = server_->recorded(kSessionTopic, own.key);
        if (value) {
          sessions_[own.key] = *value;
        } else {
          sessions_.erase(own.key);
        }
      }
    }
  }

  Settings settings_;
  std::size_t loops_;
  std::shared_ptr<MemoryMessages> messages_ = std::make_shared<MemoryMessages>();
  std::unique_ptr<TestServer> server_;
  std::map<std::string, std::string> sessions_;
};

}  // namespace millrace::mqtt::testing

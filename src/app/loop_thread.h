// LoopThread: one event loop, the pipeline that lives on it, and the thread that runs both.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/thread_name.h"
#include "net/loop.h"
#include "pipeline/message_pipeline.h"

namespace millrace::app {

class LoopThread {
 public:
  LoopThread(topics::TopicLog& log, const pipeline::RuleSetSlot& rules, const Clock& clock, metrics::Registry& metrics,
             const pipeline::PipelineSettings& settings, std::uint64_t seed)
      : pipeline_(std::make_unique<pipeline::MessagePipeline>(log, loop_, rules, clock, metrics, settings, seed)) {
    loop_.at_turn_end([this] { pipeline_->turn_end(); });
  }
  ~LoopThread() { stop(); }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  void start(std::size_t number) {
    thread_ = std::thread([this, number] {
      name_this_thread("loop-" + std::to_string(number));
      loop_.run();
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
  }
  [[nodiscard]] net::Loop& loop() { return loop_; }
  [[nodiscard]] pipeline::MessagePipeline& pipeline() { return *pipeline_; }

 private:
  net::Loop loop_;
  std::unique_ptr<pipeline::MessagePipeline> pipeline_;
  std::thread thread_;
};

}  // namespace millrace::app

// FakeStream: a Stream in memory. The test feeds bytes, in pieces of any size, and looks at what was sent and how.
// What the handler leaves is kept and comes again in front, as the contract says; close and abort report through the
// executor.
#pragma once

#include <string>
#include <vector>

#include "base/executor.h"
#include "net/stream.h"

namespace millrace::kafka::testing {

/// What is left of a stream once its owner destroyed it.
struct Wire {
  std::string sent;
  std::vector<SharedBytes> shared;  // slices that were sent without a copy
  bool closed = false;
  bool paused = false;
  bool alive = true;
  int acknowledged_at_once = 0;
};

class FakeStream final : public net::Stream {
 public:
  FakeStream(Executor& executor, Wire& wire) : executor_(executor), wire_(wire) {}
  ~FakeStream() override {
    flush();
    wire_.alive = false;
  }

  void start(net::StreamHandler& handler) override { handler_ = &handler; }
  void pause_reading() override { wire_.paused = true; }
  void resume_reading() override {
    wire_.paused = false;
    executor_.post([this, &wire = wire_] {
      if (wire.alive) deliver();
    });
  }
  void expect(std::size_t total) override { frame_total_ = total; }
  void acknowledge_now() override { ++wire_.acknowledged_at_once; }
  [[nodiscard]] Buffer& output() override { return output_; }
  void mark_dirty() override {}
  void send(SharedBytes bytes) override {
    flush();
    wire_.sent += as_text(bytes.view());
    wire_.shared.push_back(std::move(bytes));
  }
  [[nodiscard]] std::size_t pending_bytes() const override { return pending; }
  void set_marks(std::size_t, std::size_t) override {}
  void close() override { report(); }
  void abort() override { report(); }
  [[nodiscard]] std::string peer_address() const override { return "test:1"; }

  void feed(std::string_view bytes) {
    input_.append(bytes);
    deliver();
  }
  void flush() {
    wire_.sent += as_text(output_.view());
    output_.clear();
  }
  void drained() {
    pending = 0;
    handler_->on_drained();
  }

  std::size_t pending = 0;

 private:
  void deliver() {
    while (!wire_.paused && !wire_.closed && !input_.empty()) {
      if (frame_total_ == 0) {
        input_.consume(handler_->on_bytes(input_.view()));
        if (frame_total_ == 0) return;
      }
      if (wire_.paused || input_.size() < frame_total_) return;
      Buffer frame;
      frame.append(input_.view(0, frame_total_));
      input_.consume(std::exchange(frame_total_, 0));
      handler_->on_frame(std::move(frame));
    }
  }
  void report() {
    if (std::exchange(wire_.closed, true)) return;
    executor_.post([this, &wire = wire_] {
      if (wire.alive) handler_->on_closed(Error{ErrorCode::closed, "closed", {}});
    });
  }

  Executor& executor_;
  Wire& wire_;
  net::StreamHandler* handler_ = nullptr;
  Buffer input_;
  std::size_t frame_total_ = 0;
  Buffer output_;
};

}  // namespace millrace::kafka::testing

// FakeStream: a net::Stream in memory with the contract of the real one. The test holds the FakePeer, the other end.
#pragma once

#include <memory>
#include <string>

#include "net/stream.h"

namespace millrace::mqtt::testing {

class FakeStream;

/// What the client at the other end sees and does.
struct FakePeer {
  FakeStream* stream = nullptr;  // null once the server let go of it
  std::string received;          // by the client
  bool closed = false;           // the client sees the end
  bool takes_nothing = false;    // the client does not read: written bytes stay pending
};

class FakeStream final : public net::Stream {
 public:
  explicit FakeStream(std::shared_ptr<FakePeer> peer) : peer_(std::move(peer)) { peer_->stream = this; }
  ~FakeStream() override {
    peer_->stream = nullptr;
    peer_->closed = true;
  }

  void start(net::StreamHandler& handler) override { handler_ = &handler; }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    again_ = true;
  }
  void expect(std::size_t total) override { expected_ = total; }
  Buffer& output() override { return output_; }
  void mark_dirty() override {
    if (closing_) output_.clear();
    if (pending_bytes() > high_) over_high_ = true;
  }
  void send(SharedBytes bytes) override {
    output_.append(bytes.view());
    mark_dirty();
  }
  std::size_t pending_bytes() const override { return output_.size(); }
  void set_marks(std::size_t low, std::size_t high) override {
    low_ = low;
    high_ = high;
  }
  void close() override {
    flush();
    closing_ = true;
  }
  void abort() override {
    output_.clear();
    closing_ = true;
  }
  std::string peer_address() const override { return "127.0.0.1:1"; }

  [[nodiscard]] bool paused() const { return paused_; }
  /// Bytes the server has not taken yet.
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }

  /// The client writes.
  void arrive(std::string_view bytes) {
    if (closing_) return;
    kept_ += bytes;
    give();
    count_held();
  }
  /// The client ends the connection.
  void reset() { closing_ = true; }
  /// What a loop's turn does for a stream; may destroy it. True when something happened.
  bool turn() {
    if (closing_) {
      if (std::exchange(told_, true)) return false;
      handler_->on_closed(Error{ErrorCode::closed, "closed", {}});
      return true;
    }
    if (std::exchange(again_, false)) {
      give();
      count_held();
      return true;
    }
    return false;
  }
  /// True when something was written.
  bool flush() {
    if (peer_->takes_nothing || output_.empty()) {
      count_held();
      return false;
    }
    peer_->received.append(as_text(output_.view()));
    output_.clear();
    count_held();
    if (over_high_ && pending_bytes() < low_) {
      over_high_ = false;
      handler_->on_drained();
    }
    return true;
  }

 private:
  void give() {
    while (!paused_ && !closing_ && !kept_.empty() && kept_.size() >= expected_) {
      expected_ = 0;
      const std::string bytes = std::exchange(kept_, {});
      const std::size_t taken = handler_->on_bytes(as_bytes(bytes));
      kept_ = bytes.substr(taken);
      if (taken == 0) return;
    }
  }

  void count_held() {
    const std::size_t held = (kept_.size() + output_.size()) / net::kHeldStep * net::kHeldStep;
    const auto change = static_cast<std::ptrdiff_t>(held) - static_cast<std::ptrdiff_t>(held_told_);
    held_told_ = held;
    if (change != 0 && handler_ != nullptr && !told_) handler_->on_held(change);
  }

  std::shared_ptr<FakePeer> peer_;
  net::StreamHandler* handler_ = nullptr;
  Buffer output_;
  std::string kept_;
  std::size_t expected_ = 0;
  std::size_t held_told_ = 0;
  std::size_t low_ = 0;
  std::size_t high_ = static_cast<std::size_t>(-1);
  bool paused_ = false;
  bool again_ = false;
  bool closing_ = false;
  bool told_ = false;
  bool over_high_ = false;
};

}  // namespace millrace::mqtt::testing

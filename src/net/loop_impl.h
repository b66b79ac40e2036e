// Loop::Impl: the epoll set and the work lists of one loop; private to net. Raw epoll: measured as fast as Asio, and it
// leaves the order of a turn in plain sight. Streams are edge-triggered: a level-triggered socket is polled a second
// time behind every read, and pausing one costs a system call.
//
// A turn: posted tasks and what they wrote, ready events, readable streams until the turn's byte budget is used up,
// some of those that end, due timers, posted tasks, streams that resumed or closed, hooks, one write per dirty stream.
// Streams that were not read come first in the next turn, so none starves another; and when ten thousand end at once,
// those that go on do not wait for all of them. Thread: the loop's, except post() and stop().
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/timer_queue.h"

namespace millrace::net {

/// Something registered with the loop's epoll set.
class Pollable {
 public:
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

class TcpStream;

/// A stream over another stream (TLS, WebSocket) with steps of its own in a turn.
class StreamLayer {
 public:
  /// Reading resumed: hand over what was kept.
  virtual void run_again() = 0;
  /// After the hooks: turn what the protocol wrote into output of the stream below.
  virtual void write_out() = 0;

  std::uint32_t again_slot_ = 0xFFFFFFFFU;
  std::uint32_t dirty_slot_ = 0xFFFFFFFFU;

 protected:
  ~StreamLayer() = default;
};

/// Streams waiting for one step of the turn. A stream remembers its slot, so leaving costs the same however long the
/// list is.
template <class T>
class WorkList {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFU;
  using Slot = std::uint32_t T::*;
  explicit WorkList(Slot slot) : slot_(slot) {}

  void add(T& stream) {
    if (stream.*slot_ != kNone) return;
    stream.*slot_ = static_cast<std::uint32_t>(streams_.size());
    streams_.push_back(&stream);
  }
  void remove(T& stream) {
    if (stream.*slot_ == kNone) return;
    streams_[stream.*slot_] = nullptr;
    stream.*slot_ = kNone;
  }
  [[nodiscard]] bool empty() const { return streams_.empty(); }
  /// With those that left.
  [[nodiscard]] std::size_t size() const { return streams_.size() - front_; }
  /// Calls `step(stream)` for those that are in the list now; those added meanwhile wait for the next turn.
  template <class Step>
  void run(Step&& step) {
    run_until([] { return false; }, step);
  }
  /// The same until `enough()`; those left keep their place in front of those added meanwhile.
  template <class Step, class Enough>
  void run_until(Enough&& enough, Step&& step) {
    const std::size_t end = streams_.size();
    while (front_ < end && !enough()) {
      T* const stream = std::exchange(streams_[front_++], nullptr);
      if (stream == nullptr) continue;
      stream->*slot_ = kNone;
      step(*stream);
    }
    drop_front();
  }

 private:
  // Moves the rest only when it is the smaller half: whoever waits is moved once on average, however long the list.
  void drop_front() {
    if (front_ * 2 < streams_.size()) return;
    streams_.erase(streams_.begin(), streams_.begin() + static_cast<std::ptrdiff_t>(front_));
    front_ = 0;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (streams_[i] != nullptr) streams_[i]->*slot_ = static_cast<std::uint32_t>(i);
    }
  }

  Slot slot_;
  std::vector<T*> streams_;
  std::size_t front_ = 0;  // those before it are done
};
using StreamList = WorkList<TcpStream>;
using LayerList = WorkList<StreamLayer>;

struct Loop::Impl {
  static constexpr std::size_t kReadBytes = 256_KiB;    // most that one stream is read in one turn
  static constexpr std::size_t kTurnReadBytes = 2_MiB;  // after so much the hooks run, whatever else is readable
  static constexpr int kEventsAtATime = 128;
  static constexpr int kPollsPerTurn = 100;                 // more than one only while most of the events are ends
  static constexpr std::size_t kEndingsPerTurn = 64;        // as many as are accepted
  static constexpr std::size_t kSpareBuffers = 64;          // output buffers kept for reuse ...
  static constexpr std::size_t kSpareBufferBytes = 64_KiB;  // ... unless they grew larger than this

  Impl();
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void run();
  void post(Task task);

  void add(Pollable& pollable, int fd, std::uint32_t events);
  void modify(Pollable& pollable, int fd, std::uint32_t events);
  /// Also forgets events of this turn that were not handled yet.
  void remove(Pollable& pollable, int fd);

  Buffer take_spare();
  void give_spare(Buffer buffer);
  [[nodiscard]] MonoTime now() const { return clock.mono(); }

  SystemClock clock;
  TimerQueue timers;
  StreamList readable;  // have, as far as is known, bytes to read
  StreamList ending;    // the same, and then their end: they come behind all others, a few a turn
  StreamList again;     // resumed reading, or closed and not yet told
  StreamList dirty;     // have bytes to write
  LayerList layers_again{&StreamLayer::again_slot_};
  LayerList layers_dirty{&StreamLayer::dirty_slot_};
  std::unique_ptr<std::uint8_t[]> read_buffer;
  std::size_t turn_read_bytes = 0;

  struct Hook {
    HookId id;
    std::move_only_function<void()> run;
  };
  std::list<Hook> hooks;
  HookId next_hook = 1;
  bool hooks_removed = false;

  std::atomic<std::thread::id> thread{};

 private:
  void wait();
  void poll(int timeout_ms);
  void handle_events();
  void read_streams();
  void run_posted();
  void run_hooks();
  void flush_written();

  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  std::array<epoll_event, kEventsAtATime> events_{};
  int event_count_ = 0;
  int event_next_ = 0;  // while they are handled
  std::vector<Buffer> spare_;

  std::mutex mutex_;  // guards posted_ and asleep_
  std::vector<Task> posted_;
  bool asleep_ = false;
  std::vector<Task> running_;

 public:
  bool stopping = false;
};

}  // namespace millrace::net

#include "net/loop.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/loop_impl.h"
#include "net/tcp_stream.h"

namespace millrace::net {

Loop::Impl::Impl()
    : readable(&TcpStream::readable_slot_),
      ending(&TcpStream::readable_slot_),
      again(&TcpStream::again_slot_),
      dirty(&TcpStream::dirty_slot_),
      read_buffer(std::make_unique_for_overwrite<std::uint8_t[]>(kReadBytes)),
      epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MR_ASSERT(epoll_fd_ >= 0 && wake_fd_ >= 0);
  // Edge-triggered: every write to the eventfd wakes once and nobody has to read it.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  MR_ASSERT(::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
}

Loop::Impl::~Impl() {
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

void Loop::Impl::add(Pollable& pollable, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &pollable;
  MR_ASSERT(::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::Impl::modify(Pollable& pollable, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &pollable;
  MR_ASSERT(::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::Impl::remove(Pollable& pollable, int fd) {
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = event_next_; i < event_count_; ++i) {
    auto& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &pollable) event.data.ptr = nullptr;
  }
}

Buffer Loop::Impl::take_spare() {
  if (spare_.empty()) return {};
  Buffer buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

void Loop::Impl::give_spare(Buffer buffer) {
  if (buffer.capacity() == 0 || buffer.capacity() > kSpareBufferBytes || spare_.size() >= kSpareBuffers) return;
  buffer.clear();
  spare_.push_back(std::move(buffer));
}

void Loop::Impl::post(Task task) {
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    posted_.push_back(std::move(task));
    wake = std::exchange(asleep_, false);
  }
  if (wake) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
  }
}

void Loop::Impl::wait() {
  int timeout_ms = -1;
  if (!readable.empty() || !ending.empty() || !again.empty() || !dirty.empty() || !layers_again.empty() ||
      !layers_dirty.empty()) {
    timeout_ms = 0;
  } else if (const auto deadline = timers.next_deadline()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now()).count();
    constexpr std::int64_t kLongest = 60'000;
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongest));
  }
  if (timeout_ms != 0) {
    const std::scoped_lock lock(mutex_);
    if (posted_.empty()) {
      asleep_ = true;
    } else {
      timeout_ms = 0;
    }
  }
  poll(timeout_ms);
}

void Loop::Impl::poll(int timeout_ms) {
  const int count = ::epoll_wait(epoll_fd_, events_.data(), kEventsAtATime, timeout_ms);
  MR_ASSERT(count >= 0 || errno == EINTR);
  event_next_ = 0;
  event_count_ = std::max(count, 0);
}

// The kernel tells in the order of arrival. When a crowd leaves at once, who has bytes stands behind all of it: it is
// looked for at once, before the ends are dealt with.
void Loop::Impl::handle_events() {
  for (int polls = 1;; ++polls) {
    const std::size_t before = ending.size();
    const bool full = event_count_ == kEventsAtATime;
    while (event_next_ < event_count_) {
      const epoll_event event = events_[static_cast<std::size_t>(event_next_++)];
      if (event.data.ptr != nullptr) static_cast<Pollable*>(event.data.ptr)->on_ready(event.events);
    }
    if (!full || polls == kPollsPerTurn || ending.size() - before < kEventsAtATime / 2) return;
    poll(0);
  }
}

void Loop::Impl::read_streams() {
  turn_read_bytes = 0;
  readable.run_until([this] { return turn_read_bytes >= kTurnReadBytes; },
                     [](TcpStream& stream) { stream.read_once(); });
  turn_read_bytes = 0;  // a budget of their own: a loop that is never done reading must let go of the dead, too
  std::size_t left = kEndingsPerTurn;
  ending.run_until([this, &left] { return left-- == 0 || turn_read_bytes >= kTurnReadBytes; },
                   [](TcpStream& stream) { stream.read_once(); });
}

void Loop::Impl::run_posted() {
  {
    const std::scoped_lock lock(mutex_);
    asleep_ = false;
    running_.swap(posted_);
  }
  for (Task& task : running_) task();
  running_.clear();
}

void Loop::Impl::run_hooks() {
  for (Hook& hook : hooks) {
    if (hook.id != 0) hook.run();
  }
  if (hooks_removed) {
    hooks_removed = false;
    std::erase_if(hooks, [](const Hook& hook) { return hook.id == 0; });
  }
}

void Loop::Impl::flush_written() {
  layers_dirty.run([](StreamLayer& layer) { layer.write_out(); });
  dirty.run([](TcpStream& stream) { stream.flush(); });
}

void Loop::Impl::run() {
  thread = std::this_thread::get_id();
  while (!stopping) {
    wait();
    // What other threads finished meanwhile is answered before more is taken in: under load an acknowledgement would
    // else wait for a whole turn of reading.
    run_posted();
    flush_written();
    handle_events();
    read_streams();
    timers.run_due(now());
    run_posted();
    again.run([](TcpStream& stream) { stream.run_again(); });
    layers_again.run([](StreamLayer& layer) { layer.run_again(); });
    run_hooks();
    flush_written();
  }
  thread = std::thread::id{};
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
  impl_->run();
}
void Loop::stop() {
  post([this] { impl_->stopping = true; });
}
void Loop::post(Task task) {
  impl_->post(std::move(task));
}
bool Loop::in_loop_thread() const {
  return impl_->thread.load() == std::this_thread::get_id();
}

Loop::TimerId Loop::run_after(std::chrono::nanoseconds delay, Task task) {
  return impl_->timers.add(impl_->now() + delay, std::move(task));
}
void Loop::cancel(TimerId timer) {
  impl_->timers.cancel(timer);
}

Loop::HookId Loop::at_turn_end(std::move_only_function<void()> hook) {
  const HookId id = impl_->next_hook++;
  impl_->hooks.push_back({id, std::move(hook)});
  return id;
}

void Loop::remove_hook(HookId hook) {
  // Only marked: the hook may be the one that is running.
  for (Impl::Hook& entry : impl_->hooks) {
    if (entry.id == hook) {
      entry.id = 0;
      impl_->hooks_removed = true;
    }
  }
}

}  // namespace millrace::net

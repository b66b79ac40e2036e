#include "io/write_threads.h"

#include <string>
#include <system_error>

#include "base/thread_name.h"

namespace millrace::io {
namespace {

// Besides the caller. With eight small writes under way a disk is near what it can do.
constexpr std::size_t kThreads = 7;

}  // namespace

WriteThreads::~WriteThreads() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WriteThreads::run(std::size_t count, const std::function<void(std::size_t)>& call) {
  if (count <= 1) {
    if (count == 1) call(0);
    return;
  }
  const std::scoped_lock one(running_);
  std::unique_lock lock(mutex_);
  if (threads_.empty()) start();
  call_ = &call;
  next_ = 0;
  count_ = count;
  left_ = count;
  wake_.notify_all();
  take_calls(lock);
  done_.wait(lock, [this] { return left_ == 0; });
  call_ = nullptr;
}

// Whoever gets none of them does without.
void WriteThreads::start() {
  threads_.reserve(kThreads);
  try {
    while (threads_.size() < kThreads) {
      threads_.emplace_back([this, name = "disk-write-" + std::to_string(threads_.size())] {
        name_this_thread(name);
        work();
      });
    }
  } catch (const std::system_error&) {
    return;
  }
}

void WriteThreads::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || (call_ != nullptr && next_ < count_); });
    if (ending_) return;
    take_calls(lock);
  }
}

void WriteThreads::take_calls(std::unique_lock<std::mutex>& lock) {
  while (next_ < count_) {
    const std::size_t mine = next_++;
    const auto& call = *call_;
    lock.unlock();
    call(mine);
    lock.lock();
    if (--left_ == 0) done_.notify_one();
  }
}

}  // namespace millrace::io

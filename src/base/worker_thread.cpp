#include "base/worker_thread.h"

#include <utility>

#include "base/thread_name.h"

namespace millrace {

WorkerThread::WorkerThread(const std::string& name) {
  thread_ = std::thread([this, name] {
    name_this_thread(name);
    run();
  });
}

WorkerThread::~WorkerThread() {
  stop();
}

void WorkerThread::post(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
  }
  posted_.notify_one();
}

void WorkerThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    posted_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes before the next one is awaited, and not under the lock
    lock.lock();
  }
}

void WorkerThread::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  posted_.notify_one();
  if (thread_.joinable()) thread_.join();
  std::deque<Task> left;
  {
    const std::scoped_lock lock(mutex_);
    left.swap(tasks_);
  }
}

}  // namespace millrace

#include "net/timer_queue.h"

#include <algorithm>
#include <utility>

namespace millrace::net {

std::uint64_t TimerQueue::add(MonoTime deadline, Task task) {
  const std::uint64_t id = next_id_++;
  tasks_.emplace(id, std::move(task));
  heap_.push_back({deadline, id});
  std::push_heap(heap_.begin(), heap_.end());
  return id;
}

void TimerQueue::cancel(std::uint64_t id) {
  if (tasks_.erase(id) == 0) return;
  constexpr std::size_t kWorthCleaning = 64;
  if (heap_.size() > kWorthCleaning && heap_.size() > 2 * tasks_.size()) {
    std::erase_if(heap_, [this](const Entry& entry) { return !tasks_.contains(entry.id); });
    std::make_heap(heap_.begin(), heap_.end());
  }
}

void TimerQueue::drop_front() {
  std::pop_heap(heap_.begin(), heap_.end());
  heap_.pop_back();
}

void TimerQueue::skip_cancelled() {
  while (!heap_.empty() && !tasks_.contains(heap_.front().id)) drop_front();
}

void TimerQueue::run_due(MonoTime now) {
  for (;;) {
    skip_cancelled();
    if (heap_.empty() || heap_.front().deadline > now) return;
    const auto found = tasks_.find(heap_.front().id);
    Task task = std::move(found->second);
    tasks_.erase(found);
    drop_front();
    task();
  }
}

std::optional<MonoTime> TimerQueue::next_deadline() {
  skip_cancelled();
  if (heap_.empty()) return std::nullopt;
  return heap_.front().deadline;
}

}  // namespace millrace::net

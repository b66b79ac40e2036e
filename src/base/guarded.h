// Guarded<T>: a value that can only be reached with its mutex held. Never hold it over I/O or a callback of another
// module.
#pragma once

#include <mutex>
#include <utility>

namespace millrace {

template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  /// Runs `action(T&)` with the lock held and returns what it returns.
  template <class Action>
  decltype(auto) with(Action&& action) {
    const std::scoped_lock lock(mutex_);
    return std::forward<Action>(action)(value_);
  }
  template <class Action>
  decltype(auto) with(Action&& action) const {
    const std::scoped_lock lock(mutex_);
    return std::forward<Action>(action)(std::as_const(value_));
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace millrace

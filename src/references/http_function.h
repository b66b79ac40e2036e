// HttpFunction: what aws_lambda(name, payload) calls: POST of the payload as JSON to a URL; the body of a 2xx answer is
// the result. The limit in time holds from the question on. A call is never repeated: it may have had its effect.
// Thread: ask() any; each connection has a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "references/definition.h"
#include "references/table.h"

namespace millrace::references {

class HttpFunction {
 public:
  static constexpr std::size_t kMostWaiting = 100'000;
  static constexpr std::size_t kMaxAnswer = std::size_t{1} << 20U;

  /// Requires a definition of this kind. `clock` outlives it.
  HttpFunction(Definition definition, const Clock& clock) : definition_(std::move(definition)), clock_(clock) {}
  ~HttpFunction() { stop(); }
  HttpFunction(const HttpFunction&) = delete;
  HttpFunction& operator=(const HttpFunction&) = delete;

  void ask(std::string_view payload, Executor& loop, Done done);
  /// Ends what is under way, answers what waits. Once, by the owner.
  void stop();

 private:
  struct Request {
    std::string payload;
    Executor* loop;
    Done done;
    MonoTime until;
  };
  void run();
  static void answer(Request& request, Answer given);

  const Definition definition_;
  const Clock& clock_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards what follows; taken alone
  std::condition_variable asked_;
  std::deque<Request> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
};

}  // namespace millrace::references

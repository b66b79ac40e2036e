#include "references/http_function.h"

#include <fmt/format.h>

#include "base/thread_name.h"
#include "net/http/client.h"

namespace millrace::references {
namespace {

constexpr std::size_t kShown = 200;

}  // namespace

void HttpFunction::answer(Request& request, Answer given) {
  request.loop->post([done = std::move(request.done), given = std::move(given)]() mutable { done(std::move(given)); });
}

void HttpFunction::ask(std::string_view payload, Executor& loop, Done done) {
  Request request{std::string(payload), &loop, std::move(done), clock_.mono() + definition_.timeout};
  {
    const std::scoped_lock lock(mutex_);
    if (!stopping_ && queue_.size() < kMostWaiting) {
      queue_.push_back(std::move(request));
      // A thread per connection, made when all others are busy.
      if (idle_ < queue_.size() && threads_.size() < static_cast<std::size_t>(definition_.connections)) {
        threads_.emplace_back([this] {
          name_this_thread("function");
          run();
        });
      }
      asked_.notify_one();
      return;
    }
  }
  answer(request, {State::failed, stopping_ ? "it is stopping" : "too many calls wait for it"});
}

void HttpFunction::stop() {
  stopping_ = true;
  std::vector<std::thread> threads;
  {
    const std::scoped_lock lock(mutex_);
    asked_.notify_all();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  for (Request& request : queue_) answer(request, {State::failed, "it is stopping"});
  queue_.clear();
}

void HttpFunction::run() {
  using std::chrono::milliseconds;
  const auto options = [&](milliseconds limit) {
    return net::http::ClientOptions{
        .connect_timeout = limit, .request_timeout = limit, .max_response_bytes = kMaxAnswer};
  };
  net::http::Client client(options(definition_.timeout), &stopping_);
  bool shortened = false;
  while (true) {
    std::unique_lock lock(mutex_);
    ++idle_;
    asked_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (stopping_) return;
    Request request = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const auto left = std::chrono::duration_cast<milliseconds>(request.until - clock_.mono());
    if (left.count() <= 0) {
      answer(request, {State::failed, fmt::format("no free connection within {} ms (connections: {})",
                                                  definition_.timeout.count(), definition_.connections)});
      continue;
    }
    // The client's limit is fixed: one that waited long here has a client with less.
    const bool hurry = left < definition_.timeout * 3 / 4;
    if (hurry || shortened) client = net::http::Client(options(hurry ? left : definition_.timeout), &stopping_);
    shortened = hurry;
    net::http::ClientRequest post{.method = "POST", .url = definition_.url, .body = as_bytes(request.payload)};
    post.has_body = true;
    post.headers.emplace_back("Content-Type", "application/json");
    for (const auto& [name, value] : definition_.headers) post.headers.emplace_back(name, value);
    auto response = client.perform(post);
    if (!response) {
      const bool late = response.error().code == ErrorCode::timed_out;
      answer(request, {State::failed, late ? fmt::format("no answer within {} ms", definition_.timeout.count())
                                           : response.error().message()});
    } else if (!response->ok() || !response->header("x-amz-function-error").empty()) {
      answer(request, {State::failed, fmt::format("HTTP {}: {}", response->status, response->body.substr(0, kShown))});
    } else if (response->body.empty()) {
      answer(request, {State::absent, {}});
    } else {
      answer(request, {State::known, std::move(response->body)});
    }
  }
}

}  // namespace millrace::references

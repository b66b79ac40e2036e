// PostgresTable: rows of a PostgreSQL table or view, as JSON objects. What is asked while a query is under way goes
// together with the next one, a hundred keys at a time, over one connection. Answers, also that there is no such row,
// are remembered for `ttl`, within `cache_bytes`. Keys are given to the server as literals, so that they take the type
// of their column and its index.
//
// Thread: known() and ask() any; one thread of its own talks to the server.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "connect/sinks/postgres/connection.h"
#include "references/definition.h"
#include "references/row_cache.h"
#include "references/table.h"

namespace millrace::references {

class PostgresTable final : public Table {
 public:
  static constexpr std::size_t kMostWaiting = 100'000;

  /// Requires a definition of this kind. `clock` outlives it.
  PostgresTable(Definition definition, const Clock& clock);
  ~PostgresTable() override { stop(); }

  std::optional<Answer> known(const RowKey& key) override;
  void ask(const RowKey& key, Executor& loop, Done done) override;
  [[nodiscard]] Status status() const override;
  void stop() override;

 private:
  struct Request {
    std::string key;
    std::optional<std::string> sort;
    Executor* loop;
    Done done;
    MonoTime until;
  };
  using Requests = std::vector<Request>;

  void run();
  void serve(Requests requests);
  Result<void> connect();
  /// The rows of these requests, by their number. Errors: those of Connection::query.
  Result<std::vector<std::optional<std::string>>> fetch(std::span<const Request> requests);
  [[nodiscard]] std::string select(const Request& request, std::size_t number) const;
  void answer(Request& request, Answer answer);
  void fail_all(Requests& requests, const std::string& why);

  const Definition definition_;
  const Clock& clock_;
  Guarded<RowCache> cache_;
  Guarded<std::string> problem_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;  // guards queue_; taken alone
  std::condition_variable asked_;
  std::deque<Request> queue_;
  // the thread's
  std::optional<connect::postgres::Connection> connection_;
  MonoTime not_before_{0};  // no new connection before this
  std::thread thread_;
};

}  // namespace millrace::references

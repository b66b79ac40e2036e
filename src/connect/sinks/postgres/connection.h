// Connection: one connection to PostgreSQL through libpq, with its errors sorted by what they mean for a batch
// (SQLSTATE, PostgreSQL's appendix A). Thread: the task's; calls block, until the server has answered, its
// statement_timeout or the limit given has passed, or `abort` is set.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct pg_conn;
struct pg_result;

namespace millrace::connect::postgres {

class Connection {
 public:
  struct Waiting {
    std::chrono::milliseconds connect{10'000};
    std::chrono::milliseconds answer{90'000};  // without a byte; above statement_timeout
    const std::atomic<bool>* abort = nullptr;  // looked at several times a second; outlives the connection
  };
  /// `parameters`: libpq's keywords. Errors: unavailable, permission_denied, closed (aborted).
  static Result<Connection> open(const std::map<std::string, std::string>& parameters, Waiting waiting);

  using Rows = std::vector<std::vector<std::string>>;
  /// Errors: unavailable (try again), invalid_argument (this data cannot be taken), permission_denied, not_found (table
  /// or column), internal (anything else).
  Result<Rows> query(const std::string& sql);
  /// COPY ... FROM STDIN with `rows` in text format.
  Result<void> copy(const std::string& sql, ByteView rows);
  [[nodiscard]] bool broken() const;

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  struct Clear {
    void operator()(pg_result* result) const;
  };
  using Answer = std::unique_ptr<pg_result, Clear>;
  Connection(pg_conn* connection, Waiting waiting) : connection_(connection), waiting_(waiting) {}
  Result<void> connect();
  enum class For : std::uint8_t { reading, writing, both };
  /// Until the socket is ready. Errors: closed, timed_out.
  Result<void> wait(For what, std::chrono::milliseconds limit) const;
  Result<void> flush();
  /// The next result of what was sent; null: no more.
  Result<Answer> answer();
  /// The results of a whole command; the last one, and an error if there was one.
  Result<Answer> run(const std::string& sql);
  [[nodiscard]] Error error_of(const pg_result* result) const;

  std::unique_ptr<pg_conn, Close> connection_;
  Waiting waiting_;
};

/// "name" with its quotes doubled.
std::string identifier(std::string_view name);
/// 'text' with its quotes doubled; for standard_conforming_strings.
std::string literal(std::string_view text);

}  // namespace millrace::connect::postgres

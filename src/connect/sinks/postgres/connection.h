// Connection: one connection to PostgreSQL through libpq, with its errors sorted by what they mean for a batch
// (SQLSTATE, PostgreSQL's appendix A). Thread: the task's; calls block, bounded by the server's statement_timeout and
// TCP's user timeout.
#pragma once

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
  /// `parameters`: libpq's keywords. Errors: unavailable, permission_denied.
  static Result<Connection> open(const std::map<std::string, std::string>& parameters);

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
  explicit Connection(pg_conn* connection) : connection_(connection) {}
  [[nodiscard]] Error error_of(const pg_result* result) const;

  std::unique_ptr<pg_conn, Close> connection_;
};

/// "name" with its quotes doubled.
std::string identifier(std::string_view name);
/// 'text' with its quotes doubled; for standard_conforming_strings.
std::string literal(std::string_view text);

}  // namespace millrace::connect::postgres

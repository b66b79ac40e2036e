#include "references/postgres_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/thread_name.h"
#include "config/quantity.h"
#include "connect/sinks/postgres/postgres_settings.h"

namespace millrace::references {
namespace {

using connect::postgres::identifier;
using connect::postgres::literal;

constexpr std::size_t kBatch = 100;
constexpr std::chrono::milliseconds kConnect{2'000};
constexpr std::chrono::milliseconds kAnswer{2'500};
constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::milliseconds kBackoff{500};

std::string both(std::string_view key, std::optional<std::string_view> sort) {
  std::string out(key);
  if (sort) out.append(1, '\0').append(*sort);
  return out;
}

/// "schema.table" with each part in quotes.
std::string quoted_table(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return identifier(name);
  return identifier(name.substr(0, dot)) + "." + identifier(name.substr(dot + 1));
}

}  // namespace

PostgresTable::PostgresTable(Definition definition, const Clock& clock)
    : definition_(std::move(definition)),
      clock_(clock),
      cache_(RowCache(definition_.cache_bytes, definition_.ttl)),
      thread_([this] {
        name_this_thread("lookup");
        run();
      }) {}

void PostgresTable::stop() {
  stopping_ = true;
  {
    const std::scoped_lock lock(mutex_);
    asked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::optional<Answer> PostgresTable::known(const RowKey& key) {
  return cache_.with([&](RowCache& cache) { return cache.find(both(key.key, key.sort), clock_.mono()); });
}

void PostgresTable::ask(const RowKey& key, Executor& loop, Done done) {
  Request request{std::string(key.key), std::nullopt, &loop, std::move(done), clock_.mono() + kPatience};
  if (key.sort) request.sort = std::string(*key.sort);
  {
    const std::scoped_lock lock(mutex_);
    if (!stopping_ && queue_.size() < kMostWaiting) {
      queue_.push_back(std::move(request));
      asked_.notify_one();
      return;
    }
  }
  answer(request, {State::failed, stopping_ ? "it is stopping" : "too many questions wait for it"});
}

void PostgresTable::answer(Request& request, Answer given) {
  request.loop->post([done = std::move(request.done), given = std::move(given)]() mutable { done(std::move(given)); });
}

void PostgresTable::fail_all(Requests& requests, const std::string& why) {
  problem_.with([&](std::string& problem) { problem = why; });
  for (Request& request : requests) answer(request, {State::failed, why});
}

void PostgresTable::run() {
  while (true) {
    Requests requests;
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && requests.size() < kBatch) {
        requests.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    if (stopping_) {
      fail_all(requests, "it is stopping");
    } else {
      serve(std::move(requests));
    }
  }
}

Result<void> PostgresTable::connect() {
  if (connection_ && !connection_->broken()) return {};
  connection_.reset();
  if (clock_.mono() < not_before_) {
    return fail(ErrorCode::unavailable, "PostgreSQL", problem_.with([](const auto& text) { return text; }));
  }
  auto parameters = *connect::postgres::parse_url(definition_.postgres);
  if (!definition_.user.empty()) parameters["user"] = definition_.user;
  if (!definition_.password_file.empty()) {
    std::ifstream in(definition_.password_file);
    std::string password;
    if (!std::getline(in, password)) {
      return fail(ErrorCode::not_found, "PostgreSQL", definition_.password_file + " cannot be read");
    }
    parameters["password"] = password;
  }
  parameters["application_name"] = "millrace";
  parameters["options"] = "-c statement_timeout=2000 -c default_transaction_read_only=on";
  auto opened = connect::postgres::Connection::open(parameters, {kConnect, kAnswer, &stopping_});
  if (!opened) {
    not_before_ = clock_.mono() + kBackoff;
    return std::unexpected<Error>(std::move(opened).error());
  }
  connection_ = std::move(*opened);
  return {};
}

std::string PostgresTable::select(const Request& request, std::size_t number) const {
  std::string out = fmt::format("(SELECT {}, to_jsonb(t)::text FROM {} t WHERE {} = {}", number,
                                quoted_table(definition_.table), identifier(definition_.key), literal(request.key));
  if (request.sort) out += fmt::format(" AND {} = {}", identifier(definition_.sort_key), literal(*request.sort));
  return out + " LIMIT 1)";
}

Result<std::vector<std::optional<std::string>>> PostgresTable::fetch(std::span<const Request> requests) {
  std::string sql;
  for (std::size_t i = 0; i < requests.size(); ++i) sql += (i == 0 ? "" : " UNION ALL ") + select(requests[i], i);
  MR_TRY_ASSIGN(const auto rows, connection_->query(sql));
  std::vector<std::optional<std::string>> out(requests.size());
  for (const auto& row : rows) {
    const auto number = row.size() == 2 ? config::parse_integer(row[0]) : std::nullopt;
    if (number && *number >= 0 && static_cast<std::size_t>(*number) < out.size()) {
      out[static_cast<std::size_t>(*number)] = row[1];
    }
  }
  return out;
}

void PostgresTable::serve(Requests requests) {
  std::vector<Request> fit;
  for (Request& request : requests) {
    if (clock_.mono() > request.until) {
      answer(request, {State::failed, "no answer within 5 s"});
    } else if (request.key.find('\0') != std::string::npos ||
               (request.sort && request.sort->find('\0') != std::string::npos)) {
      answer(request, {State::absent, {}});  // no text of PostgreSQL holds a zero
    } else if (request.sort && definition_.sort_key.empty()) {
      answer(request, {State::failed, "the table has no sortKey"});
    } else if (auto known_now = known({request.key, request.sort})) {
      answer(request, std::move(*known_now));  // asked for twice, and answered meanwhile
    } else {
      fit.push_back(std::move(request));
    }
  }
  if (fit.empty()) return;
  if (const auto connected = connect(); !connected) return fail_all(fit, connected.error().message());
  auto rows = fetch(fit);
  if (!rows && rows.error().code == ErrorCode::invalid_argument && fit.size() > 1) {
    // One of the keys is no value of its column's type: one by one.
    for (Request& request : fit) {
      std::vector<Request> alone;
      alone.push_back(std::move(request));
      serve(std::move(alone));
    }
    return;
  }
  if (!rows && rows.error().code == ErrorCode::invalid_argument) {
    return answer(fit.front(), {State::absent, {}});  // no row can have this key
  }
  if (!rows) {
    if (rows.error().code == ErrorCode::timed_out) connection_.reset();
    return fail_all(fit, rows.error().message());
  }
  problem_.with([](std::string& problem) { problem.clear(); });
  for (std::size_t i = 0; i < fit.size(); ++i) {
    auto& row = (*rows)[i];
    Answer given = row ? Answer{State::known, std::move(*row)} : Answer{State::absent, {}};
    cache_.with([&](RowCache& cache) { cache.put(both(fit[i].key, fit[i].sort), given, clock_.mono()); });
    answer(fit[i], std::move(given));
  }
}

Table::Status PostgresTable::status() const {
  Status out;
  out.problem = problem_.with([](const std::string& problem) { return problem; });
  out.ready = out.problem.empty();
  cache_.with([&](const RowCache& cache) {
    out.rows = cache.size();
    out.bytes = cache.bytes();
  });
  return out;
}

}  // namespace millrace::references

#include "connect/sinks/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

namespace millrace::connect::postgres {
namespace {

ErrorCode code_of(std::string_view state) {
  const std::string_view group = state.substr(0, 2);
  if (state.empty() || group == "08" || group == "40" || group == "53" || group == "57" || state == "55P03") {
    return ErrorCode::unavailable;
  }
  if (group == "22" || group == "23") return ErrorCode::invalid_argument;
  if (group == "28" || state == "42501") return ErrorCode::permission_denied;
  if (state == "42P01" || state == "42703" || state == "3F000" || state == "3D000") return ErrorCode::not_found;
  // The text of a value is not of its column's type.
  if (state == "42804" || group == "54") return ErrorCode::invalid_argument;
  return ErrorCode::internal;
}

std::string_view trimmed(const char* text) {
  std::string_view view = text == nullptr ? "" : text;
  while (!view.empty() && static_cast<unsigned char>(view.back()) <= ' ') view.remove_suffix(1);
  return view;
}

std::string doubled(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

}  // namespace

void Connection::Close::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

void Connection::Clear::operator()(pg_result* result) const {
  PQclear(result);
}

std::string identifier(std::string_view name) {
  return doubled(name, '"');
}

std::string literal(std::string_view text) {
  return doubled(text, '\'');
}

Result<Connection> Connection::open(const std::map<std::string, std::string>& parameters, Waiting waiting) {
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  Connection made(PQconnectStartParams(names.data(), values.data(), 0), waiting);
  MR_TRY(made.connect());
  PQsetnonblocking(made.connection_.get(), 1);
  return made;
}

Result<void> Connection::connect() {
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK && PQstatus(connection_.get()) != CONNECTION_BAD) {
    MR_TRY(wait(status == PGRES_POLLING_READING ? For::reading : For::writing, waiting_.connect));
    status = PQconnectPoll(connection_.get());
    if (status == PGRES_POLLING_FAILED) break;
  }
  if (PQstatus(connection_.get()) == CONNECTION_OK) return {};
  const std::string why(trimmed(PQerrorMessage(connection_.get())));
  const bool refused =
      why.find("authentication failed") != std::string::npos || why.find("no password supplied") != std::string::npos;
  return fail(refused ? ErrorCode::permission_denied : ErrorCode::unavailable, "no connection to PostgreSQL", why);
}

Result<void> Connection::wait(For what, std::chrono::milliseconds limit) const {
  constexpr std::chrono::milliseconds kLook{100};  // at abort
  pollfd ready{.fd = PQsocket(connection_.get()),
               .events = static_cast<short>((what != For::writing ? POLLIN : 0) | (what != For::reading ? POLLOUT : 0)),
               .revents = 0};
  if (ready.fd < 0) return fail(ErrorCode::unavailable, "the connection to PostgreSQL is closed");
  for (std::chrono::milliseconds waited{0}; waited < limit; waited += kLook) {
    if (waiting_.abort != nullptr && *waiting_.abort) return fail(ErrorCode::closed, "the task is stopping");
    if (poll(&ready, 1, static_cast<int>(kLook.count())) > 0) return {};
  }
  return fail(ErrorCode::timed_out, "PostgreSQL is silent");
}

bool Connection::broken() const {
  return PQstatus(connection_.get()) != CONNECTION_OK;
}

Error Connection::error_of(const pg_result* result) const {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const ErrorCode code = broken() ? ErrorCode::unavailable : code_of(state == nullptr ? "" : state);
  return {code, "PostgreSQL", std::string(trimmed(PQerrorMessage(connection_.get())))};
}

Result<void> Connection::flush() {
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0) return fail(ErrorCode::unavailable, "PostgreSQL", PQerrorMessage(connection_.get()));
    MR_TRY(wait(For::both, waiting_.answer));
    // The server may have to be rid of what it sends before it takes more.
    if (PQconsumeInput(connection_.get()) == 0) {
      return fail(ErrorCode::unavailable, "PostgreSQL", PQerrorMessage(connection_.get()));
    }
  }
}

Result<Connection::Answer> Connection::answer() {
  while (PQisBusy(connection_.get()) != 0) {
    MR_TRY(wait(For::reading, waiting_.answer));
    if (PQconsumeInput(connection_.get()) == 0) {
      return fail(ErrorCode::unavailable, "PostgreSQL", PQerrorMessage(connection_.get()));
    }
  }
  return Answer(PQgetResult(connection_.get()));
}

Result<Connection::Answer> Connection::run(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) != 1) return std::unexpected<Error>(error_of(nullptr));
  MR_TRY(flush());
  Answer last;
  Result<void> outcome;
  while (true) {
    MR_TRY_ASSIGN(Answer next, answer());
    if (!next) break;
    last = std::move(next);
    const ExecStatusType status = PQresultStatus(last.get());
    if (status == PGRES_COPY_IN) return last;  // the rest comes behind the rows
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) outcome = std::unexpected<Error>(error_of(last.get()));
  }
  MR_TRY(outcome);
  if (!last) return std::unexpected<Error>(error_of(nullptr));
  return last;
}

Result<Connection::Rows> Connection::query(const std::string& sql) {
  MR_TRY_ASSIGN(const Answer answer, run(sql));
  Rows rows(static_cast<std::size_t>(PQntuples(answer.get())));
  for (int row = 0; row < PQntuples(answer.get()); ++row) {
    for (int column = 0; column < PQnfields(answer.get()); ++column) {
      rows[static_cast<std::size_t>(row)].emplace_back(PQgetvalue(answer.get(), row, column));
    }
  }
  return rows;
}

Result<void> Connection::copy(const std::string& sql, ByteView rows) {
  MR_TRY_ASSIGN(const Answer begun, run(sql));
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return std::unexpected<Error>(error_of(begun.get()));
  constexpr std::size_t kPiece = 256U << 10U;
  for (std::size_t at = 0; at < rows.size(); at += kPiece) {
    const auto size = static_cast<int>(std::min(kPiece, rows.size() - at));
    int taken = 0;
    while ((taken = PQputCopyData(connection_.get(), reinterpret_cast<const char*>(rows.data() + at), size)) == 0) {
      MR_TRY(flush());
    }
    if (taken < 0) {
      return fail(ErrorCode::unavailable, "PostgreSQL took no more rows", PQerrorMessage(connection_.get()));
    }
    MR_TRY(flush());
  }
  int ended = 0;
  while ((ended = PQputCopyEnd(connection_.get(), nullptr)) == 0) MR_TRY(flush());
  if (ended < 0) {
    return fail(ErrorCode::unavailable, "PostgreSQL did not end the copy", PQerrorMessage(connection_.get()));
  }
  MR_TRY(flush());
  Result<void> outcome;
  while (true) {
    MR_TRY_ASSIGN(const Answer next, answer());
    if (!next) return outcome;
    if (PQresultStatus(next.get()) != PGRES_COMMAND_OK) outcome = std::unexpected<Error>(error_of(next.get()));
  }
}

}  // namespace millrace::connect::postgres

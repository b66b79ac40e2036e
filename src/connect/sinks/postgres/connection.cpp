#include "connect/sinks/postgres/connection.h"

#include <libpq-fe.h>

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

Result<Connection> Connection::open(const std::map<std::string, std::string>& parameters) {
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  Connection made(PQconnectdbParams(names.data(), values.data(), 0));
  if (PQstatus(made.connection_.get()) == CONNECTION_OK) return made;
  const std::string why(trimmed(PQerrorMessage(made.connection_.get())));
  const bool refused =
      why.find("authentication failed") != std::string::npos || why.find("no password supplied") != std::string::npos;
  return fail(refused ? ErrorCode::permission_denied : ErrorCode::unavailable, "no connection to PostgreSQL", why);
}

bool Connection::broken() const {
  return PQstatus(connection_.get()) != CONNECTION_OK;
}

Error Connection::error_of(const pg_result* result) const {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const ErrorCode code = broken() ? ErrorCode::unavailable : code_of(state == nullptr ? "" : state);
  return {code, "PostgreSQL", std::string(trimmed(PQerrorMessage(connection_.get())))};
}

Result<Connection::Rows> Connection::query(const std::string& sql) {
  const Answer answer(PQexec(connection_.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(answer.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return std::unexpected<Error>(error_of(answer.get()));
  Rows rows(static_cast<std::size_t>(PQntuples(answer.get())));
  for (int row = 0; row < PQntuples(answer.get()); ++row) {
    for (int column = 0; column < PQnfields(answer.get()); ++column) {
      rows[static_cast<std::size_t>(row)].emplace_back(PQgetvalue(answer.get(), row, column));
    }
  }
  return rows;
}

Result<void> Connection::copy(const std::string& sql, ByteView rows) {
  const Answer begun(PQexec(connection_.get(), sql.c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return std::unexpected<Error>(error_of(begun.get()));
  constexpr std::size_t kPiece = 1U << 20U;
  for (std::size_t at = 0; at < rows.size(); at += kPiece) {
    const std::size_t size = std::min(kPiece, rows.size() - at);
    if (PQputCopyData(connection_.get(), reinterpret_cast<const char*>(rows.data() + at), static_cast<int>(size)) !=
        1) {
      return fail(ErrorCode::unavailable, "PostgreSQL took no more rows", PQerrorMessage(connection_.get()));
    }
  }
  if (PQputCopyEnd(connection_.get(), nullptr) != 1) {
    return fail(ErrorCode::unavailable, "PostgreSQL did not end the copy", PQerrorMessage(connection_.get()));
  }
  Result<void> outcome;
  while (const Answer answer{PQgetResult(connection_.get())}) {
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) outcome = std::unexpected<Error>(error_of(answer.get()));
  }
  return outcome;
}

}  // namespace millrace::connect::postgres

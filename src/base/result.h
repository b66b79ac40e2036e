// Result<T> is how every fallible function on a hot path and at a module boundary answers: std::expected<T, Error>.
//
//   Result<Header> header = parse_header(bytes);
//   MR_TRY(file.sync_data());                          // return the error to my caller
//   MR_TRY_ASSIGN(const auto size, file.size());       // or bind the value
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace millrace {

template <class T>
using Result = std::expected<T, Error>;

/// Builds the error alternative. `context` is a string literal.
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, const char* context, std::string detail = {}) {
  return std::unexpected<Error>(Error{code, context, std::move(detail)});
}

}  // namespace millrace

#define MR_CONCAT_INNER(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_INNER(a, b)

/// Returns the error of `expression` from the enclosing function; drops a value.
#define MR_TRY(expression)                                                     \
  do {                                                                         \
    if (auto mr_result = (expression); !mr_result) [[unlikely]] {              \
      return std::unexpected<::millrace::Error>(std::move(mr_result).error()); \
    }                                                                          \
  } while (false)

/// Binds the value of `expression` to `declaration`, or returns its error.
#define MR_TRY_ASSIGN(declaration, expression) \
  MR_TRY_ASSIGN_INNER(MR_CONCAT(mr_result_, __LINE__), declaration, expression)
#define MR_TRY_ASSIGN_INNER(name, declaration, expression)              \
  auto name = (expression);                                             \
  if (!name) [[unlikely]] {                                             \
    return std::unexpected<::millrace::Error>(std::move(name).error()); \
  }                                                                     \
  declaration = std::move(*name)

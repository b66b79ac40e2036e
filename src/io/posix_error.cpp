#include "io/posix_error.h"

#include <cerrno>
#include <string>
#include <system_error>

namespace millrace::io {

std::unexpected<Error> posix_failure(const char* context, std::string_view path, int error_number) {
  ErrorCode code = ErrorCode::io_error;
  switch (error_number) {
    case ENOENT:
      code = ErrorCode::not_found;
      break;
    case EEXIST:
      code = ErrorCode::already_exists;
      break;
    case ENOSPC:
    case EDQUOT:
      code = ErrorCode::disk_full;
      break;
    default:
      break;
  }
  std::string detail(path);
  detail += ": ";
  detail += std::generic_category().message(error_number);
  return fail(code, context, std::move(detail));
}

}  // namespace millrace::io

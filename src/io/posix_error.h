// Maps errno to Error: what was being done, the path, and strerror's text.
#pragma once

#include <string_view>

#include "base/result.h"

namespace millrace::io {

/// `context` is a string literal; `error_number` an errno.
[[nodiscard]] std::unexpected<Error> posix_failure(const char* context, std::string_view path, int error_number);

}  // namespace millrace::io

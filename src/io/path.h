// Paths inside an io::FileSystem: parts separated by single '/', relative, without "." and "..". "" is the root
// directory.
#pragma once

#include <string_view>

#include "base/result.h"

namespace millrace::io {

/// invalid_argument unless `path` stays below the root.
Result<void> check_path(std::string_view path);

/// Everything before the last '/': "" for a name in the root.
[[nodiscard]] inline std::string_view parent_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

/// What follows the last '/'.
[[nodiscard]] inline std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace millrace::io

#include "io/path.h"

#include <string>

namespace millrace::io {

Result<void> check_path(std::string_view path) {
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || slash == rest.size() - 1) {
      return fail(ErrorCode::invalid_argument, "path", std::string(path));
    }
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return {};
}

}  // namespace millrace::io

// The kinds of sources there are: one row each.
#include <array>

#include "connect/runtime/source_class.h"
#include "connect/sources/file/file_source.h"

namespace millrace::connect {

std::span<const SourceClass* const> source_classes() {
  static const std::array kClasses = {
      &file::file_source_class(),
  };
  return kClasses;
}

}  // namespace millrace::connect

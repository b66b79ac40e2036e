// FileSlice: a part of an open file as something to send: its bytes go from the file to the socket without passing
// through the program. The owner keeps the file open, whatever becomes of its name. Thread: any; the bytes must not
// change any more.
#pragma once

#include <cstdint>
#include <memory>

namespace millrace {

struct FileSlice {
  std::shared_ptr<const void> owner = nullptr;
  int descriptor = -1;
  std::uint64_t position = 0;
  std::size_t size = 0;
  [[nodiscard]] bool empty() const { return size == 0; }
};

}  // namespace millrace

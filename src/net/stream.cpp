#include "net/stream.h"

#include <unistd.h>

#include <cerrno>

namespace millrace::net {

void Stream::send_file(FileSlice slice) {
  Buffer bytes;
  bytes.resize(slice.size);
  std::size_t have = 0;
  while (have < slice.size) {
    const ssize_t got =
        ::pread(slice.descriptor, bytes.data() + have, slice.size - have, static_cast<off_t>(slice.position + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return abort();
    have += static_cast<std::size_t>(got);
  }
  send(SharedBytes(std::move(bytes)));
}

}  // namespace millrace::net

// The writing half of TcpStream.
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "net/tcp_stream.h"

namespace millrace::net {
namespace {

// A slice smaller than this is cheaper to copy than to put into a write of its own.
constexpr std::size_t kCopiedSlice = 512;
constexpr std::size_t kSlicesPerWrite = 64;

}  // namespace

Buffer& TcpStream::output() {
  if (output_.capacity() == 0) output_ = loop_.take_spare();
  return output_;
}

void TcpStream::check_high() {
  if (pending_bytes() > high_mark_) over_high_ = true;
}

void TcpStream::mark_dirty() {
  check_high();
  if (state_ != State::open && state_ != State::closing) {
    release_output();
    return;
  }
  if (!blocked_) loop_.dirty.add(*this);
}

void TcpStream::add_splice(Splice splice) {
  if (!spliced_) spliced_ = std::make_unique<Spliced>();
  spliced_->pending += splice.size();
  spliced_->list.push_back(std::move(splice));
}

void TcpStream::send(SharedBytes bytes) {
  if (state_ != State::open) return;
  if (bytes.size() < kCopiedSlice) {
    output().append(bytes.view());
  } else {
    add_splice({output_.size(), std::move(bytes)});
  }
  mark_dirty();
}

void TcpStream::send_file(FileSlice slice) {
  if (state_ != State::open || slice.empty()) return;
  add_splice({output_.size(), SharedBytes(), std::move(slice)});
  mark_dirty();
}

void TcpStream::set_marks(std::size_t low, std::size_t high) {
  low_mark_ = static_cast<std::uint32_t>(std::min<std::size_t>(low, std::numeric_limits<std::uint32_t>::max()));
  high_mark_ = static_cast<std::uint32_t>(std::min<std::size_t>(high, std::numeric_limits<std::uint32_t>::max()));
  check_high();
}

bool TcpStream::write_failed() {
  if (errno == EINTR) return true;
  if (errno != EAGAIN) finish(ErrorCode::closed, "connection lost", errno);
  return false;
}

/// One sendfile of the file slice that is next. False when the socket is full.
bool TcpStream::write_file() {
  const FileSlice& file = spliced_->list[spliced_->next].file;
  auto position = static_cast<off_t>(file.position + spliced_->sent);
  const std::size_t left = file.size - spliced_->sent;
  const ssize_t written = ::sendfile(fd_, file.descriptor, &position, left);
  if (written < 0) return write_failed();
  if (written == 0) {
    abort();  // the file is shorter than it was: what was announced cannot be sent any more
    return false;
  }
  sent(static_cast<std::size_t>(written));
  return true;
}

/// One system call for what is next: a file slice, or everything gathered up to one (at most kSlicesPerWrite pieces).
/// False when the socket is full: only EAGAIN proves it, and that it will tell when there is room.
bool TcpStream::write_some() {
  if (spliced_ && spliced_->any()) {
    const Splice& next = spliced_->list[spliced_->next];
    if (next.at == output_sent_ && next.in_file()) return write_file();
  }
  std::array<iovec, kSlicesPerWrite> pieces;
  std::size_t count = 0;
  const auto add = [&](const std::uint8_t* data, std::size_t size) {
    if (size == 0 || count == pieces.size()) return;
    pieces[count++] = {const_cast<std::uint8_t*>(data), size};
  };
  std::size_t from = output_sent_;
  bool file_follows = false;
  const std::size_t end = spliced_ ? spliced_->list.size() : 0;
  for (std::size_t i = spliced_ ? spliced_->next : 0; i < end && count < pieces.size() && !file_follows; ++i) {
    const Splice& splice = spliced_->list[i];
    const std::size_t skip = i == spliced_->next ? spliced_->sent : 0;
    add(output_.data() + from, splice.at - from);
    from = splice.at;
    file_follows = splice.in_file();
    if (!file_follows) add(splice.bytes.data() + skip, splice.bytes.size() - skip);
  }
  if (!file_follows) add(output_.data() + from, output_.size() - from);

  const int flags = MSG_NOSIGNAL | (file_follows ? MSG_MORE : 0);
  ssize_t written = 0;
  if (count == 1) {  // the kernel has less to look at than in a list
    written = ::send(fd_, pieces[0].iov_base, pieces[0].iov_len, flags);
  } else {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    written = ::sendmsg(fd_, &message, flags);
  }
  if (written < 0) return write_failed();
  sent(static_cast<std::size_t>(written));
  return true;
}

void TcpStream::sent(std::size_t count) {
  while (count != 0) {
    Splice* const splice = spliced_ && spliced_->any() ? &spliced_->list[spliced_->next] : nullptr;
    if (splice != nullptr && splice->at == output_sent_) {
      const std::size_t step = std::min(count, splice->size() - spliced_->sent);
      count -= step;
      spliced_->sent += step;
      spliced_->pending -= step;
      if (spliced_->sent == splice->size()) {
        splice->bytes = SharedBytes();
        splice->file = FileSlice{};
        spliced_->sent = 0;
        ++spliced_->next;
      }
    } else {
      const std::size_t until = splice != nullptr ? splice->at : output_.size();
      const std::size_t step = std::min(count, until - output_sent_);
      count -= step;
      output_sent_ += step;
    }
  }
  // A reader that is always a little behind must not make the buffer grow for ever.
  constexpr std::size_t kWorthMoving = 64_KiB;
  if (output_sent_ >= kWorthMoving && output_sent_ >= output_.size() - output_sent_) {
    output_.consume(output_sent_);
    if (spliced_) {
      auto& list = spliced_->list;
      list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::exchange(spliced_->next, 0)));
      for (Splice& splice : list) splice.at -= output_sent_;
    }
    output_sent_ = 0;
  }
}

void TcpStream::release_output() {
  loop_.give_spare(std::move(output_));
  output_ = Buffer();
  output_sent_ = 0;
  spliced_.reset();
}

void TcpStream::flush() {
  if (state_ != State::open && state_ != State::closing) return;
  constexpr int kWritesPerTurn = 8;  // file slices, and more than kSlicesPerWrite pieces, take one each
  bool room = true;
  for (int i = 0; i < kWritesPerTurn && room && pending_bytes() != 0; ++i) room = write_some();
  if (state_ >= State::closed) return;
  if (pending_bytes() == 0) {
    release_output();
  } else if (room) {
    loop_.dirty.add(*this);
  } else {
    blocked_ = true;  // until its readiness puts the stream back into the list
    watch(armed_ | EPOLLOUT | EPOLLET);
  }
  count_held();
  after_flush();
}

void TcpStream::after_flush() {
  if (state_ == State::closing && pending_bytes() == 0) {
    if (peer_finished_) {
      finish(code_, why_);
      return;
    }
    ::shutdown(fd_, SHUT_WR);
    state_ = State::lingering;
    watch(armed_ | kIncoming);
    read_on();
  } else if (over_high_ && state_ == State::open && pending_bytes() < low_mark_) {
    over_high_ = false;
    if (handler_ == nullptr) return;
    in_callback_ = true;
    handler_->on_drained();
    in_callback_ = false;
  }
}

}  // namespace millrace::net

#include "net/tcp_stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace millrace::net {
namespace {

// Kept bytes up to this size are copied in front of the next read; more is appended to instead, so that a frame of any
// size arrives in linear time.
constexpr std::size_t kSmallKept = 16_KiB;
constexpr std::size_t kFirstFrameBytes = 16_KiB;
constexpr auto kCloseTime = std::chrono::seconds(3);

}  // namespace

TcpStream::TcpStream(Loop::Impl& loop, int fd, const sockaddr_storage& peer, ConnectionCount::Place place)
    : fd_(fd), loop_(loop), place_(std::move(place)) {
  if (peer.ss_family == AF_UNIX) {
    peer_unix_ = true;
  } else if (peer.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &peer, sizeof in);
    std::memcpy(peer_ip_.data(), &in.sin6_addr, peer_ip_.size());
    peer_port_ = ntohs(in.sin6_port);
    peer_v6_ = true;
  } else {
    sockaddr_in in{};
    std::memcpy(&in, &peer, sizeof in);
    std::memcpy(peer_ip_.data(), &in.sin_addr, sizeof in.sin_addr);
    peer_port_ = ntohs(in.sin_port);
  }
}

TcpStream::~TcpStream() {
  MR_ASSERT(!in_callback_);
  read_no_more();
  loop_.again.remove(*this);
  loop_.dirty.remove(*this);
  loop_.timers.cancel(close_timer_);
  if (fd_ >= 0) {
    if (armed_ != 0) loop_.remove(*this, fd_);
    ::close(fd_);
  }
}

std::string TcpStream::peer_address() const {
  return peer_unix_ ? std::string("unix") : to_text(peer_ip_, peer_v6_, peer_port_);
}

void TcpStream::start(StreamHandler& handler) {
  handler_ = &handler;
  held_told_ = 0;
  // Registered even when paused: a lost connection is noticed.
  if (state_ != State::open) return;
  watch(armed_ | kIncoming);
  read_on();
}

/// Adds to what the socket tells; nothing is ever taken away, an edge costs nothing that is not news.
void TcpStream::watch(std::uint32_t events) {
  if (armed_ == 0) {
    loop_.add(*this, fd_, events);
  } else if (events != armed_) {
    loop_.modify(*this, fd_, events);
  }
  armed_ = events;
}

/// What a read left, or did not come to, is read in a later turn.
void TcpStream::read_on() {
  if (!readable_ || readable_slot_ != StreamList::kNone) return;
  if (!is_read() && state_ != State::lingering) return;
  in_ending_ = end_seen_;
  (in_ending_ ? loop_.ending : loop_.readable).add(*this);
}

void TcpStream::read_no_more() {
  (in_ending_ ? loop_.ending : loop_.readable).remove(*this);
}

// Only a mark: what becomes readable meanwhile is remembered.
void TcpStream::pause_reading() {
  paused_ = true;
}

void TcpStream::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (state_ == State::open && handler_ != nullptr) loop_.again.add(*this);
}

void TcpStream::expect(std::size_t total) {
  MR_ASSERT(in_callback_ && total > 0);
  frame_total_ = total;
}

// The kernel forgets this mode with the next answer, so it is asked for each time.
void TcpStream::acknowledge_now() {
  if (state_ != State::open || peer_unix_) return;
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void TcpStream::run_again() {
  if (state_ == State::closed) {
    state_ = State::told;
    if (handler_ == nullptr) return;
    Error reason{code_, why_, system_error_ == 0 ? std::string() : std::strerror(system_error_)};
    handler_->on_closed(reason);  // may destroy *this
    return;
  }
  if (state_ != State::open || paused_) return;
  if (frame_total_ != 0) {
    if (kept().size() >= frame_total_) finish_frame();
  } else if (!kept().empty()) {
    deliver_kept();
  }
  read_on();
}

void TcpStream::on_ready(std::uint32_t events) {
  if (state_ >= State::closed) return;
  if ((events & EPOLLOUT) != 0 && blocked_) {
    blocked_ = false;
    loop_.dirty.add(*this);
  }
  constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;
  if ((events & (EPOLLIN | EPOLLRDHUP | kBroken)) == 0) return;
  readable_ = true;
  if ((events & (EPOLLRDHUP | kBroken)) != 0) end_seen_ = true;
  if (!is_read() && state_ != State::lingering && (events & kBroken) != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    finish(ErrorCode::closed, "connection lost", error);
  } else {
    read_on();
  }
}

// -- reading

void TcpStream::read_once() {
  if (again_slot_ != StreamList::kNone) return;  // what is kept goes first; that goes on with reading
  if (state_ == State::lingering) {
    discard_some();
  } else if (is_read() && frame_total_ != 0) {
    read_frame();
  } else if (is_read()) {
    read_some();
  }
  read_on();
}

/// One recv; `readable_` tells afterwards whether another may give more. Less than 0: nothing now, or errno.
std::ptrdiff_t TcpStream::receive_some(std::uint8_t* into, std::size_t count) {
  const ssize_t got = ::recv(fd_, into, count, 0);
  const bool drained = got < 0 ? errno != EINTR : static_cast<std::size_t>(got) < count && !end_seen_;
  if (drained) readable_ = false;
  if (got > 0) loop_.turn_read_bytes += static_cast<std::size_t>(got);
  return got;
}

/// Returns what arrived; 0 when there is nothing now or the stream is ending.
std::ptrdiff_t TcpStream::receive(std::uint8_t* into, std::size_t count) {
  const std::ptrdiff_t got = receive_some(into, count);
  if (got > 0) return got;
  if (got == 0) {
    peer_finished_ = true;
    begin_close(ErrorCode::closed, "closed by the peer");
  } else if (errno != EAGAIN && errno != EINTR) {
    finish(ErrorCode::closed, "connection lost", errno);
  }
  return 0;
}

void TcpStream::read_some() {
  std::uint8_t* base = loop_.read_buffer.get();
  const ByteView front = kept();
  if (front.size() <= kSmallKept) {
    const auto got = receive(base + front.size(), Loop::Impl::kReadBytes - front.size());
    if (got <= 0) return;
    if (!front.empty()) std::memcpy(base, front.data(), front.size());
    const std::size_t size = front.size() + static_cast<std::size_t>(got);
    kept_.clear();
    kept_from_ = 0;
    deliver({base, size}, false);
  } else {
    const auto got = receive(base, Loop::Impl::kReadBytes);
    if (got <= 0) return;
    keep({base, static_cast<std::size_t>(got)});
    deliver_kept();
  }
}

void TcpStream::read_frame() {
  const std::size_t have = kept_.size();
  const std::size_t step = std::clamp(have, kFirstFrameBytes, Loop::Impl::kReadBytes);
  const std::size_t want = std::min(frame_total_ - have, step);
  if (kept_.capacity() < have + want) kept_.reserve(std::min(frame_total_, std::max(2 * have, have + want)));
  const auto got = receive(kept_.data() + have, want);
  if (got <= 0) return;
  kept_.commit(static_cast<std::size_t>(got));
  if (kept_.size() == frame_total_) return finish_frame();
  count_held();
}

/// Gives `bytes` to the handler and keeps what it leaves. `bytes` are those of kept_, or stand in the loop's buffer
/// while kept_ is empty.
void TcpStream::deliver(ByteView bytes, bool from_kept) {
  in_callback_ = true;
  const std::size_t taken = handler_->on_bytes(bytes);
  in_callback_ = false;
  MR_ASSERT(taken <= bytes.size());
  if (state_ != State::open) {
    drop_kept();
    return;
  }
  if (from_kept) {
    kept_from_ += taken;
  } else {
    keep(bytes.subspan(taken));
  }
  if (kept().empty()) drop_kept();
  prepare_frame();
}

/// After a callback: a frame that was announced begins at the start of kept_; when it is all there it comes later in
/// this turn.
void TcpStream::prepare_frame() {
  count_held();
  if (frame_total_ == 0) return;
  if (kept_from_ != 0) {
    kept_.consume(kept_from_);
    kept_from_ = 0;
  }
  if (kept_.size() >= frame_total_ && !paused_) loop_.again.add(*this);
}

void TcpStream::finish_frame() {
  const std::size_t total = std::exchange(frame_total_, 0);
  Buffer frame;
  if (kept_.size() == total) {
    frame = std::move(kept_);
    drop_kept();
  } else {
    frame.append(kept_.view(0, total));
    kept_from_ = total;
  }
  in_callback_ = true;
  handler_->on_frame(std::move(frame));
  in_callback_ = false;
  if (state_ != State::open) {
    drop_kept();
    return;
  }
  prepare_frame();
  // More stood behind the frame; it is delivered in the next turn, or when reading resumes.
  if (frame_total_ == 0 && !kept().empty() && !paused_) loop_.again.add(*this);
}

void TcpStream::keep(ByteView bytes) {
  if (bytes.empty()) return;
  // What was consumed is removed only when it is at least as much as what is left: linear in all.
  if (kept_from_ != 0 && kept_from_ >= kept_.size() - kept_from_) {
    kept_.consume(kept_from_);
    kept_from_ = 0;
  }
  kept_.append(bytes);
}

void TcpStream::discard_some() {
  const std::ptrdiff_t got = receive_some(loop_.read_buffer.get(), Loop::Impl::kReadBytes);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) finish(code_, why_);
}

// -- ending

void TcpStream::begin_close(ErrorCode code, const char* why) {
  if (state_ != State::open) return;
  state_ = State::closing;
  code_ = code;
  why_ = why;
  if (!in_callback_) drop_kept();  // in a callback the handler still looks at it
  if (!blocked_) loop_.dirty.add(*this);
  watch_close();
}

/// Ends the connection unless the peer took something since the last look.
void TcpStream::watch_close() {
  close_timer_ = loop_.timers.add(loop_.now() + kCloseTime, [this, before = pending_bytes()] {
    close_timer_ = 0;
    if (state_ == State::closing && pending_bytes() < before) {
      watch_close();
    } else {
      finish(code_, why_);
    }
  });
}

void TcpStream::close() {
  begin_close(ErrorCode::closed, "closed by this side");
}

void TcpStream::abort() {
  if (state_ >= State::closed) return;
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  finish(ErrorCode::closed, "closed by this side");
}

void TcpStream::finish(ErrorCode code, const char* why, int system_error) {
  if (state_ >= State::closed) return;
  state_ = State::closed;
  code_ = code;
  why_ = why;
  system_error_ = system_error;
  if (armed_ != 0) loop_.remove(*this, fd_);
  ::close(std::exchange(fd_, -1));
  loop_.timers.cancel(std::exchange(close_timer_, 0));
  read_no_more();
  loop_.dirty.remove(*this);
  if (!in_callback_) drop_kept();
  release_output();
  loop_.again.add(*this);
}

}  // namespace millrace::net

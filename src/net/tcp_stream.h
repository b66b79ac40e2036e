// TcpStream: a Stream over one connected, non-blocking socket; private to net. About 250 bytes while idle.
//
// States: open -> closing (flushing what is pending) -> lingering (our end is shut; what the peer still sends is thrown
// away, because closing with unread bytes would reset the connection and could destroy our last words on the way) ->
// closed. Every way out passes finish(), which queues the one on_closed.
#pragma once

#include <netinet/in.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "net/connection_count.h"
#include "net/listener.h"
#include "net/loop_impl.h"
#include "net/stream.h"

namespace millrace::net {

/// "127.0.0.1:1883", "[::1]:1883"
std::string to_text(const std::array<std::uint8_t, 16>& ip, bool v6, std::uint16_t port);
/// The host is the path of a UNIX socket.
inline bool is_unix(const Address& address) {
  return address.host.starts_with('/');
}

class TcpStream final : public Stream, private Pollable {
 public:
  /// Takes over `fd`.
  TcpStream(Loop::Impl& loop, int fd, const sockaddr_storage& peer, ConnectionCount::Place place);
  ~TcpStream() override;
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  void start(StreamHandler& handler) override;
  void pause_reading() override;
  void resume_reading() override;
  void expect(std::size_t total) override;
  void acknowledge_now() override;
  Buffer& output() override;
  void mark_dirty() override;
  void send(SharedBytes bytes) override;
  void send_file(FileSlice slice) override;
  std::size_t pending_bytes() const override {
    return output_.size() - output_sent_ + (spliced_ ? spliced_->pending : 0);
  }
  void set_marks(std::size_t low, std::size_t high) override;
  void close() override;
  void abort() override;
  std::string peer_address() const override;

  /// Called by the loop, at most once per turn, while queued in `readable` or `ending`.
  void read_once();
  void run_again();
  void flush();

  std::uint32_t readable_slot_ = StreamList::kNone;
  std::uint32_t again_slot_ = StreamList::kNone;
  std::uint32_t dirty_slot_ = StreamList::kNone;

 private:
  enum class State : std::uint8_t { open, closing, lingering, closed, told };
  /// A slice, of memory or of a file, that leaves after the first `at` bytes of output_.
  struct Splice {
    std::size_t at;
    SharedBytes bytes;
    FileSlice file{};
    [[nodiscard]] bool in_file() const { return file.owner != nullptr; }
    [[nodiscard]] std::size_t size() const { return in_file() ? file.size : bytes.size(); }
  };
  /// Only while there are any: an idle stream has a pointer for them.
  struct Spliced {
    std::vector<Splice> list;
    std::size_t next = 0;
    std::size_t sent = 0;     // of list[next]
    std::size_t pending = 0;  // bytes of all that are left
    [[nodiscard]] bool any() const { return next < list.size(); }
  };
  void add_splice(Splice splice);

  static constexpr std::uint32_t kIncoming = EPOLLIN | EPOLLRDHUP | EPOLLET;

  void on_ready(std::uint32_t events) override;
  void read_on();
  void read_no_more();
  void watch(std::uint32_t events);
  [[nodiscard]] bool is_read() const { return state_ == State::open && !paused_ && handler_ != nullptr; }
  void read_some();
  void discard_some();
  void read_frame();
  std::ptrdiff_t receive_some(std::uint8_t* into, std::size_t count);
  std::ptrdiff_t receive(std::uint8_t* into, std::size_t count);
  void deliver(ByteView bytes, bool from_kept);
  void deliver_kept() { deliver(kept(), true); }
  void prepare_frame();
  void finish_frame();
  void keep(ByteView bytes);
  [[nodiscard]] ByteView kept() const { return kept_.view(kept_from_, kept_.size() - kept_from_); }
  void drop_kept() {
    kept_ = Buffer();
    kept_from_ = 0;
  }
  /// Tells the handler when a step more, or less, is held than it knows.
  void count_held() {
    const std::size_t held = (kept_.capacity() + pending_bytes()) / kHeldStep * kHeldStep;
    if (held == held_told_ || handler_ == nullptr) return;
    handler_->on_held(static_cast<std::ptrdiff_t>(held) - static_cast<std::ptrdiff_t>(std::exchange(held_told_, held)));
  }
  bool write_some();
  bool write_failed();
  bool write_file();
  void sent(std::size_t count);
  void check_high();
  void after_flush();
  void watch_close();
  void begin_close(ErrorCode code, const char* why);
  void finish(ErrorCode code, const char* why, int system_error = 0);
  void release_output();

  int fd_;  // first: it fills the gap behind the base class
  Loop::Impl& loop_;
  ConnectionCount::Place place_;
  StreamHandler* handler_ = nullptr;
  Buffer kept_;  // received, not consumed; in frame mode the frame so far
  std::size_t kept_from_ = 0;
  std::size_t frame_total_ = 0;  // frame mode when not 0
  Buffer output_;
  std::size_t output_sent_ = 0;
  std::unique_ptr<Spliced> spliced_;
  std::size_t held_told_ = 0;
  std::uint32_t low_mark_ = 256_KiB;
  std::uint32_t high_mark_ = 1_MiB;
  const char* why_ = "";
  std::uint64_t close_timer_ = 0;
  int system_error_ = 0;
  std::uint32_t armed_ = 0;  // 0: not registered yet
  std::array<std::uint8_t, 16> peer_ip_{};
  std::uint16_t peer_port_ = 0;
  bool peer_v6_ = false;
  bool peer_unix_ = false;
  ErrorCode code_ = ErrorCode::closed;
  State state_ = State::open;
  bool readable_ = false;   // no read has shown yet that the socket is empty
  bool end_seen_ = false;   // what ended the connection may stand behind a short read
  bool in_ending_ = false;  // readable_slot_ is one of Loop::Impl::ending
  bool blocked_ = false;    // the socket was full when last written to, and has not told otherwise
  bool paused_ = false;
  bool peer_finished_ = false;
  bool over_high_ = false;
  bool in_callback_ = false;
};

}  // namespace millrace::net

// Stream: one byte stream, whatever carries it (TCP now; TLS, PROXY protocol and WebSocket as decorators). Every
// protocol is written once against it.
//
// Reading: bytes arrive in the loop's own read buffer and are handed to the handler as one view; what the handler does
// not consume is kept and comes again in front of the next bytes. An idle stream owns no buffer. Writing: append to
// output(), or send() a shared slice without copying it; everything gathered during a turn leaves in one writev at its
// end. Thread: the loop's, for every call and callback.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file_slice.h"
#include "net/loop.h"
#include "net/peer_identity.h"

namespace millrace::net {

class Stream;

/// What a stream holds is counted in steps of so many bytes: one that keeps up with its peer never takes the first.
inline constexpr std::size_t kHeldStep = 4'096;

class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// Returns how many bytes were taken from the front. The rest comes again with more bytes behind it (or, after
  /// pause_reading(), when reading resumes). May call close() on its stream, and expect().
  virtual std::size_t on_bytes(ByteView bytes) = 0;
  /// The frame announced with expect() is complete: exactly as many bytes, in memory of their own that the handler may
  /// keep.
  virtual void on_frame(Buffer frame) { (void)on_bytes(frame.view()); }
  /// The last call a handler gets: by the peer, by an error, or after close(). Never called inside another callback or
  /// call of the stream. The stream may be destroyed here (and anywhere else except in one of its own callbacks; then
  /// nothing is called).
  virtual void on_closed(const Error& reason) = 0;
  /// pending_bytes() fell below the low mark after having been over the high mark.
  virtual void on_drained() {}
  /// The stream holds `change` bytes more (or less) than it did: what the handler has not taken and what the kernel has
  /// not, in steps of kHeldStep. For accounting, in the midst of other things: may pause reading, nothing else.
  virtual void on_held(std::ptrdiff_t change) { (void)change; }
};

class Stream {
 public:
  virtual ~Stream() = default;
  /// Starts reading. `handler` must live until on_closed.
  virtual void start(StreamHandler& handler) = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// From inside on_bytes: the bytes that this call leaves are the beginning of a frame of `total` bytes. The stream
  /// gathers it without asking again, in memory that grows with what has arrived, reads exactly to its end and calls
  /// on_frame. For frames that are large against a read of 256 KiB.
  virtual void expect(std::size_t total) = 0;

  /// The answer to what was read last takes a while: the peer's kernel is told now, not with the answer, that the bytes
  /// are here. A client that leaves Nagle's algorithm on (librdkafka does) would hold its next request back until then.
  virtual void acknowledge_now() {}

  /// Bytes appended here leave at the end of the turn. Call mark_dirty() after appending.
  [[nodiscard]] virtual Buffer& output() = 0;
  virtual void mark_dirty() = 0;
  /// Queues a slice behind what output() holds; shared, not copied.
  virtual void send(SharedBytes bytes) = 0;
  /// Queues a part of a file behind what output() holds. Over TCP it never passes through the program; a stream that
  /// must see the bytes (TLS) keeps this form, which reads them now. A file that ends early aborts the stream.
  virtual void send_file(FileSlice slice);
  void send_copy(ByteView bytes) {
    output().append(bytes);
    mark_dirty();
  }
  /// Not yet taken by the kernel.
  [[nodiscard]] virtual std::size_t pending_bytes() const = 0;
  /// on_drained() fires when pending_bytes() falls below `low` after having been above `high`.
  virtual void set_marks(std::size_t low, std::size_t high) = 0;

  /// Flushes what is pending (given up when the peer takes nothing for 3 s) and waits for the peer to end its side (at
  /// most 3 s), then closes. Nothing is read any more and what is sent from now on is dropped; on_closed comes later.
  virtual void close() = 0;
  /// Closes at once, dropping what is pending; on_closed comes later.
  virtual void abort() = 0;
  [[nodiscard]] virtual std::string peer_address() const = 0;
  /// Who the peer proved to be; nullopt when it was not asked to prove anything, or did not. Costs a walk through the
  /// certificate: ask once, from the first on_bytes on.
  [[nodiscard]] virtual std::optional<PeerIdentity> peer_identity() const { return std::nullopt; }
};

}  // namespace millrace::net

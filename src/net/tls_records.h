// TlsRecords: one TLS session without a transport: records in, records out. Private to net. Bytes are handed to OpenSSL
// where they stand and come back where they go, without its memory buffers in between. Thread: one at a time.
#pragma once

#include <optional>
#include <string>

#include "base/buffer.h"
#include "net/peer_identity.h"
#include "net/stream.h"
#include "net/tls_context.h"

struct bio_st;

namespace millrace::net {

class TlsRecords {
 public:
  enum class Progress : std::uint8_t {
    more,    // needs further records
    done,    // the handshake is finished
    ended,   // the other side said that it will send no more (close_notify)
    failed,  // error() says why; what was written holds the alert
  };

  explicit TlsRecords(TlsContext::Session session);

  /// How many bytes at the front of `bytes` are whole records. What is no TLS at all counts as whole, to be refused.
  [[nodiscard]] static std::size_t whole(ByteView bytes);

  /// For handshake(), which may run on another thread than the bytes came in.
  void add_input(ByteView bytes) { input_.append(bytes); }
  Progress handshake();
  /// What handshake() wrote.
  [[nodiscard]] Buffer take_output() { return std::exchange(output_, Buffer()); }
  /// What of the input came behind the handshake.
  [[nodiscard]] Buffer take_input();

  /// Decrypts whole records behind what `plain` holds. Answers (alerts, key updates) go to `below`.
  Progress read(ByteView records, Buffer& plain, Stream& below);
  bool write(ByteView plain, Stream& below);
  /// Says that nothing more will be sent (close_notify).
  void finish(Stream& below);

  [[nodiscard]] bool resumed() const;
  [[nodiscard]] std::optional<PeerIdentity> peer_identity() const;
  [[nodiscard]] const std::string& error() const { return error_; }

  // For the session's transport.
  std::size_t pull(std::uint8_t* into, std::size_t most);
  void push(ByteView bytes);

 private:
  Progress judge(int result);

  TlsContext::Session session_;
  ByteView pulled_;          // what the session may read now
  Stream* below_ = nullptr;  // where it writes to; null: output_
  bool wrote_ = false;
  Buffer input_;
  Buffer output_;
  std::string error_;
};

}  // namespace millrace::net

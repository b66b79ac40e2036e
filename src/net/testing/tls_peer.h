// TlsPeer: the client's end of a TLS connection in memory, made of OpenSSL's own buffers, so that tests do not judge
// the product by the product. `MemoryStream` is the stream below a server's end: what it is fed comes to the handler as
// Stream's contract says, what is sent is gathered.
#pragma once

#include <string>
#include <string_view>

#include "net/stream.h"
#include "net/testing/certificates.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace millrace::net::testing {

class MemoryStream final : public Stream {
 public:
  void start(StreamHandler& handler) override { handler_ = &handler; }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override { paused_ = false; }
  void expect(std::size_t) override {}
  Buffer& output() override { return output_; }
  void mark_dirty() override {}
  void send(SharedBytes bytes) override { output_.append(bytes.view()); }
  [[nodiscard]] std::size_t pending_bytes() const override { return output_.size(); }
  void set_marks(std::size_t, std::size_t) override {}
  void close() override { closed_ = true; }
  void abort() override { closed_ = true; }
  [[nodiscard]] std::string peer_address() const override { return "192.0.2.1:1"; }

  /// Hands over what was left before and `bytes`. False when the stream was closed.
  bool feed(std::string_view bytes) {
    kept_ += bytes;
    if (!closed_ && !paused_ && !kept_.empty()) kept_.erase(0, handler_->on_bytes(as_bytes(kept_)));
    kept_.shrink_to_fit();
    return !closed_;
  }
  std::string take_sent() {
    std::string sent(as_text(output_.view()));
    output_ = Buffer();
    return sent;
  }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool paused() const { return paused_; }
  /// As the stream tells its handler, which may destroy it.
  void tell_closed(const Error& reason) { handler_->on_closed(reason); }

 private:
  StreamHandler* handler_ = nullptr;
  std::string kept_;
  Buffer output_;
  bool closed_ = false;
  bool paused_ = false;
};

class TlsPeer {
 public:
  struct Choice {
    std::string authorities;  // whom to believe; empty: anyone
    KeyPair pair{};           // to show, if any
    int version = 0;          // 0x0303, 0x0304; 0: the best both can
  };
  explicit TlsPeer(const Choice& choice);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  /// Begins anew, with the session of the last connection when there is one.
  void reconnect();
  /// Takes what the server sent and goes on; returns what to send to it.
  std::string exchange(std::string_view from_server);
  void write(std::string_view plain);
  void finish();

  [[nodiscard]] bool connected() const;
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] bool ended() const { return ended_; }  // the server said close_notify
  [[nodiscard]] const std::string& received() const { return received_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  /// Of the server's certificate.
  [[nodiscard]] std::string server_common_name() const;

 private:
  static int keep_session(ssl_st* connection, ssl_session_st* session);
  void note(int result);

  ssl_ctx_st* context_;
  ssl_st* connection_ = nullptr;
  ssl_session_st* session_ = nullptr;
  std::string received_;
  std::string error_;
  bool ended_ = false;
};

}  // namespace millrace::net::testing

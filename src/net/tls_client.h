// TlsClient: the client's end of TLS without a transport, for who has sockets of his own (the load generator): bytes
// in, bytes out. It keeps the session ticket of its server, so that the next begin() resumes. Thread: one at a time.
#pragma once

#include <memory>
#include <string>

#include "base/buffer.h"
#include "net/tls_context.h"

struct ssl_session_st;

namespace millrace::net {

class TlsClient {
 public:
  /// Requires a client's context.
  explicit TlsClient(std::shared_ptr<const TlsContext> context);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  /// A new connection; what is to be sent first is appended to `out`.
  void begin(Buffer& out);
  /// What has come: plain bytes behind `plain`, what is to be sent behind `out`. False: it is over, why() says how.
  bool take(ByteView bytes, Buffer& plain, Buffer& out);
  /// Records of `plain` behind `out`. Requires is_ready().
  bool seal(ByteView plain, Buffer& out);
  /// The handshake is finished.
  [[nodiscard]] bool is_ready() const { return ready_; }
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  void keep_ticket();
  void collect(Buffer& out);
  bool fail_with(const char* what);

  struct FreeTicket {
    void operator()(ssl_session_st* ticket) const;
  };
  std::shared_ptr<const TlsContext> context_;
  TlsContext::Session session_;
  std::unique_ptr<ssl_session_st, FreeTicket> ticket_;
  bool ready_ = false;
  std::string why_;
};

}  // namespace millrace::net

// Bytes from a client that is no good, against a TLS server's end, in two pieces: nothing reaches the handler, and what
// the server holds stays within the bytes that came and OpenSSL's own buffers.
#include "base/assert.h"
#include "net/loop_impl.h"
#include "net/testing/tls_peer.h"
#include "net/tls_stream.h"

namespace {

using namespace millrace;
using namespace millrace::net;

struct Silent final : StreamHandler {
  std::size_t on_bytes(ByteView) override {
    MR_ASSERT(false);  // a handshake would need the client's key exchange over the server's random bytes
    return 0;
  }
  void on_closed(const Error&) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Loop loop;
  static const testing::Authority authority("Fuzz");
  static const auto context = TlsContext::server(authority.server(), {ClientCertificates::requested}).value();
  static TlsAcceptor acceptor(loop, context, nullptr, nullptr);
  const std::string_view bytes = as_text({data, size});
  const std::size_t cut = size == 0 ? 0 : data[size - 1] % (size + 1);
  Silent handler;
  auto made = std::make_unique<testing::MemoryStream>();
  testing::MemoryStream& below = *made;
  const auto stream = acceptor.wrap(std::move(made));
  stream->start(handler);
  below.feed(bytes.substr(0, cut));
  below.feed(bytes.substr(cut));
  loop.impl().layers_dirty.run([](StreamLayer& layer) { layer.write_out(); });
  MR_ASSERT(below.take_sent().size() < 64_KiB);
  return 0;
}

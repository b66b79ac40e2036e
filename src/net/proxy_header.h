// The PROXY protocol's header, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt sections 2.1 and 2.2): what a load
// balancer says in front of a connection's bytes about where the connection came from. Private to net. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::net {

struct ProxyHeader {
  std::size_t size = 0;  // bytes of the header
  /// Where the client is, "203.0.113.7:40000"; nullopt when the proxy speaks for itself (LOCAL, UNKNOWN).
  std::optional<std::string> source;
};

/// nullopt: more bytes are needed. malformed: this is no header, or one longer than any proxy sends.
Result<std::optional<ProxyHeader>> parse_proxy_header(ByteView bytes);

/// A set of addresses with a common beginning, "10.0.0.0/8" or one address.
class Network {
 public:
  static Result<Network> parse(std::string_view text);
  /// `peer` as Stream::peer_address() gives it.
  [[nodiscard]] bool contains(std::string_view peer) const;

 private:
  std::array<std::uint8_t, 16> prefix_{};
  std::size_t bits_ = 0;
  std::size_t bytes_ = 0;  // 4 or 16
};

}  // namespace millrace::net

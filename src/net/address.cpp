// Address: reading and printing "host:port".
#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "net/listener.h"
#include "net/tcp_stream.h"

namespace millrace::net {

std::string Address::to_string() const {
  if (is_unix(*this)) return host;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Address::is_loopback() const {
  if (is_unix(*this)) return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<Address> parse_address(std::string_view text) {
  const auto bad = [&](const char* what) { return fail(ErrorCode::invalid_argument, what, std::string(text)); };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("an address is host:port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  Address address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return bad("a port is a number from 0 to 65535");
  if (host.empty()) return address;
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  address.host = std::string(host);
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = ::inet_pton(AF_INET, address.host.c_str(), &v4) == 1;
  const bool is_v6 = ::inet_pton(AF_INET6, address.host.c_str(), &v6) == 1;
  if (bracketed ? !is_v6 : !is_v4) return bad("a host is an IP address, IPv6 in brackets");
  return address;
}

std::string to_text(const std::array<std::uint8_t, 16>& ip, bool v6, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, ip.data(), text.data(), text.size());
  return Address{text.data(), port}.to_string();
}

}  // namespace millrace::net

#include "net/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/endian.h"
#include "net/tcp_stream.h"

namespace millrace::net {
namespace {

constexpr std::size_t kLongestLine = 107;  // 2.1: worst case, line ending included
constexpr std::array<std::uint8_t, 12> kSignature = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                     0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t kFixedPart = 16;
constexpr std::size_t kLongestBody = 4_KiB;  // addresses and extensions; real ones stay below 600 bytes

std::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::malformed, what);
}

struct Ip {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0;  // 0: not an address
};

Ip parse_ip(std::string_view text) {
  Ip ip;
  const std::string name(text);
  if (::inet_pton(AF_INET, name.c_str(), ip.bytes.data()) == 1) {
    ip.size = 4;
  } else if (::inet_pton(AF_INET6, name.c_str(), ip.bytes.data()) == 1) {
    ip.size = 16;
  }
  return ip;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  return word;
}

Result<std::optional<ProxyHeader>> parse_line(std::string_view text) {
  const std::size_t end = text.substr(0, kLongestLine).find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() >= kLongestLine) return malformed("a PROXY line has no end");
    return std::nullopt;
  }
  ProxyHeader header{.size = end + 2, .source = {}};
  std::string_view line = text.substr(0, end);
  take_word(line);  // "PROXY"
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return header;
  const std::size_t wanted = family == "TCP4" ? 4 : 16;
  if (wanted == 16 && family != "TCP6") return malformed("a PROXY line names an unknown family");
  const Ip source = parse_ip(take_word(line));
  const Ip destination = parse_ip(take_word(line));
  const auto source_port = parse_number<std::uint16_t>(take_word(line));
  const auto destination_port = parse_number<std::uint16_t>(line);
  if (source.size != wanted || destination.size != wanted || !source_port || !destination_port) {
    return malformed("a PROXY line has wrong addresses");
  }
  header.source = to_text(source.bytes, wanted == 16, *source_port);
  return header;
}

Result<std::optional<ProxyHeader>> parse_binary(ByteView bytes) {
  const std::size_t common = std::min(bytes.size(), kSignature.size());
  if (!std::equal(kSignature.begin(), kSignature.begin() + static_cast<std::ptrdiff_t>(common), bytes.begin())) {
    return malformed("no PROXY header");
  }
  if (bytes.size() < kFixedPart) return std::nullopt;
  const std::uint8_t command = bytes[12];
  const std::uint8_t family = bytes[13];
  const std::size_t length = load_be<std::uint16_t>(bytes.data() + 14);
  if (command >> 4U != 2 || (command & 0xFU) > 1) return malformed("a PROXY header has an unknown version or command");
  if (length > kLongestBody) return malformed("a PROXY header is too long");
  if (bytes.size() < kFixedPart + length) return std::nullopt;
  ProxyHeader header{.size = kFixedPart + length, .source = {}};
  const bool local = (command & 0xFU) == 0;
  const std::size_t address = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;  // TCP over IPv4, IPv6
  if (local || address == 0) return header;
  if (length < 2 * address + 4) return malformed("a PROXY header is shorter than its addresses");
  std::array<std::uint8_t, 16> source{};
  std::copy_n(bytes.data() + kFixedPart, address, source.begin());
  header.source = to_text(source, address == 16, load_be<std::uint16_t>(bytes.data() + kFixedPart + 2 * address));
  return header;
}

}  // namespace

Result<std::optional<ProxyHeader>> parse_proxy_header(ByteView bytes) {
  if (bytes.empty()) return std::nullopt;
  constexpr std::string_view kWord = "PROXY ";
  const std::string_view text = as_text(bytes);
  if (!kWord.starts_with(text.substr(0, kWord.size()))) return parse_binary(bytes);
  if (text.size() < kWord.size()) return std::nullopt;
  return parse_line(text);
}

Result<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const Ip ip = parse_ip(text.substr(0, slash));
  Network network;
  network.prefix_ = ip.bytes;
  network.bytes_ = ip.size;
  network.bits_ = 8 * ip.size;
  const auto bits = slash == std::string_view::npos ? network.bits_
                                                    : parse_number<std::uint8_t>(text.substr(slash + 1)).value_or(255);
  if (ip.size == 0 || bits > network.bits_) {
    return fail(ErrorCode::invalid_argument, "not an address or a network like 10.0.0.0/8", std::string(text));
  }
  network.bits_ = bits;
  return network;
}

bool Network::contains(std::string_view peer) const {
  const std::size_t colon = peer.rfind(':');
  std::string_view host = peer.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const Ip ip = parse_ip(host);
  if (ip.size != bytes_) return false;
  for (std::size_t bit = 0; bit < bits_; ++bit) {
    const std::uint8_t mask = static_cast<std::uint8_t>(0x80U >> bit % 8);
    if (((ip.bytes.at(bit / 8) ^ prefix_.at(bit / 8)) & mask) != 0) return false;
  }
  return true;
}

}  // namespace millrace::net

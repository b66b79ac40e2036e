#include "mqtt/protocol/text.h"

#include <cstdint>
#include <cstring>

namespace millrace::mqtt::protocol {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHighs = 0x8080808080808080ULL;

std::uint64_t load8(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
// Non-zero when a byte of `word` is zero. Bytes above a zero one may be reported too, which only costs the slow path.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - kOnes) & ~word & kHighs;
}
constexpr std::uint64_t suspicious_text(std::uint64_t word) {
  return (word & kHighs) | zero_bytes(word);
}
constexpr std::uint64_t suspicious_topic(std::uint64_t word) {
  return suspicious_text(word) | zero_bytes(word ^ (kOnes * '#')) | zero_bytes(word ^ (kOnes * '+'));
}

// True when all bytes are plain ASCII without the characters `suspicious` looks for; eight bytes at a time, the last
// eight overlapping what was already seen.
template <class Suspicious>
bool is_plain(std::string_view text, Suspicious suspicious) {
  const char* at = text.data();
  std::size_t left = text.size();
  if (left >= 8) {
    std::uint64_t seen = 0;
    while (left >= 8) {
      seen |= suspicious(load8(at));
      at += 8;
      left -= 8;
    }
    if (left != 0) seen |= suspicious(load8(at + left - 8));
    return seen == 0;
  }
  std::uint64_t word = kOnes * 'a';
  if (left != 0) std::memcpy(&word, at, left);
  return suspicious(word) == 0;
}

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0U) == 0x80U;
}

// Unicode standard, table 3-7 "Well-Formed UTF-8 Byte Sequences".
bool is_utf8_slow(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = at + text.size();
  while (at != end) {
    const unsigned char lead = *at;
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const auto left = end - at;
    if (lead >= 0xC2 && lead <= 0xDF) {
      if (left < 2 || !is_continuation(at[1])) return false;
      at += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      if (left < 3 || !is_continuation(at[1]) || !is_continuation(at[2])) return false;
      if (lead == 0xE0 && at[1] < 0xA0) return false;  // over-long
      if (lead == 0xED && at[1] > 0x9F) return false;  // surrogates D800 to DFFF
      at += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      if (left < 4 || !is_continuation(at[1]) || !is_continuation(at[2]) || !is_continuation(at[3])) return false;
      if (lead == 0xF0 && at[1] < 0x90) return false;  // over-long
      if (lead == 0xF4 && at[1] > 0x8F) return false;  // above U+10FFFF
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

constexpr std::string_view kSharePrefix = "$share/";

Decoded<void> check_wildcards(std::string_view filter) {
  if (filter.empty()) return refuse(ReasonCode::topic_filter_invalid, "empty topic filter [MQTT-4.7.3-1]");
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const char c = filter[i];
    if (c != '#' && c != '+') continue;
    const bool level_starts = i == 0 || filter[i - 1] == '/';
    if (c == '#' && (!level_starts || i + 1 != filter.size())) {
      return refuse(ReasonCode::topic_filter_invalid, "'#' must be the last level alone [MQTT-4.7.1-1]");
    }
    if (c == '+' && (!level_starts || (i + 1 != filter.size() && filter[i + 1] != '/'))) {
      return refuse(ReasonCode::topic_filter_invalid, "'+' must be a whole level [MQTT-4.7.1-2]");
    }
  }
  return {};
}

}  // namespace

bool is_utf8_string(std::string_view text) {
  return is_plain(text, suspicious_text) || is_utf8_slow(text);
}

Decoded<void> check_topic_name(std::string_view name) {
  if (name.empty()) return refuse(ReasonCode::topic_name_invalid, "empty topic name [MQTT-4.7.3-1]");
  if (is_plain(name, suspicious_topic)) [[likely]] {
    return {};
  }
  if (!is_utf8_slow(name))
    return refuse(ReasonCode::malformed_packet, "topic name is not a UTF-8 string [MQTT-1.5.4-1]");
  if (name.find_first_of("+#") != std::string_view::npos) {
    return refuse(ReasonCode::topic_name_invalid, "wildcard in a topic name [MQTT-3.3.2-2]");
  }
  return {};
}

Decoded<FilterParts> parse_topic_filter(std::string_view filter) {
  FilterParts parts{{}, filter};
  if (filter.starts_with(kSharePrefix)) {
    const std::string_view rest = filter.substr(kSharePrefix.size());
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) {
      return refuse(ReasonCode::topic_filter_invalid, "no filter behind the share name [MQTT-4.8.2-2]");
    }
    parts.share_name = rest.substr(0, slash);
    parts.filter = rest.substr(slash + 1);
    if (parts.share_name.empty() || parts.share_name.find_first_of("+#") != std::string_view::npos) {
      return refuse(ReasonCode::topic_filter_invalid, "share name empty or with a wildcard [MQTT-4.8.2-1]");
    }
  } else if (filter == "$share") {
    return refuse(ReasonCode::topic_filter_invalid, "$share without a share name [MQTT-4.8.2-1]");
  }
  if (auto checked = check_wildcards(parts.filter); !checked) return std::unexpected(checked.error());
  return parts;
}

bool matches_filter(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  for (;;) {
    const std::size_t filter_slash = filter.find('/');
    const std::size_t topic_slash = topic.find('/');
    const std::string_view level = filter.substr(0, filter_slash);
    if (level == "#") return true;
    if (level != "+" && level != topic.substr(0, topic_slash)) return false;
    if (filter_slash == std::string_view::npos) return topic_slash == std::string_view::npos;
    filter.remove_prefix(filter_slash + 1);
    if (topic_slash == std::string_view::npos) return filter == "#";  // "a/#" matches "a" too (4.7.1.2)
    topic.remove_prefix(topic_slash + 1);
  }
}

}  // namespace millrace::mqtt::protocol

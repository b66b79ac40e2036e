#include "rules/action_text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sql/lexer.h"

namespace millrace::rules {

namespace {

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_url(std::string_view text) {
  constexpr std::size_t kMaxUrl = 8192;
  const std::size_t scheme = text.find("://");
  if (text.size() > kMaxUrl || scheme == std::string_view::npos) return false;
  if (text.substr(0, scheme) != "http" && text.substr(0, scheme) != "https") return false;
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; })) return false;
  const std::string_view rest = text.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  return !authority.empty() && authority.front() != ':' && authority.find('@') == std::string_view::npos;
}

bool is_header_name(std::string_view text) {
  constexpr std::array<std::string_view, 5> kOwn = {"host", "content-length", "transfer-encoding", "connection",
                                                    "expect"};
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  if (text.empty() || text.size() > 256) return false;
  if (std::ranges::any_of(kOwn, [&](auto own) { return sql::equals_ignoring_case(own, text); })) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return is_alphanumeric(c) || kMarks.find(c) != std::string_view::npos; });
}

bool is_header_value(std::string_view text) {
  constexpr std::size_t kMaxValue = 16'384;
  return text.size() <= kMaxValue && text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool is_file_name(std::string_view text) {
  constexpr std::size_t kMaxName = 200;
  return !text.empty() && text.size() <= kMaxName && is_alphanumeric(text.front()) &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

std::optional<bool> format_indicator(std::string_view text) {
  if (text == "UTF8_DATA") return true;
  if (text == "UNSPECIFIED_BYTES") return false;
  return std::nullopt;
}

std::optional<std::uint32_t> expiry_seconds(std::string_view text) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

}  // namespace millrace::rules

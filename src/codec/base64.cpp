#include "codec/base64.h"

#include <array>

namespace millrace {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kInvalid = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kInvalid;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

}  // namespace

void encode_base64(ByteView bytes, char* to) {
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const unsigned group = unsigned{bytes[i]} << 16U | unsigned{bytes[i + 1]} << 8U | bytes[i + 2];
    *to++ = kAlphabet[group >> 18U];
    *to++ = kAlphabet[group >> 12U & 63U];
    *to++ = kAlphabet[group >> 6U & 63U];
    *to++ = kAlphabet[group & 63U];
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return;
  const unsigned group = unsigned{bytes[i]} << 16U | (left == 2 ? unsigned{bytes[i + 1]} << 8U : 0U);
  *to++ = kAlphabet[group >> 18U];
  *to++ = kAlphabet[group >> 12U & 63U];
  *to++ = left == 2 ? kAlphabet[group >> 6U & 63U] : '=';
  *to++ = '=';
}

std::optional<std::size_t> decode_base64(std::string_view text, std::uint8_t* to) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::uint8_t* const begin = to;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t padding = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2U : 1U) : 0U;
    unsigned group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const std::uint8_t value = j >= 4 - padding ? std::uint8_t{0} : kValues[static_cast<unsigned char>(text[i + j])];
      if (value == kInvalid) return std::nullopt;
      group = group << 6U | value;
    }
    // Bits behind the last byte must be zero, so that one value has one text.
    if ((padding == 1 && (group & 0xFFU) != 0) || (padding == 2 && (group & 0xFFFFU) != 0)) return std::nullopt;
    *to++ = static_cast<std::uint8_t>(group >> 16U);
    if (padding < 2) *to++ = static_cast<std::uint8_t>(group >> 8U);
    if (padding < 1) *to++ = static_cast<std::uint8_t>(group);
  }
  return static_cast<std::size_t>(to - begin);
}

std::string to_base64(ByteView bytes) {
  std::string text(base64_size(bytes.size()), '\0');
  encode_base64(bytes, text.data());
  return text;
}

std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  const auto size = decode_base64(text, bytes.data());
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

}  // namespace millrace

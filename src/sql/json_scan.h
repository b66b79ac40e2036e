// The inner loops of the JSON parser: finding the end of plain text and of digits. They read up to 16 bytes past the
// position they are given, so the caller scans a copy with kScanPadding bytes of zeros behind it; a zero byte ends
// every run. SSE2 is part of x86-64; elsewhere the portable loops do the same.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace millrace::sql {

inline constexpr std::size_t kScanPadding = 64;

/// First byte at or behind `at` that is not plain in a JSON string: a quote, a backslash, a control character or not
/// ASCII.
inline const char* find_not_plain(const char* at) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(' ');
  while (true) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Signed comparison: bytes of 0x80 and above are negative, so one test finds them and the control characters.
    const __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                      _mm_cmplt_epi8(bytes, space));
    const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(stop));
    if (mask != 0) return at + std::countr_zero(mask);
    at += 16;
  }
#else
  while (true) {
    const auto c = static_cast<unsigned char>(*at);
    if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') return at;
    ++at;
  }
#endif
}

/// First byte at or behind `at` that is no decimal digit.
inline const char* skip_digits(const char* at) {
#if defined(__SSE2__)
  const __m128i bias = _mm_set1_epi8(static_cast<char>(0x80 - '0'));
  const __m128i nine = _mm_set1_epi8(static_cast<char>(0x80 + 9));
  while (true) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpgt_epi8(_mm_add_epi8(bytes, bias), nine)));
    if (mask != 0) return at + std::countr_zero(mask);
    at += 16;
  }
#else
  while (*at >= '0' && *at <= '9') ++at;
  return at;
#endif
}

/// Bytes of the UTF-8 sequence at `at` (2 to 4), 0 when it is none: overlong forms, surrogates and values above
/// U+10FFFF are not UTF-8. Reads at most 4 bytes, stopping at the first wrong one.
inline std::size_t utf8_sequence(const char* at) {
  const auto b0 = static_cast<unsigned char>(at[0]);
  const auto tail = [at](int i) { return (static_cast<unsigned char>(at[i]) & 0xC0U) == 0x80U; };
  if (b0 < 0xC2) return 0;
  if (b0 < 0xE0) return tail(1) ? 2 : 0;
  const auto b1 = static_cast<unsigned char>(at[1]);
  if (b0 < 0xF0) {
    if (!tail(1) || (b0 == 0xE0 && b1 < 0xA0) || (b0 == 0xED && b1 >= 0xA0)) return 0;
    return tail(2) ? 3 : 0;
  }
  if (b0 > 0xF4 || !tail(1) || (b0 == 0xF0 && b1 < 0x90) || (b0 == 0xF4 && b1 >= 0x90)) return 0;
  return tail(2) && tail(3) ? 4 : 0;
}

}  // namespace millrace::sql

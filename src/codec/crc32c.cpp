#include "codec/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

namespace millrace {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    table[i] = crc;
  }
  return table;
}
constexpr auto kTable = make_table();

#if defined(__x86_64__)

// x^(8*bytes + 31) reduced, reflected, so that one carry-less multiplication moves a CRC past `bytes` zero bytes.
// Derived by stepping single bits; checked by the test against the portable form.
constexpr std::uint32_t shift_constant(std::size_t bytes) {
  // Multiplying by x in the reflected domain is a right shift with the polynomial folded in.
  std::uint32_t value = 0x80000000;         // x^0
  const std::size_t bits = bytes * 8 - 33;  // the instruction itself contributes x^32, the product's alignment one more
  for (std::size_t i = 0; i < bits; ++i) value = (value >> 1U) ^ ((value & 1U) != 0 ? kPolynomial : 0);
  return value;
}

constexpr std::size_t kLane = 1024;  // bytes per stream and round
constexpr std::uint32_t kShiftOne = shift_constant(kLane);
constexpr std::uint32_t kShiftTwo = shift_constant(2 * kLane);

std::uint64_t load64(const std::uint8_t* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The crc32 instruction has a latency of three cycles and a throughput of one: three independent streams keep it busy,
// and two multiplications join them.
__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc32c_hardware(const std::uint8_t* at, std::size_t size,
                                                                       std::uint32_t crc) {
  std::uint64_t a = ~crc;
  while (size >= 3 * kLane) {
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      a = _mm_crc32_u64(a, load64(at + i));
      b = _mm_crc32_u64(b, load64(at + kLane + i));
      c = _mm_crc32_u64(c, load64(at + 2 * kLane + i));
    }
    const __m128i a_moved = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)),
                                                 _mm_cvtsi32_si128(static_cast<int>(kShiftTwo)), 0);
    const __m128i b_moved = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(b)),
                                                 _mm_cvtsi32_si128(static_cast<int>(kShiftOne)), 0);
    const auto joined = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_xor_si128(a_moved, b_moved)));
    a = _mm_crc32_u64(0, joined) ^ c;
    at += 3 * kLane;
    size -= 3 * kLane;
  }
  while (size >= 8) {
    a = _mm_crc32_u64(a, load64(at));
    at += 8;
    size -= 8;
  }
  auto narrow = static_cast<std::uint32_t>(a);
  while (size > 0) {
    narrow = _mm_crc32_u8(narrow, *at++);
    --size;
  }
  return ~narrow;
}

bool have_hardware() {
  static const bool have = __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
  return have;
}

#endif

}  // namespace

std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t crc) {
  crc = ~crc;
  for (const std::uint8_t byte : bytes) crc = (crc >> 8U) ^ kTable[(crc ^ byte) & 0xFFU];
  return ~crc;
}

std::uint32_t crc32c(ByteView bytes, std::uint32_t crc) {
#if defined(__x86_64__)
  if (have_hardware()) return crc32c_hardware(bytes.data(), bytes.size(), crc);
#endif
  return crc32c_portable(bytes, crc);
}

}  // namespace millrace

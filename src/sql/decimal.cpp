#include "sql/decimal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "sql/wide.h"

namespace millrace::sql {

namespace {

constexpr int kLowestExponent = -Decimal::kMaxExponent;
constexpr int kMaxShift = 38;  // the largest power of ten in 128 bits

/// Rounds to 34 digits half to even and checks the range. `sticky`: something not zero was already cut off below.
std::optional<Decimal> finish(bool negative, Wide value, long exponent, bool sticky = false) {
  // What falls below 1E-999 in scale needs no special case: the magnitude decides.
  int excess = value.digits() - Decimal::kDigits;
  while (excess > 0) {
    const int step = std::min(excess, 19);
    const std::uint64_t cut = value.divide_by_ten_to(step);
    exponent += step;
    excess -= step;
    if (excess > 0) {
      sticky = sticky || cut != 0;
      continue;
    }
    const auto half = static_cast<std::uint64_t>(power_of_ten(step) / 2);
    const bool odd = (value.low() & 1U) != 0;
    const bool up = cut > half || (cut == half && (sticky || odd));
    if (up) {
      value.add(Wide(1));
      excess = value.digits() - Decimal::kDigits;  // 99..9 became 10^34
      sticky = false;
    }
  }
  const Uint128 coefficient = value.low();
  if (coefficient == 0) return Decimal(false, 0, static_cast<int>(std::clamp<long>(exponent, kLowestExponent, 0)));
  const long magnitude = exponent + digit_count(coefficient) - 1;
  if (magnitude > Decimal::kMaxExponent) return std::nullopt;
  if (magnitude < kLowestExponent) return Decimal(false, 0, 0);
  return Decimal(negative, coefficient, static_cast<int>(exponent));
}

}  // namespace

Decimal::Decimal(std::int64_t value)
    : coefficient_(value < 0 ? static_cast<Uint128>(0) - static_cast<Uint128>(value) : static_cast<Uint128>(value)),
      negative_(value < 0) {}

std::optional<Decimal> Decimal::parse(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const bool negative = at != end && *at == '-';
  if (negative) ++at;
  Uint128 coefficient = 0;
  int digits = 0;
  long exponent = 0;
  unsigned next = 0;  // the first digit that was cut off
  bool sticky = false;
  bool cut = false;
  const auto run = [&](bool fraction) {
    const char* const from = at;
    for (; at != end && *at >= '0' && *at <= '9'; ++at) {
      const auto digit = static_cast<unsigned>(*at - '0');
      if (digits < kDigits) {
        coefficient = coefficient * 10 + digit;
        if (coefficient != 0) ++digits;
        if (fraction) --exponent;
      } else {
        if (cut) {
          sticky = sticky || digit != 0;
        } else {
          next = digit;
          cut = true;
        }
        if (!fraction) ++exponent;
      }
    }
    return at != from;
  };
  if (!run(false)) return std::nullopt;
  if (at != end && *at == '.') {
    ++at;
    if (!run(true)) return std::nullopt;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    bool minus = false;
    if (at != end && (*at == '+' || *at == '-')) minus = *at++ == '-';
    if (at == end) return std::nullopt;
    long value = 0;
    for (; at != end && *at >= '0' && *at <= '9'; ++at) value = std::min(value * 10 + (*at - '0'), 1'000'000'000L);
    exponent += minus ? -value : value;
  }
  if (at != end) return std::nullopt;
  if (!cut) return finish(negative, Wide(coefficient), exponent);
  const bool up = next > 5 || (next == 5 && (sticky || (coefficient & 1U) != 0));
  return finish(negative, Wide(coefficient + (up ? 1 : 0)), exponent);
}

std::optional<Decimal> Decimal::from_double(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  char text[40];
  const auto written = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  return parse({text, static_cast<std::size_t>(written.ptr - text)});
}

bool Decimal::is_whole() const {
  if (exponent_ >= 0 || coefficient_ == 0) return true;
  return -exponent_ < kDigits && coefficient_ % power_of_ten(-exponent_) == 0;
}

std::optional<std::int64_t> Decimal::to_int64() const {
  if (coefficient_ == 0) return 0;
  if (!is_whole() || magnitude() > 18) return std::nullopt;
  const Uint128 value =
      exponent_ >= 0 ? coefficient_ * power_of_ten(exponent_) : coefficient_ / power_of_ten(-exponent_);
  const auto limit = static_cast<Uint128>(std::numeric_limits<std::int64_t>::max());
  if (value > limit + (negative_ ? 1 : 0)) return std::nullopt;
  const auto bits = static_cast<std::uint64_t>(value);
  return static_cast<std::int64_t>(negative_ ? ~bits + 1 : bits);
}

double Decimal::to_double() const {
  char text[kMaxText];
  const std::size_t size = to_text(text);
  double value = 0;
  const auto read = std::from_chars(text, text + size, value);
  if (read.ec == std::errc::result_out_of_range) {
    value = magnitude() > 0 ? std::numeric_limits<double>::infinity() : 0.0;
    return negative_ ? -value : value;
  }
  return value;
}

int Decimal::magnitude() const {
  return coefficient_ == 0 ? 0 : exponent_ + digit_count(coefficient_) - 1;
}

std::optional<Decimal> Decimal::plus(const Decimal& other) const {
  // A zero far apart in scale is nothing to align; a near one still widens the result, as 1 + 0.0 is 1.0.
  const bool far = std::abs(exponent_ - other.exponent_) > kDigits;
  if (coefficient_ == 0 && (far || other.coefficient_ == 0)) return other;
  if (other.coefficient_ == 0 && far) return *this;
  const Decimal& big = exponent_ >= other.exponent_ ? *this : other;
  const Decimal& small = exponent_ >= other.exponent_ ? other : *this;
  const int apart = big.exponent_ - small.exponent_;
  const int shift = std::min(apart, kMaxShift);
  Uint128 tail = small.coefficient_;
  if (apart > kMaxShift) {
    // What the smaller number has below the 38 places that fit can only decide a rounding: one digit, not zero, stands
    // for it.
    const int cut = apart - kMaxShift;
    const bool all = cut > kMaxShift;
    const bool sticky = all || tail % power_of_ten(cut) != 0;
    tail = (all ? 0 : tail / power_of_ten(cut)) * 10 + (sticky ? 1 : 0);
  }
  Wide low(tail);
  Wide high = Wide::product(big.coefficient_, power_of_ten(shift));
  long exponent = big.exponent_ - shift;
  if (apart > kMaxShift) {
    high.multiply_by_ten();
    --exponent;
  }
  if (big.negative_ == small.negative_) {
    high.add(low);
    return finish(big.negative_, high, exponent);
  }
  const int order = high.compare(low);
  if (order == 0) return Decimal(false, 0, static_cast<int>(std::clamp<long>(exponent, kLowestExponent, 0)));
  if (order > 0) {
    high.subtract(low);
    return finish(big.negative_, high, exponent);
  }
  low.subtract(high);
  return finish(small.negative_, low, exponent);
}

std::optional<Decimal> Decimal::times(const Decimal& other) const {
  return finish(negative_ != other.negative_, Wide::product(coefficient_, other.coefficient_),
                static_cast<long>(exponent_) + other.exponent_);
}

std::optional<Decimal> Decimal::divided_by(const Decimal& other) const {
  if (other.coefficient_ == 0) return std::nullopt;
  if (coefficient_ == 0) return Decimal();
  // Long division in base ten: the remainder stays below 10^34, so ten times it still fits in 128 bits.
  Uint128 quotient = coefficient_ / other.coefficient_;
  Uint128 remainder = coefficient_ % other.coefficient_;
  long exponent = static_cast<long>(exponent_) - other.exponent_;
  while (remainder != 0 && quotient < power_of_ten(kDigits + 1)) {
    remainder *= 10;
    quotient = quotient * 10 + remainder / other.coefficient_;
    remainder %= other.coefficient_;
    --exponent;
  }
  if (remainder != 0 && quotient % 5 == 0) ++quotient;  // breaks the tie towards the true value
  auto result = finish(negative_ != other.negative_, Wide(quotient), exponent);
  if (result && result->exponent_ < 0) return result->stripped();
  return result;
}

std::optional<Decimal> Decimal::remainder(const Decimal& other) const {
  if (other.coefficient_ == 0) return std::nullopt;
  if (coefficient_ == 0) return Decimal();
  if (magnitude() - other.magnitude() >= kDigits) return std::nullopt;
  // coefficient * 10^(e1 - e2) mod divisor, one digit at a time so that nothing leaves 128 bits.
  if (exponent_ >= other.exponent_) {
    Uint128 rest = coefficient_ % other.coefficient_;
    for (int i = exponent_ - other.exponent_; i > 0 && rest != 0; --i) rest = rest * 10 % other.coefficient_;
    return Decimal(negative_, rest, other.exponent_);
  }
  const int shift = other.exponent_ - exponent_;
  if (digit_count(other.coefficient_) + shift > 38) return *this;  // the divisor is larger than the dividend
  return Decimal(negative_, coefficient_ % (other.coefficient_ * power_of_ten(shift)), exponent_);
}

Decimal Decimal::rounded(Rounding rounding, int places) const {
  const int cut = -exponent_ - places;  // digits to drop
  if (cut <= 0 || coefficient_ == 0) return *this;
  Uint128 kept = 0;
  Uint128 dropped = coefficient_;
  Uint128 half = 0;  // zero: everything dropped is below a half
  if (cut <= 38) {
    const Uint128 unit = power_of_ten(cut);
    kept = coefficient_ / unit;
    dropped = coefficient_ % unit;
    half = unit / 2;
  }
  bool up = false;
  switch (rounding) {
    case Rounding::floor:
      up = negative_ && dropped != 0;
      break;
    case Rounding::ceiling:
      up = !negative_ && dropped != 0;
      break;
    case Rounding::truncate:
      break;
    case Rounding::half_up:
      up = half != 0 && dropped >= half;
      break;
  }
  return {negative_, kept + (up ? 1 : 0), -places};
}

Decimal Decimal::as_integer() const {
  if (exponent_ == 0 || coefficient_ == 0) return {negative_, coefficient_, 0};
  return {negative_, exponent_ > 0 ? coefficient_ * power_of_ten(exponent_) : coefficient_ / power_of_ten(-exponent_),
          0};
}

Decimal Decimal::stripped() const {
  Uint128 coefficient = coefficient_;
  int exponent = exponent_;
  if (coefficient == 0) return {};
  while (exponent < 0 && coefficient % 10 == 0) {
    coefficient /= 10;
    ++exponent;
  }
  return {negative_, coefficient, exponent};
}

std::strong_ordering Decimal::compare(const Decimal& other) const {
  if (coefficient_ == 0 || other.coefficient_ == 0 || negative_ != other.negative_) {
    const int mine = coefficient_ == 0 ? 0 : (negative_ ? -1 : 1);
    const int theirs = other.coefficient_ == 0 ? 0 : (other.negative_ ? -1 : 1);
    return mine <=> theirs;
  }
  std::strong_ordering order = magnitude() <=> other.magnitude();
  if (order == std::strong_ordering::equal) {
    // Same magnitude: the exponents differ by at most 33, so both align within 68 digits.
    const int shift = exponent_ - other.exponent_;
    const Wide mine = Wide::product(coefficient_, power_of_ten(std::max(shift, 0)));
    const Wide theirs = Wide::product(other.coefficient_, power_of_ten(std::max(-shift, 0)));
    order = mine.compare(theirs) <=> 0;
  }
  if (!negative_) return order;
  return order == std::strong_ordering::less      ? std::strong_ordering::greater
         : order == std::strong_ordering::greater ? std::strong_ordering::less
                                                  : order;
}

std::size_t Decimal::to_text(char* to) const {
  char digits[40];
  std::size_t count = 0;
  Uint128 rest = coefficient_;
  do {
    digits[count++] = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  std::reverse(digits, digits + count);

  char* at = to;
  if (negative_) *at++ = '-';
  const int point = exponent_ + static_cast<int>(count);  // digits in front of the point
  if (exponent_ <= 0 && point > 0) {
    std::memcpy(at, digits, static_cast<std::size_t>(point));
    at += point;
    if (exponent_ < 0) {
      *at++ = '.';
      std::memcpy(at, digits + point, static_cast<std::size_t>(-exponent_));
      at += -exponent_;
    }
  } else if (exponent_ < 0 && point > -6) {
    *at++ = '0';
    *at++ = '.';
    for (int i = point; i < 0; ++i) *at++ = '0';
    std::memcpy(at, digits, count);
    at += count;
  } else if (exponent_ > 0 && point <= kDigits) {
    std::memcpy(at, digits, count);
    at += count;
    for (int i = 0; i < exponent_; ++i) *at++ = '0';
  } else {
    *at++ = digits[0];
    if (count > 1) {
      *at++ = '.';
      std::memcpy(at, digits + 1, count - 1);
      at += count - 1;
    }
    *at++ = 'E';
    if (point - 1 >= 0) *at++ = '+';
    at = std::to_chars(at, at + 8, point - 1).ptr;
  }
  return static_cast<std::size_t>(at - to);
}

}  // namespace millrace::sql

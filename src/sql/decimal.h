// Decimal: the numbers of the rule language, 34 significant digits, magnitude 1E-999 to 9.99...E999.
//
// value = (negative ? -1 : 1) * coefficient * 10^exponent, coefficient < 10^34. Results that do not fit in 34 digits
// are rounded half to even; smaller than 1E-999 becomes zero, larger than the maximum is no number (nullopt). Decimals
// are not normalised: 1.50 keeps its zero. Pure values, any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::sql {

__extension__ using Uint128 = unsigned __int128;

class Decimal {
 public:
  static constexpr int kDigits = 34;
  static constexpr int kMaxExponent = 999;     // of the most significant digit
  static constexpr std::size_t kMaxText = 48;  // characters that to_text() writes at most when scientific

  constexpr Decimal() = default;
  explicit Decimal(std::int64_t value);
  Decimal(bool negative, Uint128 coefficient, int exponent)
      : coefficient_(coefficient), exponent_(exponent), negative_(negative && coefficient != 0) {}

  /// Reads -?digits[.digits][(e|E)[+-]digits]; nullopt when it is not that, or too large.
  static std::optional<Decimal> parse(std::string_view text);
  /// The shortest decimal that reads back as `value`; nullopt for NaN and infinities.
  static std::optional<Decimal> from_double(double value);

  [[nodiscard]] bool negative() const { return negative_; }
  [[nodiscard]] bool is_zero() const { return coefficient_ == 0; }
  [[nodiscard]] bool is_whole() const;
  /// AWS's Int: whole, with at most 34 digits in front of the point.
  [[nodiscard]] bool is_integer() const { return is_whole() && magnitude() < kDigits; }
  /// The same number with exponent 0. Requires is_integer().
  [[nodiscard]] Decimal as_integer() const;
  [[nodiscard]] std::optional<std::int64_t> to_int64() const;  // when it is whole and fits
  [[nodiscard]] double to_double() const;
  /// Exponent of the most significant digit; 0 for zero.
  [[nodiscard]] int magnitude() const;

  [[nodiscard]] Decimal negated() const { return {!negative_, coefficient_, exponent_}; }
  [[nodiscard]] Decimal abs() const { return {false, coefficient_, exponent_}; }
  [[nodiscard]] std::optional<Decimal> plus(const Decimal& other) const;
  [[nodiscard]] std::optional<Decimal> minus(const Decimal& other) const { return plus(other.negated()); }
  [[nodiscard]] std::optional<Decimal> times(const Decimal& other) const;
  /// nullopt for a zero divisor too.
  [[nodiscard]] std::optional<Decimal> divided_by(const Decimal& other) const;
  /// Remainder with the sign of the dividend; nullopt for a zero divisor and for quotients beyond 34 digits.
  [[nodiscard]] std::optional<Decimal> remainder(const Decimal& other) const;

  enum class Rounding : std::uint8_t { floor, ceiling, truncate, half_up };  // half_up: halves away from zero
  /// Keeps `places` digits behind the point.
  [[nodiscard]] Decimal rounded(Rounding rounding, int places = 0) const;
  /// Without trailing zeros behind the point.
  [[nodiscard]] Decimal stripped() const;

  [[nodiscard]] std::strong_ordering compare(const Decimal& other) const;

  /// Plain digits where that is readable, else scientific ("1.5E+40"), as Java's BigDecimal prints. `to` has room for
  /// kMaxText.
  std::size_t to_text(char* to) const;

 private:
  Uint128 coefficient_ = 0;
  int exponent_ = 0;
  bool negative_ = false;
};

}  // namespace millrace::sql

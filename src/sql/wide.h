// 256-bit unsigned intermediate results of Decimal: just what multiplying and aligning 34-digit coefficients needs.
#pragma once

#include <array>
#include <cstdint>

#include "sql/decimal.h"

namespace millrace::sql {

/// 10^n for n <= 38.
Uint128 power_of_ten(int n);
/// Decimal digits of `value`; 0 for zero.
int digit_count(Uint128 value);

class Wide {
 public:
  explicit Wide(Uint128 value)
      : limbs_{static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64U), 0, 0} {}
  static Wide product(Uint128 a, Uint128 b);

  [[nodiscard]] bool fits_128() const { return limbs_[2] == 0 && limbs_[3] == 0; }
  [[nodiscard]] Uint128 low() const { return static_cast<Uint128>(limbs_[1]) << 64U | limbs_[0]; }
  [[nodiscard]] int digits() const;
  [[nodiscard]] int compare(const Wide& other) const;
  void add(const Wide& other);
  void multiply_by_ten();
  void subtract(const Wide& other);  // requires *this >= other
  /// Divides by 10^n (n <= 19); returns the remainder.
  std::uint64_t divide_by_ten_to(int n);

 private:
  std::array<std::uint64_t, 4> limbs_;
};

}  // namespace millrace::sql

#include "sql/wide.h"

namespace millrace::sql {

namespace {

constexpr std::array<Uint128, 39> make_powers() {
  std::array<Uint128, 39> powers{};
  Uint128 power = 1;
  for (auto& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}
constexpr std::array<Uint128, 39> kPowers = make_powers();

}  // namespace

Uint128 power_of_ten(int n) {
  return kPowers[static_cast<std::size_t>(n)];
}

int digit_count(Uint128 value) {
  int count = 0;
  while (count < 39 && value >= kPowers[static_cast<std::size_t>(count)]) ++count;
  return count;
}

Wide Wide::product(Uint128 a, Uint128 b) {
  const std::array<std::uint64_t, 2> x{static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(a >> 64U)};
  const std::array<std::uint64_t, 2> y{static_cast<std::uint64_t>(b), static_cast<std::uint64_t>(b >> 64U)};
  Wide result(0);
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < 2; ++j) {
      const Uint128 sum = static_cast<Uint128>(x[i]) * y[j] + result.limbs_[i + j] + carry;
      result.limbs_[i + j] = static_cast<std::uint64_t>(sum);
      carry = static_cast<std::uint64_t>(sum >> 64U);
    }
    result.limbs_[i + 2] = carry;
  }
  return result;
}

int Wide::digits() const {
  Wide rest = *this;
  int count = 0;
  while (!rest.fits_128()) {
    rest.divide_by_ten_to(19);
    count += 19;
  }
  return count + digit_count(rest.low());
}

int Wide::compare(const Wide& other) const {
  for (std::size_t i = 4; i-- > 0;) {
    if (limbs_[i] != other.limbs_[i]) return limbs_[i] < other.limbs_[i] ? -1 : 1;
  }
  return 0;
}

void Wide::add(const Wide& other) {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const Uint128 sum = static_cast<Uint128>(limbs_[i]) + other.limbs_[i] + carry;
    limbs_[i] = static_cast<std::uint64_t>(sum);
    carry = static_cast<std::uint64_t>(sum >> 64U);
  }
}

void Wide::multiply_by_ten() {
  std::uint64_t carry = 0;
  for (std::uint64_t& limb : limbs_) {
    const Uint128 product = static_cast<Uint128>(limb) * 10 + carry;
    limb = static_cast<std::uint64_t>(product);
    carry = static_cast<std::uint64_t>(product >> 64U);
  }
}

void Wide::subtract(const Wide& other) {
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const Uint128 take = static_cast<Uint128>(other.limbs_[i]) + borrow;
    borrow = limbs_[i] < take ? 1 : 0;
    limbs_[i] = static_cast<std::uint64_t>(limbs_[i] - take);
  }
}

std::uint64_t Wide::divide_by_ten_to(int n) {
  const auto divisor = static_cast<std::uint64_t>(power_of_ten(n));
  Uint128 remainder = 0;
  for (std::size_t i = 4; i-- > 0;) {
    const Uint128 part = remainder << 64U | limbs_[i];
    limbs_[i] = static_cast<std::uint64_t>(part / divisor);
    remainder = part % divisor;
  }
  return static_cast<std::uint64_t>(remainder);
}

}  // namespace millrace::sql

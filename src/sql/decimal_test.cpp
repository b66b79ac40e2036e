#include "sql/decimal.h"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"

namespace millrace::sql {
namespace {

std::string text(const std::optional<Decimal>& value) {
  if (!value) return "none";
  char out[Decimal::kMaxText];
  return {out, value->to_text(out)};
}
Decimal of(std::string_view number) {
  return *Decimal::parse(number);
}

TEST(Decimal, ReadsAndPrints) {
  for (const char* same :
       {"0", "1", "-1", "1.50", "0.000001", "-0.1", "9007199254740993", "1234567890123456789012345678901234",
        "0.1234567890123456789012345678901234", "1E+40", "1.5E-40", "9.999E+999"}) {
    EXPECT_EQ(text(Decimal::parse(same)), same);
  }
  EXPECT_EQ(text(Decimal::parse("-0")), "0");
  EXPECT_EQ(text(Decimal::parse("1e3")), "1000");
  EXPECT_EQ(text(Decimal::parse("12.5e-1")), "1.25");
  EXPECT_EQ(text(Decimal::parse("0.0000001")), "1E-7");
  EXPECT_EQ(text(Decimal::parse("007")), "7");
  EXPECT_EQ(text(Decimal::parse("1E1000")), "none");
  EXPECT_EQ(text(Decimal::parse("1E-1000")), "0");
  EXPECT_EQ(text(Decimal::parse("1E99999999999999999999")), "none");
  for (const char* wrong : {"", "-", ".", "1.", ".5", "1e", "1e+", "x", "1x", "--1", "1.2.3", " 1"}) {
    EXPECT_EQ(text(Decimal::parse(wrong)), "none") << wrong;
  }
}

TEST(Decimal, RoundsToThirtyFourDigitsHalfToEven) {
  EXPECT_EQ(text(Decimal::parse("12345678901234567890123456789012345")), "1.234567890123456789012345678901234E+34");
  EXPECT_EQ(text(Decimal::parse("12345678901234567890123456789012355")), "1.234567890123456789012345678901236E+34");
  EXPECT_EQ(text(Decimal::parse("12345678901234567890123456789012345.0001")),
            "1.234567890123456789012345678901235E+34");
  EXPECT_EQ(text(Decimal::parse("99999999999999999999999999999999999")), "1.000000000000000000000000000000000E+35");
}

TEST(Decimal, Arithmetic) {
  EXPECT_EQ(text(of("0.1").plus(of("0.2"))), "0.3");
  EXPECT_EQ(text(of("1").minus(of("1.0"))), "0.0");
  EXPECT_EQ(text(of("1E+50").plus(of("1"))), "1.000000000000000000000000000000000E+50");
  EXPECT_EQ(text(of("1E+50").minus(of("1"))), "1.000000000000000000000000000000000E+50");
  EXPECT_EQ(text(of("9999999999999999999999999999999999").plus(of("1"))), "1.000000000000000000000000000000000E+34");
  EXPECT_EQ(text(of("1.5").times(of("-2"))), "-3.0");
  EXPECT_EQ(text(of("9999999999999999999999999999999999").times(of("9999999999999999999999999999999999"))),
            "9.999999999999999999999999999999998E+67");
  EXPECT_EQ(text(of("1E+600").times(of("1E+600"))), "none");
  EXPECT_EQ(text(of("1E-600").times(of("1E-600"))), "0");
  EXPECT_EQ(text(of("215").divided_by(of("9"))), "23.88888888888888888888888888888889");
  EXPECT_EQ(text(of("1").divided_by(of("3"))), "0.3333333333333333333333333333333333");
  EXPECT_EQ(text(of("6").divided_by(of("-4"))), "-1.5");
  EXPECT_EQ(text(of("100").divided_by(of("0.5"))), "200");
  EXPECT_EQ(text(of("1").divided_by(of("0"))), "none");
  EXPECT_EQ(text(of("8").remainder(of("3"))), "2");
  EXPECT_EQ(text(of("-8.5").remainder(of("3"))), "-2.5");
  EXPECT_EQ(text(of("1E+30").remainder(of("7"))), "1");
  EXPECT_EQ(text(of("1").remainder(of("1E+300"))), "1");
  EXPECT_EQ(text(of("1").remainder(of("0"))), "none");
}

TEST(Decimal, Rounding) {
  using R = Decimal::Rounding;
  EXPECT_EQ(text(of("-1.5").rounded(R::half_up)), "-2");
  EXPECT_EQ(text(of("1.5").rounded(R::half_up)), "2");
  EXPECT_EQ(text(of("1.4999").rounded(R::half_up)), "1");
  EXPECT_EQ(text(of("-1.2").rounded(R::floor)), "-2");
  EXPECT_EQ(text(of("-1.2").rounded(R::ceiling)), "-1");
  EXPECT_EQ(text(of("1.2").rounded(R::ceiling)), "2");
  EXPECT_EQ(text(of("-1E-500").rounded(R::floor)), "-1");
  EXPECT_EQ(text(of("2.3129").rounded(R::truncate, 2)), "2.31");
  EXPECT_EQ(text(of("0.5").rounded(R::half_up)), "1");
  EXPECT_EQ(text(of("1E+20").rounded(R::floor)), "100000000000000000000");
}

TEST(Decimal, Comparison) {
  EXPECT_TRUE(of("1.0").compare(of("1")) == 0);
  EXPECT_TRUE(of("-1").compare(of("0.0")) < 0);
  EXPECT_TRUE(of("1E+100").compare(of("9999999999999999999999999999999999")) > 0);
  EXPECT_TRUE(of("-1E+100").compare(of("-5")) < 0);
  EXPECT_TRUE(of("0.10").compare(of("0.1")) == 0);
  EXPECT_TRUE(of("1E-900").compare(of("1E-901")) > 0);
}

TEST(Decimal, Conversions) {
  EXPECT_EQ(Decimal(INT64_MIN).to_int64(), INT64_MIN);
  EXPECT_EQ(of("-9223372036854775808").to_int64(), INT64_MIN);
  EXPECT_EQ(of("9223372036854775808").to_int64(), std::nullopt);
  EXPECT_EQ(of("1.50E+1").to_int64(), 15);
  EXPECT_EQ(of("1.5").to_int64(), std::nullopt);
  EXPECT_EQ(text(Decimal::from_double(0.1)), "0.1");
  EXPECT_EQ(text(Decimal::from_double(1e300 * 1e300)), "none");
  EXPECT_DOUBLE_EQ(of("2.5E-3").to_double(), 0.0025);
}

// Sums and products of numbers that fit in 64 bits, against the machine's own arithmetic.
TEST(Decimal, AgreesWithIntegers) {
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto a = static_cast<std::int64_t>(rng()) >> (rng.below(62) + 2);
    const auto b = static_cast<std::int64_t>(rng()) >> (rng.below(62) + 2);
    __extension__ using Int128 = __int128;
    EXPECT_EQ(Decimal(a).plus(Decimal(b))->to_int64(), a + b);
    EXPECT_EQ(Decimal(a).minus(Decimal(b))->to_int64(), a - b);
    const Int128 product = static_cast<Int128>(a) * b;
    if (product >= INT64_MIN && product <= INT64_MAX) {
      EXPECT_EQ(Decimal(a).times(Decimal(b))->to_int64(), static_cast<std::int64_t>(product));
    }
    if (b != 0) {
      EXPECT_EQ(Decimal(a).remainder(Decimal(b))->to_int64(), a % b);
      EXPECT_EQ(Decimal(a).divided_by(Decimal(b))->rounded(Decimal::Rounding::truncate).to_int64(), a / b)
          << a << "/" << b;
    }
    EXPECT_EQ(Decimal(a).compare(Decimal(b)), a <=> b);
  }
}

}  // namespace
}  // namespace millrace::sql

// Functions of numbers. Numeric strings convert; any other type makes the result Undefined. Exact ones compute in 34
// digits, transcendental ones in double precision, as AWS documents; results that are no real number are Undefined.
#include <array>
#include <bit>
#include <cmath>

#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/operators.h"

namespace millrace::sql {

namespace {

using Rounding = Decimal::Rounding;

std::optional<Decimal> decimal_of(const Evaluation& evaluation, const Value& value) {
  const auto number = to_number(evaluation, value);
  return number ? std::optional(number->as_decimal()) : std::nullopt;
}

template <Rounding kRounding>
Value round_to(Evaluation& evaluation, const Call& call) {
  const auto x = decimal_of(evaluation, call.arguments[0]);
  return x ? number_value(evaluation, x->rounded(kRounding), true) : Value();
}

Value abs(Evaluation& evaluation, const Call& call) {
  const auto x = to_number(evaluation, call.arguments[0]);
  return x ? number_value(evaluation, x->as_decimal().abs(), x->integral) : Value();
}

Value sign(Evaluation& evaluation, const Call& call) {
  const auto x = decimal_of(evaluation, call.arguments[0]);
  if (!x) return {};
  return Value::integer(x->is_zero() ? 0 : x->negative() ? -1 : 1);
}

Value trunc(Evaluation& evaluation, const Call& call) {
  const auto x = decimal_of(evaluation, call.arguments[0]);
  const auto places = decimal_of(evaluation, call.arguments[1]);
  if (!x || !places) return {};
  constexpr std::int64_t kMost = Decimal::kDigits;
  const auto whole = places->rounded(Rounding::truncate);
  const std::int64_t count = whole.negative() ? 0 : std::min(whole.to_int64().value_or(kMost), kMost);
  return number_value(evaluation, x->rounded(Rounding::truncate, static_cast<int>(count)).stripped());
}

Value mod(Evaluation& evaluation, const Call& call) {
  return arithmetic(evaluation, Operator::modulo, call.arguments[0], call.arguments[1], false);
}

/// Doubles print as Java prints them: under 2015-10-08 whole ones keep their .0.
Value double_value(Evaluation& evaluation, double value) {
  const auto decimal = Decimal::from_double(value);
  if (!decimal) return {};
  if (evaluation.version == Version::v2015_10_08 && decimal->is_whole() && decimal->magnitude() < 15) {
    return Value::decimal(evaluation.arena(), *decimal->plus(Decimal(false, 0, -1)));
  }
  return number_value(evaluation, decimal);
}

template <double (*kFunction)(double)>
Value real(Evaluation& evaluation, const Call& call) {
  const auto x = decimal_of(evaluation, call.arguments[0]);
  return x ? double_value(evaluation, kFunction(x->to_double())) : Value();
}

template <double (*kFunction)(double, double)>
Value real2(Evaluation& evaluation, const Call& call) {
  const auto x = decimal_of(evaluation, call.arguments[0]);
  const auto y = decimal_of(evaluation, call.arguments[1]);
  return x && y ? double_value(evaluation, kFunction(x->to_double(), y->to_double())) : Value();
}

Value rand(Evaluation& evaluation, const Call& /*call*/) {
  return double_value(evaluation, static_cast<double>(evaluation.rng()() >> 11U) * 0x1.0p-53);
}

std::optional<std::int64_t> bits_of(const Evaluation& evaluation, const Value& value) {
  const auto x = decimal_of(evaluation, value);
  return x ? x->rounded(Rounding::floor).to_int64() : std::nullopt;
}

template <class Operation>
Value bitwise(Evaluation& evaluation, const Call& call, Operation operation) {
  const auto a = bits_of(evaluation, call.arguments[0]);
  const auto b = bits_of(evaluation, call.arguments.back());
  if (!a || !b) return {};
  return Value::integer(
      std::bit_cast<std::int64_t>(operation(std::bit_cast<std::uint64_t>(*a), std::bit_cast<std::uint64_t>(*b))));
}
Value bitand_of(Evaluation& evaluation, const Call& call) {
  return bitwise(evaluation, call, [](std::uint64_t a, std::uint64_t b) { return a & b; });
}
Value bitor_of(Evaluation& evaluation, const Call& call) {
  return bitwise(evaluation, call, [](std::uint64_t a, std::uint64_t b) { return a | b; });
}
Value bitxor_of(Evaluation& evaluation, const Call& call) {
  return bitwise(evaluation, call, [](std::uint64_t a, std::uint64_t b) { return a ^ b; });
}
Value bitnot_of(Evaluation& evaluation, const Call& call) {
  return bitwise(evaluation, call, [](std::uint64_t a, std::uint64_t /*same*/) { return ~a; });
}

constexpr Function one(std::string_view name, Value (*call)(Evaluation&, const Call&)) {
  return {.name = name, .min_arguments = 1, .max_arguments = 1, .call = call};
}
constexpr Function two(std::string_view name, Value (*call)(Evaluation&, const Call&)) {
  return {.name = name, .min_arguments = 2, .max_arguments = 2, .call = call};
}

constexpr std::array kFunctions = {
    one("abs", abs),
    one("ceil", round_to<Rounding::ceiling>),
    one("floor", round_to<Rounding::floor>),
    one("round", round_to<Rounding::half_up>),
    one("sign", sign),
    two("trunc", trunc),
    two("mod", mod),
    two("remainder", mod),
    one("sqrt", real<std::sqrt>),
    two("power", real2<std::pow>),
    one("exp", real<std::exp>),
    one("ln", real<std::log>),
    one("log", real<std::log10>),
    one("sin", real<std::sin>),
    one("cos", real<std::cos>),
    one("tan", real<std::tan>),
    one("asin", real<std::asin>),
    one("acos", real<std::acos>),
    one("atan", real<std::atan>),
    two("atan2", real2<std::atan2>),
    one("sinh", real<std::sinh>),
    one("cosh", real<std::cosh>),
    one("tanh", real<std::tanh>),
    Function{.name = "rand", .call = rand},
    two("bitand", bitand_of),
    two("bitor", bitor_of),
    two("bitxor", bitxor_of),
    one("bitnot", bitnot_of),
};

}  // namespace

std::span<const Function> number_functions() {
  return kFunctions;
}

}  // namespace millrace::sql

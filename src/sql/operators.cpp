#include "sql/operators.h"

#include <algorithm>
#include <charconv>
#include <new>
#include <span>

#include "sql/lexer.h"

namespace millrace::sql {

namespace {

/// A number spelled with escapes (\u0031) is still a number, but not a longer one than this.
constexpr std::size_t kMostEscaped = 256;

std::optional<Number> parse_number(const Evaluation& evaluation, std::string_view text) {
  Number out;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out.integer);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size()) {
    out.small = out.integral = true;
    return out;
  }
  const auto decimal = Decimal::parse(text);
  if (!decimal) return std::nullopt;
  out.decimal = *decimal;
  const bool written_whole = text.find_first_of(".eE") == std::string_view::npos;
  const bool whole = decimal->is_integer();
  out.integral = evaluation.version == Version::v2015_10_08 ? whole && written_whole : whole;
  if (!out.integral) return out;
  if (const auto small = decimal->to_int64()) {
    out.small = true;
    out.integer = *small;
  } else {
    out.decimal = decimal->as_integer();
  }
  return out;
}

/// The strings that convert: JSON's numbers, but leading zeros are allowed and a plus in the exponent is not.
bool is_number_text(std::string_view text) {
  if (text.empty()) return false;
  const char first = text.front() == '-' ? (text.size() > 1 ? text[1] : '\0') : text.front();
  return first >= '0' && first <= '9' && text.find('+') == std::string_view::npos;
}

std::optional<std::int64_t> integer_result(Operator op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  switch (op) {
    case Operator::add:
      return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Operator::subtract:
      return __builtin_sub_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Operator::multiply:
      return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Operator::divide:
      return b == 0 || b == -1 || a % b != 0 ? std::nullopt : std::optional(a / b);
    case Operator::modulo:
      return b == 0 || b == -1 ? std::nullopt : std::optional(a % b);
    default:
      return std::nullopt;
  }
}

struct PlacedMember {
  std::string_view name;
  std::size_t place;
  Value value;
};

/// The members of an object by name, each name once: of several the last counts. Undefined ones are no members.
std::span<const PlacedMember> sorted_members(Evaluation& evaluation, const Value& object) {
  Arena& arena = evaluation.arena();
  PlacedMember* members = nullptr;
  std::size_t count = 0;
  if (object.form() == Value::Form::built) {
    members = arena.array<PlacedMember>(object.count());
    for (; count < object.count(); ++count) {
      new (members + count) PlacedMember{object.members()[count].name, count, object.members()[count].value};
    }
  } else {
    const JsonDocument& document = object.document();
    const std::uint32_t end = document.node(object.node()).end;
    members = arena.array<PlacedMember>(end - object.node());
    for (std::uint32_t i = object.node() + 1; i < end; i = document.node(i).end) {
      const JsonNode& member = document.node(i);
      const std::string_view raw = document.key_of(member);
      const Value name = member.key_escaped ? Value::string_source(raw) : Value::string(raw);
      new (members + count) PlacedMember{name.characters(arena), count, Value::of(document, i)};
      ++count;
    }
  }
  std::sort(members, members + count, [](const PlacedMember& a, const PlacedMember& b) {
    return a.name != b.name ? a.name < b.name : a.place < b.place;
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool last = i + 1 == count || members[i + 1].name != members[i].name;
    if (last && !members[i].value.is_undefined()) members[kept++] = members[i];
  }
  return {members, kept};
}

bool equal_objects(Evaluation& evaluation, const Value& a, const Value& b) {
  if (!evaluation.spend(a.members_to_search() + b.members_to_search())) return false;
  const auto left = sorted_members(evaluation, a);
  const auto right = sorted_members(evaluation, b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](const PlacedMember& x, const PlacedMember& y) {
                      return x.name == y.name && equal_values(evaluation, x.value, y.value);
                    });
}

bool equal_arrays(Evaluation& evaluation, const Value& a, const Value& b) {
  ArrayItems left(a);
  ArrayItems right(b);
  while (true) {
    const auto x = left.next();
    const auto y = right.next();
    if (!x || !y) return !x && !y;
    if (x->is_undefined() != y->is_undefined()) return false;
    if (!x->is_undefined() && !equal_values(evaluation, *x, *y)) return false;
  }
}

}  // namespace

std::optional<Number> to_number(const Evaluation& evaluation, const Value& value) {
  if (value.is_number()) {
    Number out;
    switch (value.form()) {
      case Value::Form::integer:
        out.small = out.integral = true;
        out.integer = value.as_integer();
        return out;
      case Value::Form::source:
        return parse_number(evaluation, value.source());
      default:
        out.decimal = value.as_decimal();
        out.integral = evaluation.version == Version::v2016_03_23 && out.decimal.is_integer();
        return out;
    }
  }
  if (!value.is_string()) return std::nullopt;
  std::string_view text = value.source();
  char decoded[kMostEscaped];
  if (value.form() == Value::Form::source) {
    if (text.size() > kMostEscaped) return std::nullopt;
    text = {decoded, decode_json_string(text, decoded)};
  }
  return is_number_text(text) ? parse_number(evaluation, text) : std::nullopt;
}

Value number_value(Evaluation& evaluation, const std::optional<Decimal>& decimal, bool integral) {
  if (!decimal) return {};
  if (integral || evaluation.version == Version::v2016_03_23) {
    if (const auto small = decimal->to_int64()) return Value::integer(*small);
    if (decimal->is_integer()) return Value::decimal(evaluation.arena(), decimal->as_integer());
  }
  return Value::decimal(evaluation.arena(), *decimal);
}

std::optional<bool> to_boolean(Evaluation& evaluation, const Value& value) {
  if (value.type() == Value::Type::boolean) return value.as_boolean();
  if (!value.is_string()) return std::nullopt;
  const std::string_view text = value.characters(evaluation.arena());
  if (equals_ignoring_case(text, "true")) return true;
  if (equals_ignoring_case(text, "false")) return false;
  return std::nullopt;
}

Value arithmetic(Evaluation& evaluation, Operator op, const Value& a, const Value& b, bool integer_division) {
  if (op == Operator::add && (a.is_string() || b.is_string())) {
    const auto left = to_text(evaluation.arena(), a);
    const auto right = to_text(evaluation.arena(), b);
    if (!left || !right) return {};
    if (left->size() + right->size() > kMaxResult) return {};
    char* to = evaluation.arena().text(left->size() + right->size());
    left->copy(to, left->size());
    right->copy(to + left->size(), right->size());
    return Value::string({to, left->size() + right->size()});
  }
  const auto x = to_number(evaluation, a);
  const auto y = to_number(evaluation, b);
  if (!x || !y) return {};
  const bool integral = x->integral && y->integral;
  if (x->small && y->small) {
    if (const auto quick = integer_result(op, x->integer, y->integer)) return Value::integer(*quick);
  }
  const Decimal left = x->as_decimal();
  const Decimal right = y->as_decimal();
  switch (op) {
    case Operator::add:
      return number_value(evaluation, left.plus(right), integral);
    case Operator::subtract:
      return number_value(evaluation, left.minus(right), integral);
    case Operator::multiply:
      return number_value(evaluation, left.times(right), integral);
    case Operator::divide: {
      auto quotient = left.divided_by(right);
      if (quotient && integral && integer_division) quotient = quotient->rounded(Decimal::Rounding::truncate);
      return number_value(evaluation, quotient);
    }
    case Operator::modulo:
      return number_value(evaluation, left.remainder(right), integral);
    default:
      return {};
  }
}

bool equal_values(Evaluation& evaluation, const Value& a, const Value& b) {
  if (a.type() != b.type() || !evaluation.spend(1)) return false;
  switch (a.type()) {
    case Value::Type::undefined:
    case Value::Type::null:
      return true;
    case Value::Type::boolean:
      return a.as_boolean() == b.as_boolean();
    case Value::Type::string:
      return a.characters(evaluation.arena()) == b.characters(evaluation.arena());
    case Value::Type::number: {
      const auto x = to_number(evaluation, a);
      const auto y = to_number(evaluation, b);
      if (!x || !y) return false;
      if (x->small && y->small) return x->integer == y->integer;
      return x->as_decimal().compare(y->as_decimal()) == 0;
    }
    case Value::Type::array:
      return equal_arrays(evaluation, a, b);
    case Value::Type::object:
      return equal_objects(evaluation, a, b);
  }
  return false;
}

Value compare(Evaluation& evaluation, Operator op, const Value& a, const Value& b) {
  if (op == Operator::equal || op == Operator::not_equal) {
    if (a.is_undefined() || b.is_undefined()) return {};
    return Value::boolean(equal_values(evaluation, a, b) == (op == Operator::equal));
  }
  const auto x = to_number(evaluation, a);
  const auto y = to_number(evaluation, b);
  if (!x || !y) return {};
  const std::strong_ordering order =
      x->small && y->small ? x->integer <=> y->integer : x->as_decimal().compare(y->as_decimal());
  switch (op) {
    case Operator::less:
      return Value::boolean(order < 0);
    case Operator::less_equal:
      return Value::boolean(order <= 0);
    case Operator::greater:
      return Value::boolean(order > 0);
    default:
      return Value::boolean(order >= 0);
  }
}

}  // namespace millrace::sql

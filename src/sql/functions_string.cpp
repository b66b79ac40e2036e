// Functions of strings. Arguments of other types are taken by their text (numbers by their digits, objects by their
// JSON); Null and Undefined make the result Undefined. Positions count characters (Unicode code points) from 0.
#include <algorithm>
#include <array>
#include <cstring>

#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/operators.h"

namespace millrace::sql {

namespace {

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::int64_t character_count(std::string_view text) {
  return std::count_if(text.begin(), text.end(), starts_character);
}

/// Byte at which the character `index` starts; the size when there are fewer.
std::size_t byte_of_character(std::string_view text, std::int64_t index) {
  std::size_t at = 0;
  while (at < text.size() && index > 0) {
    ++at;
    while (at < text.size() && !starts_character(text[at])) ++at;
    --index;
  }
  return at;
}

std::optional<std::string_view> text_of(Evaluation& evaluation, const Value& value) {
  return to_text(evaluation.arena(), value);
}

/// Truncated, and held within `low` and `high` however large the number is.
std::optional<std::int64_t> clamped(const Evaluation& evaluation, const Value& value, std::int64_t low,
                                    std::int64_t high) {
  const auto number = to_number(evaluation, value);
  if (!number) return std::nullopt;
  const Decimal whole = number->as_decimal().rounded(Decimal::Rounding::truncate);
  const auto small = whole.to_int64();
  if (!small) return whole.negative() ? low : high;
  return std::clamp(*small, low, high);
}

template <char kFrom, char kTo>
Value shift_case(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  if (!text) return {};
  char* to = evaluation.arena().text(text->size());
  std::transform(text->begin(), text->end(), to,
                 [](char c) { return c >= kFrom && c <= kFrom + 25 ? static_cast<char>(c - kFrom + kTo) : c; });
  return Value::string({to, text->size()});
}

template <bool kLeft, bool kRight>
Value trim(Evaluation& evaluation, const Call& call) {
  auto text = text_of(evaluation, call.arguments[0]);
  if (!text) return {};
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (kLeft && !text->empty() && blank(text->front())) text->remove_prefix(1);
  while (kRight && !text->empty() && blank(text->back())) text->remove_suffix(1);
  return Value::string(*text);
}

/// The second argument is how many spaces are added, not the width that results.
template <bool kLeft>
Value pad(Evaluation& evaluation, const Call& call) {
  constexpr std::int64_t kMostSpaces = 1000;
  const auto text = text_of(evaluation, call.arguments[0]);
  const auto count = clamped(evaluation, call.arguments[1], 0, kMostSpaces);
  if (!text || !count) return {};
  const auto spaces = static_cast<std::size_t>(*count);
  char* to = evaluation.arena().text(text->size() + spaces);
  std::memset(to + (kLeft ? 0 : text->size()), ' ', spaces);
  text->copy(to + (kLeft ? spaces : 0), text->size());
  return Value::string({to, text->size() + spaces});
}

Value length(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  return text ? Value::integer(character_count(*text)) : Value();
}

Value numbytes(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  return text ? Value::integer(static_cast<std::int64_t>(text->size())) : Value();
}

Value startswith(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  const auto part = text_of(evaluation, call.arguments[1]);
  return text && part ? Value::boolean(text->starts_with(*part)) : Value();
}

Value endswith(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  const auto part = text_of(evaluation, call.arguments[1]);
  return text && part ? Value::boolean(text->ends_with(*part)) : Value();
}

/// std::string_view::find takes the product of both sizes at worst, this their sum.
std::size_t find_text(std::string_view text, std::string_view what, std::size_t from) {
  if (what.empty()) return from;
  if (what.size() > text.size() - from) return std::string_view::npos;
  const void* const found = ::memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

Value indexof(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  const auto part = text_of(evaluation, call.arguments[1]);
  if (!text || !part) return {};
  const std::size_t at = find_text(*text, *part, 0);
  return Value::integer(at == std::string_view::npos ? -1 : character_count(text->substr(0, at)));
}

Value substring(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  if (!text) return {};
  const auto most = static_cast<std::int64_t>(text->size());
  const auto from = clamped(evaluation, call.arguments[1], 0, most);
  const auto to = call.arguments.size() > 2 ? clamped(evaluation, call.arguments[2], 0, most) : std::optional(most);
  if (!from || !to) return {};
  if (*from >= *to) return Value::string("");
  const std::size_t begin = byte_of_character(*text, *from);
  return Value::string(text->substr(begin, byte_of_character(*text, *to) - begin));
}

Value replace(Evaluation& evaluation, const Call& call) {
  const auto text = text_of(evaluation, call.arguments[0]);
  const auto what = text_of(evaluation, call.arguments[1]);
  const auto with = text_of(evaluation, call.arguments[2]);
  if (!text || !what || !with) return {};
  if (what->empty()) return Value::string(*text);
  TextWriter out(evaluation.arena(), text->size() + with->size());
  std::size_t at = 0;
  for (std::size_t found = find_text(*text, *what, 0); found != std::string_view::npos;
       found = find_text(*text, *what, at)) {
    out.append(text->substr(at, found - at));
    out.append(*with);
    at = found + what->size();
    if (out.overflowed() || !evaluation.spend(1 + with->size() / Evaluation::kBytesPerStep)) return {};
  }
  out.append(text->substr(at));
  return Value::string(out.finish());
}

/// ASCII only.
Value chr(Evaluation& evaluation, const Call& call) {
  const auto number = to_number(evaluation, call.arguments[0]);
  if (!number) return {};
  const auto code = number->as_decimal().rounded(Decimal::Rounding::floor).to_int64();
  if (!code || *code < 0 || *code > 127) return {};
  char* to = evaluation.arena().text(1);
  *to = static_cast<char>(*code);
  return Value::string({to, 1});
}

Value concat_arrays(Evaluation& evaluation, const Call& call) {
  std::size_t count = 0;
  for (const Value& argument : call.arguments) {
    if (argument.is_undefined()) return {};
    if (argument.type() != Value::Type::array) {
      ++count;
      continue;
    }
    for (ArrayItems items(argument); items.next();) ++count;
  }
  if (!evaluation.spend(count)) return {};
  Value* all = evaluation.arena().array<Value>(count);
  std::size_t at = 0;
  for (const Value& argument : call.arguments) {
    if (argument.type() != Value::Type::array) {
      all[at++] = argument;
      continue;
    }
    ArrayItems items(argument);
    while (const auto item = items.next()) all[at++] = *item;
  }
  return Value::array(all, count);
}

Value concat(Evaluation& evaluation, const Call& call) {
  if (call.arguments.empty()) return {};
  if (call.arguments.size() == 1) return call.arguments[0];
  const bool arrays = std::any_of(call.arguments.begin(), call.arguments.end(),
                                  [](const Value& value) { return value.type() == Value::Type::array; });
  if (arrays) return concat_arrays(evaluation, call);
  auto* texts = evaluation.arena().array<std::string_view>(call.arguments.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const auto text = text_of(evaluation, call.arguments[i]);
    if (!text) return {};
    texts[i] = *text;
    size += text->size();
  }
  if (size > kMaxResult) return {};
  char* const begin = evaluation.arena().text(size);
  char* to = begin;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) to += texts[i].copy(to, texts[i].size());
  return Value::string({begin, size});
}

constexpr Version k2016 = Version::v2016_03_23;

constexpr std::array kFunctions = {
    Function{.name = "chr", .min_arguments = 1, .max_arguments = 1, .call = chr},
    Function{.name = "concat", .min_arguments = 0, .max_arguments = kAnyArguments, .call = concat},
    Function{.name = "endswith", .min_arguments = 2, .max_arguments = 2, .call = endswith},
    Function{.name = "startswith", .min_arguments = 2, .max_arguments = 2, .call = startswith},
    Function{.name = "indexof", .min_arguments = 2, .max_arguments = 2, .since = k2016, .call = indexof},
    Function{.name = "length", .min_arguments = 1, .max_arguments = 1, .since = k2016, .call = length},
    Function{.name = "numbytes", .min_arguments = 1, .max_arguments = 1, .since = k2016, .call = numbytes},
    Function{.name = "lower", .min_arguments = 1, .max_arguments = 1, .call = shift_case<'A', 'a'>},
    Function{.name = "upper", .min_arguments = 1, .max_arguments = 1, .call = shift_case<'a', 'A'>},
    Function{.name = "lpad", .min_arguments = 2, .max_arguments = 2, .call = pad<true>},
    Function{.name = "rpad", .min_arguments = 2, .max_arguments = 2, .call = pad<false>},
    Function{.name = "ltrim", .min_arguments = 1, .max_arguments = 1, .call = trim<true, false>},
    Function{.name = "rtrim", .min_arguments = 1, .max_arguments = 1, .call = trim<false, true>},
    Function{.name = "trim", .min_arguments = 1, .max_arguments = 1, .call = trim<true, true>},
    Function{.name = "replace", .min_arguments = 3, .max_arguments = 3, .call = replace},
    Function{.name = "substring", .min_arguments = 2, .max_arguments = 3, .call = substring},
};

}  // namespace

std::span<const Function> string_functions() {
  return kFunctions;
}

}  // namespace millrace::sql

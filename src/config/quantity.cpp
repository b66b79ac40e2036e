#include "config/quantity.h"

#include <charconv>
#include <span>

namespace millrace::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest first among those that format_*() may use.
constexpr Unit kSizes[] = {{"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}};
constexpr Unit kMoreSizes[] = {
    {"B", 1}, {"kB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000}};
constexpr Unit kTimes[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

std::optional<std::int64_t> parse(std::string_view text, std::span<const Unit> units, std::span<const Unit> more) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.empty()) return number;
  if (unit.front() == ' ') unit.remove_prefix(1);
  for (const auto list : {units, more}) {
    for (const Unit& candidate : list) {
      std::int64_t result = 0;
      if (candidate.name == unit && !__builtin_mul_overflow(number, candidate.factor, &result)) return result;
    }
  }
  return std::nullopt;
}

std::string format(std::int64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value > 0 && value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(value);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse(text, {}, {});
}
std::optional<std::int64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, kMoreSizes);
}
std::string format_size(std::int64_t bytes) {
  return format(bytes, kSizes);
}
std::optional<std::int64_t> parse_duration_ms(std::string_view text) {
  return parse(text, kTimes, {});
}
std::string format_duration_ms(std::int64_t milliseconds) {
  return format(milliseconds, kTimes);
}

}  // namespace millrace::config

#include "load/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "config/node.h"

namespace millrace::load {
namespace {

constexpr std::size_t kDocColumn = 28;
constexpr std::size_t kWidth = 110;

std::unexpected<Error> bad_value(std::string_view text, std::string wanted) {
  return fail(ErrorCode::invalid_argument, "bad value", fmt::format("'{}' is not {}", text, wanted));
}

Result<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return bad_value(text, "a number");
  return value;
}

/// Words of `text` in lines up to kWidth, all but the first indented to `column`.
std::string wrap(std::string_view text, std::size_t column) {
  std::string out;
  std::size_t at = column;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (at != column && at + word.size() > kWidth) {
      out += '\n' + std::string(column, ' ');
      at = column;
    }
    out += word;
    at += word.size() + 1;
    if (!text.empty()) out += ' ';
  }
  return out;
}

}  // namespace

Result<std::int64_t> parse_count(std::string_view text) {
  std::string_view digits = text;
  double factor = 1;
  if (digits.ends_with('k') || digits.ends_with('K')) factor = 1e3;
  if (digits.ends_with('M')) factor = 1e6;
  if (factor != 1) digits.remove_suffix(1);
  const Result<double> value = parse_real(digits);
  if (!value || *value * factor != std::floor(*value * factor) || std::abs(*value * factor) > 9e15) {
    return bad_value(text, "a whole number (300k and 2M are allowed)");
  }
  return static_cast<std::int64_t>(*value * factor);
}

Result<double> parse_seconds(std::string_view text) {
  struct Unit {
    std::string_view suffix;
    double factor;
  };
  constexpr Unit kUnits[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"", 1}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.suffix)) continue;
    const Result<double> value = parse_real(text.substr(0, text.size() - unit.suffix.size()));
    if (!value || *value < 0) break;
    return *value * unit.factor;
  }
  return bad_value(text, "a duration (5, 500ms, 2m)");
}

Result<void> parse_endpoint(std::string_view text, std::string& host, std::int64_t& port) {
  const std::size_t colon = text.rfind(':');
  std::string_view number = text;
  if (colon != std::string_view::npos) {
    std::string_view name = text.substr(0, colon);
    number = text.substr(colon + 1);
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
    if (!name.empty()) host = name;
  }
  const Result<std::int64_t> value = parse_count(number);
  if (!value || *value < 1 || *value > 65535) return bad_value(text, "HOST:PORT");
  port = *value;
  return {};
}

Result<void> parse_pids(std::string_view text, std::vector<int>& pids) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    MR_TRY_ASSIGN(const std::int64_t pid, parse_count(text.substr(0, end)));
    pids.push_back(static_cast<int>(pid));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

void Options::heading(std::string title) {
  rows_.push_back({"", "", std::move(title), "", {}});
}

void Options::count(std::string name, std::string value, std::string doc, std::int64_t& target, std::int64_t min,
                    std::int64_t max) {
  rows_.push_back({std::move(name), std::move(value), std::move(doc), std::to_string(target),
                   [&target, min, max](std::string_view text) -> Result<void> {
                     MR_TRY_ASSIGN(const std::int64_t number, parse_count(text));
                     if (number < min || number > max) {
                       return bad_value(text, max < 1'000'000'000 ? fmt::format("from {} to {}", min, max)
                                                                  : fmt::format("{} or more", min));
                     }
                     target = number;
                     return {};
                   }});
}

void Options::real(std::string name, std::string value, std::string doc, double& target, double min) {
  rows_.push_back({std::move(name), std::move(value), std::move(doc), fmt::format("{:g}", target),
                   [&target, min](std::string_view text) -> Result<void> {
                     const Result<std::int64_t> whole = parse_count(text);
                     if (whole) {
                       target = static_cast<double>(*whole);
                     } else {
                       MR_TRY_ASSIGN(target, parse_real(text));
                     }
                     if (target < min) return bad_value(text, fmt::format("{:g} or more", min));
                     return {};
                   }});
}

void Options::seconds(std::string name, std::string doc, double& target) {
  rows_.push_back({std::move(name), "S", std::move(doc), fmt::format("{:g}", target),
                   [&target](std::string_view text) -> Result<void> {
                     MR_TRY_ASSIGN(target, parse_seconds(text));
                     return {};
                   }});
}

void Options::text(std::string name, std::string value, std::string doc, std::string& target) {
  rows_.push_back(
      {std::move(name), std::move(value), std::move(doc), target, [&target](std::string_view given) -> Result<void> {
         target = given;
         return {};
       }});
}

void Options::flag(std::string name, std::string doc, bool& target) {
  rows_.push_back({std::move(name), "", std::move(doc), "", [&target](std::string_view) -> Result<void> {
                     target = true;
                     return {};
                   }});
}

void Options::each(std::string name, std::string value, std::string doc, Set set) {
  rows_.push_back({std::move(name), std::move(value), std::move(doc), "", std::move(set)});
}

void Options::positional(std::string value, std::string doc, std::vector<std::string>& target) {
  positional_ = {"positional", std::move(value), std::move(doc), "", [&target](std::string_view text) -> Result<void> {
                   target.emplace_back(text);
                   return {};
                 }};
}

const Options::Row* Options::find(std::string_view name) const {
  for (const Row& row : rows_) {
    if (!row.name.empty() && row.name == name) return &row;
  }
  return nullptr;
}

std::string Options::nearest(std::string_view name) const {
  std::vector<std::string> names;
  for (const Row& row : rows_) names.push_back(row.name);
  return config::nearest(name, names);
}

Result<bool> Options::parse(Args args) const {
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string_view name = args[i];
    if (name == "--help" || name == "-h") return false;
    if (!name.starts_with("--")) {
      if (!positional_.set) {
        return fail(ErrorCode::invalid_argument, "unexpected argument",
                    fmt::format("'{}'; --help lists the options", name));
      }
      MR_TRY(positional_.set(name));
      continue;
    }
    std::string_view value;
    const std::size_t equals = name.find('=');
    const bool joined = equals != std::string_view::npos;
    if (joined) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    const Row* row = find(name);
    if (row == nullptr) {
      const std::string near = nearest(name);
      return fail(ErrorCode::invalid_argument, "unknown option",
                  near.empty() ? fmt::format("{}; --help lists them all", name)
                               : fmt::format("{}; did you mean {}?", name, near));
    }
    if (row->value.empty() && joined)
      return fail(ErrorCode::invalid_argument, "this option takes no value", std::string(name));
    if (!row->value.empty() && !joined) {
      if (i + 1 == args.size()) {
        return fail(ErrorCode::invalid_argument, "an option needs a value", fmt::format("{} {}", name, row->value));
      }
      value = args[++i];
    }
    if (Result<void> done = row->set(value); !done) {
      return fail(ErrorCode::invalid_argument, done.error().context, fmt::format("{}: {}", name, done.error().detail));
    }
  }
  return true;
}

std::string Options::help() const {
  std::string out = fmt::format("{}\n\n  {}\n", usage_, wrap(summary_, 2));
  const auto line = [&out](std::string head, const Row& row) {
    if (head.size() + 2 > kDocColumn) {
      out += head + '\n' + std::string(kDocColumn, ' ');
    } else {
      out += fmt::format("{:<{}}", head, kDocColumn);
    }
    const bool show = !row.initial.empty() && !row.value.empty();
    out += wrap(show ? fmt::format("{} [{}]", row.doc, row.initial) : row.doc, kDocColumn) + '\n';
  };
  if (positional_.set) {
    out += '\n';
    line("  " + positional_.value, positional_);
  }
  for (const Row& row : rows_) {
    if (row.name.empty()) {
      out += fmt::format("\n{}\n", row.doc);
      continue;
    }
    line(row.value.empty() ? "  " + row.name : fmt::format("  {} {}", row.name, row.value), row);
  }
  if (!epilogue_.empty()) out += '\n' + epilogue_;
  return out;
}

}  // namespace millrace::load

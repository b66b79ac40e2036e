#include "app/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/node.h"

namespace millrace::app {

std::string Options::get(std::string_view name, std::string_view otherwise) const {
  const auto [first, last] = values.equal_range(name);
  return first == last ? std::string(otherwise) : std::prev(last)->second;
}

std::vector<std::string> Options::all(std::string_view name) const {
  std::vector<std::string> found;
  const auto [first, last] = values.equal_range(name);
  for (auto it = first; it != last; ++it) found.push_back(it->second);
  return found;
}

Result<Options> parse_options(Arguments arguments, std::span<const OptionRow> rows) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with("--")) {
      options.rest.emplace_back(argument);
      continue;
    }
    const auto equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    if (name == "--help") {
      options.values.emplace(name, "");
      continue;
    }
    const auto row = std::ranges::find(rows, name, &OptionRow::name);
    if (row == rows.end()) {
      std::vector<std::string> known;
      for (const OptionRow& candidate : rows) known.emplace_back(candidate.name);
      const std::string near = config::nearest(name, known);
      const std::string hint = near.empty() ? fmt::format("; there are {} and --help", fmt::join(known, ", "))
                                            : ", did you mean " + near + "?";
      return fail(ErrorCode::invalid_argument, "unknown option", std::string(name) + hint);
    }
    if (row->value.empty()) {
      if (equals != std::string_view::npos)
        return fail(ErrorCode::invalid_argument, "option takes no value", std::string(name));
      options.values.emplace(name, "");
    } else if (equals != std::string_view::npos) {
      options.values.emplace(name, argument.substr(equals + 1));
    } else if (i + 1 < arguments.size()) {
      options.values.emplace(name, arguments[++i]);
    } else {
      return fail(ErrorCode::invalid_argument, "option needs a value", fmt::format("{} {}", name, row->value));
    }
  }
  return options;
}

std::string help_lines(std::span<const OptionRow> rows) {
  std::string text;
  for (const OptionRow& row : rows) {
    text += fmt::format("  {:<26} {}\n", fmt::format("{} {}", row.name, row.value), row.summary);
  }
  return text;
}

}  // namespace millrace::app

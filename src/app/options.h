// Options: the arguments of one verb, split by a small table: --name VALUE, --name=VALUE, flags, and what is left over.
// An unknown option is an error that names the nearest known one.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/verb.h"
#include "base/result.h"

namespace millrace::app {

struct OptionRow {
  std::string_view name;   // with its dashes
  std::string_view value;  // what follows it in the help page; empty for a flag
  std::string_view summary;
};

struct Options {
  std::multimap<std::string, std::string, std::less<>> values;
  std::vector<std::string> rest;

  [[nodiscard]] bool has(std::string_view name) const { return values.contains(name); }
  /// The last one given, or `otherwise`.
  [[nodiscard]] std::string get(std::string_view name, std::string_view otherwise = {}) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
};

/// Error: invalid_argument with a sentence for people. "--help" is always known.
Result<Options> parse_options(Arguments arguments, std::span<const OptionRow> rows);

/// The rows as lines of a help page.
std::string help_lines(std::span<const OptionRow> rows);

}  // namespace millrace::app

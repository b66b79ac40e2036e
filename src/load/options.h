// Options: one row per command-line option; the rows drive parser, error texts and --help.
//
// `--name value` and `--name=value` are the same. Counts take k and M (300k), durations take ms, s, m and h (a plain
// number is seconds). An unknown option names its nearest neighbour. Thread: main, at start-up.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::load {

class Options {
 public:
  using Args = std::span<const std::string_view>;
  using Set = std::function<Result<void>(std::string_view)>;

  /// `usage`: "millrace bench mqtt [options]"; `summary`: the paragraph under it.
  Options(std::string usage, std::string summary) : usage_(std::move(usage)), summary_(std::move(summary)) {}

  void heading(std::string title);
  // Defaults shown by --help are the values the targets hold when they are added.
  void count(std::string name, std::string value, std::string doc, std::int64_t& target, std::int64_t min,
             std::int64_t max);
  void real(std::string name, std::string value, std::string doc, double& target, double min);
  void seconds(std::string name, std::string doc, double& target);
  void text(std::string name, std::string value, std::string doc, std::string& target);
  void flag(std::string name, std::string doc, bool& target);
  /// A value with its own parser; may be given several times.
  void each(std::string name, std::string value, std::string doc, Set set);
  void positional(std::string value, std::string doc, std::vector<std::string>& target);
  /// Text behind the rows (examples).
  void epilogue(std::string text) { epilogue_ = std::move(text); }

  /// True: run; false: --help was asked for. Error: invalid_argument, ready to print.
  Result<bool> parse(Args args) const;
  [[nodiscard]] std::string help() const;

 private:
  struct Row {
    std::string name;  // "" for a heading
    std::string value;
    std::string doc;
    std::string initial;
    Set set;
  };
  [[nodiscard]] const Row* find(std::string_view name) const;
  [[nodiscard]] std::string nearest(std::string_view name) const;

  std::string usage_;
  std::string summary_;
  std::string epilogue_;
  std::vector<Row> rows_;
  Row positional_;
};

/// "12", "300k", "2M", "1.5k" as a whole number. Error: invalid_argument.
Result<std::int64_t> parse_count(std::string_view text);
/// "5", "500ms", "2m", "1h" in seconds. Error: invalid_argument.
Result<double> parse_seconds(std::string_view text);
/// "host:port", "[::1]:1883", ":1883" or "1883"; what is missing stays as it was. Error: invalid_argument.
Result<void> parse_endpoint(std::string_view text, std::string& host, std::int64_t& port);

/// "12,34" appended to `pids`. Error: invalid_argument.
Result<void> parse_pids(std::string_view text, std::vector<int>& pids);

}  // namespace millrace::load

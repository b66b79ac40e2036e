// A strict reader of the Prometheus text format 0.0.4, for tests: anything that a scraper might refuse is an error, and
// so is what it would forgive (a family without HELP and TYPE, samples of one family apart, buckets that do not grow).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::metrics::testing {

struct ExposedSample {
  std::string name;  // with _bucket, _sum, _count
  std::map<std::string, std::string> labels;
  double value = 0;
};
struct ExposedFamily {
  std::string help;
  std::string type;
  std::vector<ExposedSample> samples;
};
using Exposition = std::map<std::string, ExposedFamily>;

/// Error: malformed, with the line's number and what was wrong.
Result<Exposition> parse_exposition(std::string_view text);
/// The value of the sample with exactly these labels; NaN when there is none.
double sample_value(const Exposition& exposition, std::string_view name,
                    const std::map<std::string, std::string>& labels = {});

}  // namespace millrace::metrics::testing

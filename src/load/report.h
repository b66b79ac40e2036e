// How results are shown: a table for people, one JSON object per line for scripts.
#pragma once

#include <string>
#include <string_view>

#include "load/histogram.h"
#include "load/process_use.h"

namespace millrace::load {

/// 1234567.8 -> "1,234,568".
[[nodiscard]] std::string with_commas(double value);
/// Nanoseconds with a unit that leaves three digits: "0.81 ms", "15.2 us", "1.02 s".
[[nodiscard]] std::string human_ns(std::uint64_t ns);
/// "p50 0.81 ms  p90 …  p99 …  p99.9 …  max …", or "nothing recorded".
[[nodiscard]] std::string percentiles(const Histogram& histogram);

/// Builds one flat JSON object. Names are literals; texts are escaped.
class JsonLine {
 public:
  void number(std::string_view name, double value);
  void text(std::string_view name, std::string_view value);
  /// name_p50_us, _p90_us, _p99_us, _p999_us, _max_us, _mean_us, name_count.
  void latency(std::string_view name, const Histogram& histogram);
  /// server_cpu_s, server_cores, server_rss_mib, server_rss_peak_mib, server_written_mb, cpu_s_per_million.
  void server(const ProcessUse& before, const ProcessUse& after, double seconds, double messages);
  [[nodiscard]] std::string finish();

 private:
  void name(std::string_view name);
  std::string out_ = "{";
};

/// `text` as a JSON string, quotes included.
[[nodiscard]] std::string json_quoted(std::string_view text);

/// "  server       0.98 core, 1.91 CPU-s per million messages (user …, system …), RSS 34.5 MiB (peak …), …"
[[nodiscard]] std::string server_line(const ProcessUse& before, const ProcessUse& after, double seconds,
                                      double messages, std::string_view unit);
/// "  generator    0.43 core" with a warning when it was the limit.
[[nodiscard]] std::string generator_line(double cores);

/// Prints an error the way every command of this module does: "millrace bench: what: which".
void print_error(std::string_view command, const Error& error);

}  // namespace millrace::load

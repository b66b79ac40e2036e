#include "load/report.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

namespace millrace::load {

std::string with_commas(double value) {
  std::string digits = fmt::format("{:.0f}", std::round(value));
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string human_ns(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (value < 1e3) return fmt::format("{} ns", ns);
  if (value < 1e5) return fmt::format("{:.1f} us", value / 1e3);
  if (value < 1e7) return fmt::format("{:.2f} ms", value / 1e6);
  if (value < 1e9) return fmt::format("{:.1f} ms", value / 1e6);
  return fmt::format("{:.2f} s", value / 1e9);
}

std::string percentiles(const Histogram& histogram) {
  if (histogram.count() == 0) return "nothing recorded";
  return fmt::format("p50 {}  p90 {}  p99 {}  p99.9 {}  max {}", human_ns(histogram.at_share(0.5)),
                     human_ns(histogram.at_share(0.9)), human_ns(histogram.at_share(0.99)),
                     human_ns(histogram.at_share(0.999)), human_ns(histogram.max()));
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void JsonLine::name(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  out_ += fmt::format("\"{}\":", name);
}

void JsonLine::number(std::string_view key, double value) {
  name(key);
  out_ += std::isfinite(value) ? fmt::format("{:.10g}", value) : "null";
}

void JsonLine::text(std::string_view key, std::string_view value) {
  name(key);
  out_ += json_quoted(value);
}

void JsonLine::latency(std::string_view key, const Histogram& histogram) {
  struct Point {
    std::string_view suffix;
    double share;
  };
  for (const Point point : {Point{"p50", 0.5}, Point{"p90", 0.9}, Point{"p99", 0.99}, Point{"p999", 0.999}}) {
    number(fmt::format("{}_{}_us", key, point.suffix), static_cast<double>(histogram.at_share(point.share)) / 1e3);
  }
  number(fmt::format("{}_max_us", key), static_cast<double>(histogram.max()) / 1e3);
  number(fmt::format("{}_mean_us", key), histogram.mean() / 1e3);
  number(fmt::format("{}_count", key), static_cast<double>(histogram.count()));
}

void JsonLine::server(const ProcessUse& before, const ProcessUse& after, double seconds, double messages) {
  const double cpu = after.cpu_seconds() - before.cpu_seconds();
  number("server_cpu_s", cpu);
  number("server_cores", cpu / seconds);
  number("cpu_s_per_million", messages > 0 ? cpu * 1e6 / messages : 0);
  number("server_rss_mib", after.rss_mib);
  number("server_rss_peak_mib", after.rss_peak_mib);
  number("server_written_mb", after.written_mb - before.written_mb);
}

std::string JsonLine::finish() {
  return std::move(out_) + "}";
}

std::string server_line(const ProcessUse& before, const ProcessUse& after, double seconds, double messages,
                        std::string_view unit) {
  const double cpu = after.cpu_seconds() - before.cpu_seconds();
  return fmt::format(
      "  server       {:.2f} core, {:.2f} CPU-s per million {} (user {:.2f} s, system {:.2f} s), RSS {:.1f} MiB (peak "
      "{:.1f}), "
      "{:.1f} MB written, {} threads\n",
      cpu / seconds, messages > 0 ? cpu * 1e6 / messages : 0.0, unit, after.user_seconds - before.user_seconds,
      after.system_seconds - before.system_seconds, after.rss_mib, after.rss_peak_mib,
      after.written_mb - before.written_mb, after.threads);
}

std::string generator_line(double cores) {
  return fmt::format("  generator    {:.2f} core{}\n", cores,
                     cores > 0.9 ? "  SATURATED: the server may be faster than this figure" : "");
}

void print_error(std::string_view command, const Error& error) {
  fmt::print(stderr, "millrace {}: {}{}{}\n", command, error.context, error.detail.empty() ? "" : ": ", error.detail);
}

}  // namespace millrace::load

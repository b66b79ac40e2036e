#include "metrics/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/assert.h"

namespace millrace::metrics {
namespace {

enum class Type { counter, gauge, histogram };

constexpr std::string_view kTypeNames[] = {"counter", "gauge", "histogram"};

bool valid_name(std::string_view name, bool colons) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [colons](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

/// Help text escapes backslash and line feed, label values the double quote as well.
void append_escaped(std::string& out, std::string_view text, bool quote) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quote) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string format_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix, const Labels& labels,
                   std::string_view bound, std::string_view value) {
  out += name;
  out += suffix;
  if (!labels.empty() || !bound.empty()) {
    out += '{';
    for (const auto& [key, text] : labels) {
      out += key;
      out += "=\"";
      append_escaped(out, text, true);
      out += "\",";
    }
    if (bound.empty()) {
      out.pop_back();
    } else {
      out += "le=\"";
      out += bound;
      out += '"';
    }
    out += '}';
  }
  out += ' ';
  out += value;
  out += '\n';
}

std::string format_seconds(std::uint64_t microseconds) {
  return format_value(static_cast<double>(microseconds) / 1e6);
}

void append_histogram(std::string& out, std::string_view name, const Labels& labels, const Histogram& histogram) {
  // Read once and add up, so that the buckets grow and +Inf equals the count even while others observe.
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    seen += histogram.bucket(i);
    append_sample(out, name, "_bucket", labels, format_seconds(Histogram::kBoundsUs[i]), fmt::format_int(seen).str());
  }
  seen += histogram.bucket(Histogram::kBuckets);
  append_sample(out, name, "_bucket", labels, "+Inf", fmt::format_int(seen).str());
  append_sample(out, name, "_sum", labels, "", format_seconds(histogram.sum_us()));
  append_sample(out, name, "_count", labels, "", fmt::format_int(seen).str());
}

template <class Metric>
struct Labelled {
  Labels labels;
  std::unique_ptr<Metric> metric;
};

struct Family {
  std::string help;
  Type type = Type::counter;
  std::vector<Labelled<Counter>> counters;
  std::vector<Labelled<Gauge>> gauges;
  std::vector<Labelled<Histogram>> histograms;
  std::vector<std::function<std::vector<Registry::Sample>()>> collectors;
};

using Families = std::map<std::string, Family, std::less<>>;

Family& family_of(Families& families, std::string_view name, std::string_view help, Type type) {
  MR_ASSERT(valid_name(name, true));
  const auto found = families.find(name);
  if (found != families.end()) {
    MR_ASSERT(found->second.type == type);
    return found->second;
  }
  Family& family = families[std::string(name)];
  family.help = help;
  family.type = type;
  return family;
}

template <class Metric>
Metric& metric_of(std::vector<Labelled<Metric>>& list, Labels labels) {
  for (const auto& [name, value] : labels) MR_ASSERT(valid_name(name, false) && name != "le");
  std::sort(labels.begin(), labels.end());
  for (auto& entry : list) {
    if (entry.labels == labels) return *entry.metric;
  }
  list.push_back({std::move(labels), std::make_unique<Metric>()});
  return *list.back().metric;
}

}  // namespace

const std::uint64_t Histogram::kBoundsUs[kBuckets] = {50,      100,       200,       500,       1'000,      2'000,
                                                      5'000,   10'000,    20'000,    50'000,    100'000,    200'000,
                                                      500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000, 30'000'000};

void Histogram::observe_us(std::uint64_t microseconds) {
  const auto* end = kBoundsUs + kBuckets;
  const auto index = static_cast<std::size_t>(std::lower_bound(kBoundsUs, end, microseconds) - kBoundsUs);
  buckets_[index].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(microseconds, std::memory_order_relaxed);
}

struct Registry::Impl {
  Guarded<Families> families;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  return impl_->families.with([&](Families& families) -> Counter& {
    return metric_of(family_of(families, name, help, Type::counter).counters, std::move(labels));
  });
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  return impl_->families.with([&](Families& families) -> Gauge& {
    return metric_of(family_of(families, name, help, Type::gauge).gauges, std::move(labels));
  });
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, Labels labels) {
  return impl_->families.with([&](Families& families) -> Histogram& {
    return metric_of(family_of(families, name, help, Type::histogram).histograms, std::move(labels));
  });
}

void Registry::collect_gauge(std::string_view name, std::string_view help,
                             std::function<std::vector<Sample>()> collect) {
  impl_->families.with([&](Families& families) {
    family_of(families, name, help, Type::gauge).collectors.push_back(std::move(collect));
  });
}

void Registry::collect_counter(std::string_view name, std::string_view help,
                               std::function<std::vector<Sample>()> collect) {
  impl_->families.with([&](Families& families) {
    family_of(families, name, help, Type::counter).collectors.push_back(std::move(collect));
  });
}

std::string Registry::prometheus_text() const {
  return std::as_const(impl_->families).with([](const Families& families) {
    std::string out;
    for (const auto& [name, family] : families) {
      out += fmt::format("# HELP {} ", name);
      append_escaped(out, family.help, false);
      out += fmt::format("\n# TYPE {} {}\n", name, kTypeNames[static_cast<int>(family.type)]);
      for (const auto& entry : family.counters) {
        append_sample(out, name, "", entry.labels, "", fmt::format_int(entry.metric->value()).str());
      }
      for (const auto& entry : family.gauges) {
        append_sample(out, name, "", entry.labels, "", fmt::format_int(entry.metric->value()).str());
      }
      for (const auto& entry : family.histograms) append_histogram(out, name, entry.labels, *entry.metric);
      for (const auto& collect : family.collectors) {
        for (const auto& [labels, value] : collect()) append_sample(out, name, "", labels, "", format_value(value));
      }
    }
    return out;
  });
}

}  // namespace millrace::metrics

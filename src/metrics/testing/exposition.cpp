#include "metrics/testing/exposition.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

namespace millrace::metrics::testing {
namespace {

class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  std::string name(bool colons) {
    std::size_t n = 0;
    while (n < rest_.size()) {
      const char c = rest_[n];
      const bool letter = std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (colons && c == ':');
      const bool digit = n > 0 && std::isdigit(static_cast<unsigned char>(c)) != 0;
      if (!letter && !digit) break;
      ++n;
    }
    std::string result(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return result;
  }
  /// After the opening quote, up to and with the closing one.
  std::optional<std::string> quoted() {
    std::string result;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return result;
      if (c != '\\') {
        result += c;
        continue;
      }
      if (take("\\")) {
        result += '\\';
      } else if (take("n")) {
        result += '\n';
      } else if (take("\"")) {
        result += '"';
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  std::string_view rest_;
};

std::optional<double> number(std::string_view text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  if (text == "-Inf") return -std::numeric_limits<double>::infinity();
  if (text == "NaN") return std::nan("");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const char* parse_sample(std::string_view line, ExposedSample& sample) {
  LineReader reader(line);
  sample.name = reader.name(true);
  if (sample.name.empty()) return "no metric name";
  if (reader.take("{")) {
    if (reader.take("}")) return "empty label set";
    do {
      const std::string label = reader.name(false);
      if (label.empty() || !reader.take("=\"")) return "bad label";
      auto value = reader.quoted();
      if (!value) return "bad label value";
      if (!sample.labels.emplace(label, *value).second) return "duplicate label";
    } while (reader.take(","));
    if (!reader.take("}")) return "label set not closed";
  }
  if (!reader.take(" ")) return "no value";
  const auto value = number(reader.rest());
  if (!value) return "bad value";
  sample.value = *value;
  return nullptr;
}

bool belongs(const std::string& sample, const std::string& family, const std::string& type) {
  if (type != "histogram") return sample == family;
  return sample == family + "_bucket" || sample == family + "_sum" || sample == family + "_count";
}

const char* check_histogram(const std::string& name, const ExposedFamily& family) {
  std::map<std::map<std::string, std::string>, std::vector<std::pair<double, double>>> series;
  for (const auto& sample : family.samples) {
    if (sample.name != name + "_bucket") continue;
    auto labels = sample.labels;
    const auto le = labels.find("le");
    if (le == labels.end()) return "bucket without le";
    const auto bound = number(le->second);
    if (!bound) return "bad le";
    labels.erase(le);
    series[labels].emplace_back(*bound, sample.value);
  }
  for (const auto& [labels, buckets] : series) {
    for (std::size_t i = 1; i < buckets.size(); ++i) {
      if (buckets[i].first <= buckets[i - 1].first || buckets[i].second < buckets[i - 1].second)
        return "buckets must grow";
    }
    if (!std::isinf(buckets.back().first)) return "no +Inf bucket";
    const Exposition alone{{name, family}};
    if (sample_value(alone, name + "_count", labels) != buckets.back().second) return "+Inf bucket is not the count";
    if (std::isnan(sample_value(alone, name + "_sum", labels))) return "no _sum";
  }
  return series.empty() ? "histogram without buckets" : nullptr;
}

}  // namespace

Result<Exposition> parse_exposition(std::string_view text) {
  Exposition families;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen;
  std::string current;
  int line_number = 0;
  const auto bad = [&](std::string_view what, std::string_view line) {
    return fail(ErrorCode::malformed, "exposition",
                std::to_string(line_number) + ": " + std::string(what) + ": " + std::string(line));
  };
  if (!text.empty() && text.back() != '\n') return bad("does not end with a line feed", "");
  while (!text.empty()) {
    ++line_number;
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    LineReader reader(line);
    if (reader.take("# HELP ")) {
      current = reader.name(true);
      if (current.empty() || !reader.take(" ")) return bad("bad HELP", line);
      if (!families.emplace(current, ExposedFamily{std::string(reader.rest()), "", {}}).second)
        return bad("second HELP", line);
    } else if (reader.take("# TYPE ")) {
      const std::string name = reader.name(true);
      if (name != current || !reader.take(" ")) return bad("TYPE does not follow its HELP", line);
      ExposedFamily& family = families[current];
      if (!family.type.empty()) return bad("second TYPE", line);
      family.type = reader.rest();
      if (!std::set<std::string>{"counter", "gauge", "histogram"}.contains(family.type))
        return bad("unknown type", line);
    } else {
      ExposedSample sample;
      if (const char* what = parse_sample(line, sample)) return bad(what, line);
      if (current.empty() || families[current].type.empty()) return bad("sample before its TYPE", line);
      ExposedFamily& family = families[current];
      if (!belongs(sample.name, current, family.type)) return bad("sample of another family", line);
      if (family.type == "counter" && !current.ends_with("_total")) return bad("a counter ends in _total", line);
      if (!seen.emplace(sample.name, sample.labels).second) return bad("duplicate sample", line);
      family.samples.push_back(std::move(sample));
    }
  }
  for (const auto& [name, family] : families) {
    if (family.type.empty()) return bad("family without TYPE", name);
    if (family.type != "histogram") continue;
    if (const char* what = check_histogram(name, family)) return bad(what, name);
  }
  return families;
}

double sample_value(const Exposition& exposition, std::string_view name,
                    const std::map<std::string, std::string>& labels) {
  for (const auto& [family_name, family] : exposition) {
    for (const auto& sample : family.samples) {
      if (sample.name == name && sample.labels == labels) return sample.value;
    }
  }
  return std::nan("");
}

}  // namespace millrace::metrics::testing

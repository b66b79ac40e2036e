// SecretMask: what the references of a configuration (${env:PASSWORD}) stood for, so that no text that leaves the
// process shows it: states, traces, log lines, validate answers, the failure ledger. Immutable. Thread: any.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace millrace::connect {

class SecretMask {
 public:
  /// Shorter values are no secrets, and replacing them would spoil every text.
  static constexpr std::size_t kShortest = 3;

  void add(std::string value, std::string reference) {
    if (value.size() >= kShortest) values_.emplace_back(std::move(value), std::move(reference));
  }
  /// `text` with every value replaced by its reference.
  [[nodiscard]] std::string hide(std::string text) const {
    for (const auto& [value, reference] : values_) {
      for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + reference.size())) {
        text.replace(at, value.size(), reference);
      }
    }
    return text;
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace millrace::connect

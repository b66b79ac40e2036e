// Refusal: an error code with the sentence that goes beside it in a response, or none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kafka/server/error_codes.h"

namespace millrace::kafka {

struct Refusal {
  KafkaError error = KafkaError::none;
  std::string message{};

  [[nodiscard]] explicit operator bool() const { return error != KafkaError::none; }
  /// What a nullable message field holds; a view into this object.
  [[nodiscard]] std::optional<std::string_view> text() const {
    if (message.empty()) return std::nullopt;
    return message;
  }
};

}  // namespace millrace::kafka

// A template and a payload, parted by a zero byte: whatever compiles resolves to the texts between its expressions and
// the expressions' values, and to nothing exactly when it can name the expression that has none.
#include <cstdlib>
#include <string>
#include <vector>

#include "rules/template_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = input.find('\0');
  if (zero == std::string_view::npos) return 0;
  sql::Paths paths;
  sql::Program program(sql::Options{}, paths);
  const auto text = rules::TemplateText::compile(input.substr(0, zero), program);
  if (!text) return 0;
  if (text->source() != input.substr(0, zero)) std::abort();
  program.seal();
  const std::vector<std::uint8_t> payload(data + zero + 1, data + size);
  DeviceMessage message;
  message.topic = "a/b";
  message.client_id = "fuzzer";
  message.payload = ByteView(payload.data(), payload.size());
  message.received_at = WallTime{1'700'000'000'000};
  static sql::Evaluation evaluation(1);
  evaluation.begin(message, message.topic);
  evaluation.begin_rule();
  const auto resolved = text->resolve(program, evaluation);
  if (text->is_plain() && (!resolved || *resolved != text->source())) std::abort();
  // Random values and what fuel was left for may differ between the two.
  const bool steady = !evaluation.exhausted() && input.find_first_of("rRuU") == std::string_view::npos;
  if (steady && resolved.has_value() != text->unresolved(program, evaluation).empty() && !evaluation.exhausted()) {
    std::abort();
  }
  return 0;
}

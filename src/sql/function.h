// Function: one row of the function table. Adding a function to the language is adding a row (functions_*.cpp).
//
// Arguments arrive evaluated. A function answers Undefined for argument types it does not take; it never fails.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sql/outside.h"
#include "sql/value.h"
#include "sql/version.h"

namespace millrace::sql {

class Evaluation;

/// What a function worked out of its constant arguments when the rule was compiled (a time pattern).
class Prepared {
 public:
  virtual ~Prepared() = default;
  /// What the call needs from outside of the message.
  [[nodiscard]] virtual std::optional<Reference> reference() const { return std::nullopt; }
};

struct Call {
  std::span<const Value> arguments;
  const Prepared* prepared = nullptr;
};

struct Function {
  std::string_view name;  // lower case; rules may write it in any case
  std::uint8_t min_arguments = 0;
  std::uint8_t max_arguments = 0;
  Version since = Version::v2015_10_08;
  Value (*call)(Evaluation& evaluation, const Call& call) = nullptr;
  /// Optional; sees the arguments that are constants (others are nullopt). A problem refuses the rule.
  std::shared_ptr<const Prepared> (*prepare)(std::span<const std::optional<Value>> constants,
                                             std::string& problem) = nullptr;
  bool raw_payload = false;  // `*` as an argument means the payload's bytes, not its JSON value
  bool extension = false;    // refused in strict mode
};

inline constexpr std::uint8_t kAnyArguments = 255;

/// Any case; nullptr when there is none.
const Function* find_function(std::string_view name);
/// The operators that are extensions (Expression::Kind::test): IN, IN ARRAY, LIKE, BETWEEN, IS NULL.
const Function* find_test(std::string_view name);
/// Why a function that AWS has is not here, or empty when AWS has none of that name.
std::string_view missing_function(std::string_view name);
/// The nearest known name, or empty.
std::string_view nearest_function(std::string_view name);

/// The tables, one per group.
std::span<const Function> context_functions();
std::span<const Function> time_functions();
std::span<const Function> number_functions();
std::span<const Function> string_functions();
std::span<const Function> structure_functions();
std::span<const Function> digest_functions();
std::span<const Function> pattern_functions();
std::span<const Function> outside_functions();
std::span<const Function> test_functions();

}  // namespace millrace::sql

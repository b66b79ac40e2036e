#include "sql/function.h"

#include <array>
#include <vector>

#include "sql/lexer.h"
#include "sql/spelling.h"

namespace millrace::sql {

namespace {

std::array<std::span<const Function>, 8> tables() {
  return {context_functions(), time_functions(),      number_functions(),  string_functions(),
          digest_functions(),  structure_functions(), pattern_functions(), outside_functions()};
}

struct Missing {
  std::string_view name;
  std::string_view reason;
};
constexpr std::string_view kNoAccount = "names an AWS account and is not supported";
constexpr std::string_view kAwsService = "calls an AWS service and is not supported";

/// AWS's functions that this build does not have: refused by name when the rule is created.
constexpr Missing kMissing[] = {
    {"get_secret", kAwsService},
    {"machinelearning_predict", kAwsService},
    {"accountid", kNoAccount},
};

}  // namespace

const Function* find_function(std::string_view name) {
  for (const auto& table : tables()) {
    for (const Function& function : table) {
      if (equals_ignoring_case(function.name, name)) return &function;
    }
  }
  return nullptr;
}

const Function* find_test(std::string_view name) {
  for (const Function& function : test_functions()) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

std::string_view missing_function(std::string_view name) {
  for (const Missing& missing : kMissing) {
    if (equals_ignoring_case(missing.name, name)) return missing.reason;
  }
  return {};
}

std::string_view nearest_function(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& table : tables()) {
    for (const Function& function : table) names.push_back(function.name);
  }
  return nearest_word(name, names);
}

}  // namespace millrace::sql

#include "sql/function.h"

#include <array>
#include <vector>

#include "sql/lexer.h"
#include "sql/spelling.h"

namespace millrace::sql {

namespace {

std::array<std::span<const Function>, 5> tables() {
  return {context_functions(), time_functions(), number_functions(), string_functions(), structure_functions()};
}

struct Missing {
  std::string_view name;
  std::string_view reason;
};
constexpr std::string_view kNotYet = "is not supported yet";
constexpr std::string_view kAwsService = "calls an AWS service and is not supported";

/// AWS's functions that this build does not have: refused by name when the rule is created.
constexpr Missing kMissing[] = {
    {"aws_lambda", kAwsService},
    {"get_dynamodb", kAwsService},
    {"get_thing_shadow", kAwsService},
    {"get_registry_data", kAwsService},
    {"get_secret", kAwsService},
    {"machinelearning_predict", kAwsService},
    {"time_to_epoch", kNotYet},
    {"transform", kNotYet},
    {"regexp_matches", kNotYet},
    {"regexp_replace", kNotYet},
    {"regexp_substr", kNotYet},
    {"md2", kNotYet},
    {"md5", kNotYet},
    {"sha1", kNotYet},
    {"sha224", kNotYet},
    {"sha256", kNotYet},
    {"sha384", kNotYet},
    {"sha512", kNotYet},
    {"principal", kNotYet},
    {"sourceip", kNotYet},
    {"accountid", kNotYet},
    {"get_mqtt_property", kNotYet},
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

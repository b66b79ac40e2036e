// Functions about the message itself: topic, client, identifiers.
#include <algorithm>
#include <array>

#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/operators.h"

namespace millrace::sql {

namespace {

Value topic(Evaluation& evaluation, const Call& call) {
  std::string_view rest = evaluation.topic();
  if (call.arguments.empty()) return Value::string(rest);
  const auto number = to_number(evaluation, call.arguments[0]);
  if (!number) return {};
  const auto level = number->as_decimal().rounded(Decimal::Rounding::floor).to_int64();
  if (!level || *level < 1) return {};
  for (std::int64_t i = 1; i < *level; ++i) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
  return Value::string(rest.substr(0, rest.find('/')));
}

/// AWS's answer for publishers without an MQTT client id.
Value clientid(Evaluation& evaluation, const Call& /*call*/) {
  const std::string_view id = evaluation.message().client_id;
  return Value::string(id.empty() ? "n/a" : id);
}

Value traceid(Evaluation& evaluation, const Call& /*call*/) {
  return Value::string(evaluation.trace_id());
}
Value newuuid(Evaluation& evaluation, const Call& /*call*/) {
  return Value::string(evaluation.new_uuid());
}

Value sql_version(Evaluation& evaluation, const Call& /*call*/) {
  return Value::string(evaluation.version == Version::v2015_10_08 ? "2015-10-08" : "2016-03-23");
}

/// MQTT 5 user property: the value of the first of that name.
Value get_user_properties(Evaluation& evaluation, const Call& call) {
  if (!call.arguments[0].is_string()) return {};
  const std::string_view key = call.arguments[0].characters(evaluation.arena());
  for (const UserProperty& property : evaluation.message().user_properties) {
    if (property.key == key) return Value::string(property.value);
  }
  return {};
}

constexpr std::array kFunctions = {
    Function{.name = "topic", .min_arguments = 0, .max_arguments = 1, .call = topic},
    Function{.name = "clientid", .call = clientid},
    Function{.name = "traceid", .call = traceid},
    Function{.name = "newuuid", .call = newuuid},
    Function{.name = "sql_version", .call = sql_version},
    Function{.name = "get_user_properties", .min_arguments = 1, .max_arguments = 1, .call = get_user_properties},
};

}  // namespace

std::span<const Function> context_functions() {
  return kFunctions;
}

}  // namespace millrace::sql

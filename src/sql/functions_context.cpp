// Functions about the message itself: topic, client, identifiers.
#include <algorithm>
#include <array>

#include "codec/base64.h"
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
  if (evaluation.message().source != MessageSource::mqtt) return {};
  return Value::string(evaluation.trace_id());
}
Value newuuid(Evaluation& evaluation, const Call& /*call*/) {
  return Value::string(evaluation.new_uuid());
}

Value sql_version(Evaluation& evaluation, const Call& /*call*/) {
  return Value::string(evaluation.version == Version::v2015_10_08 ? "2015-10-08" : "2016-03-23");
}

/// Who the sender proved to be: here the name it logged in with.
Value principal(Evaluation& evaluation, const Call& /*call*/) {
  const std::string_view name = evaluation.message().username;
  return name.empty() ? Value() : Value::string(name);
}

Value sourceip(Evaluation& evaluation, const Call& /*call*/) {
  const std::string_view address = evaluation.message().source_address;
  return address.empty() ? Value() : Value::string(address);
}

/// MQTT 5 user properties: the values of that name as an array, as a name may come several times; without a name all of
/// them, each an object.
Value get_user_properties(Evaluation& evaluation, const Call& call) {
  const std::span<const UserProperty> properties = evaluation.message().user_properties;
  Arena& arena = evaluation.arena();
  Value* values = arena.array<Value>(properties.size());
  std::size_t count = 0;
  if (call.arguments.empty()) {
    for (const UserProperty& property : properties) {
      auto* member =
          new (arena.allocate(sizeof(Member), alignof(Member))) Member{property.key, Value::string(property.value)};
      values[count++] = Value::object(member, 1);
    }
    return count == 0 ? Value() : Value::array(values, count);
  }
  if (!call.arguments[0].is_string()) return {};
  const std::string_view key = call.arguments[0].characters(arena);
  for (const UserProperty& property : properties) {
    if (property.key == key) values[count++] = Value::string(property.value);
  }
  return count == 0 ? Value() : Value::array(values, count);
}

Value get_mqtt_property(Evaluation& evaluation, const Call& call) {
  const DeviceMessage& message = evaluation.message();
  if (!call.arguments[0].is_string() || message.source != MessageSource::mqtt) return {};
  const std::string_view name = call.arguments[0].characters(evaluation.arena());
  const auto text = [](std::string_view value) { return value.empty() ? Value() : Value::string(value); };
  if (name == "content_type") return text(message.content_type);
  if (name == "response_topic") return text(message.response_topic);
  if (name == "format_indicator") return Value::string(message.utf8_payload ? "UTF8_DATA" : "UNSPECIFIED_BYTES");
  if (name != "correlation_data" || message.correlation_data.empty()) return {};
  const std::size_t size = base64_size(message.correlation_data.size());
  char* to = evaluation.arena().text(size);
  encode_base64(message.correlation_data, to);
  return Value::string({to, size});
}

constexpr std::array kFunctions = {
    Function{.name = "topic", .min_arguments = 0, .max_arguments = 1, .call = topic},
    Function{.name = "clientid", .call = clientid},
    Function{.name = "traceid", .call = traceid},
    Function{.name = "newuuid", .call = newuuid},
    Function{.name = "sql_version", .call = sql_version},
    Function{.name = "principal", .call = principal},
    Function{.name = "sourceip", .call = sourceip},
    Function{.name = "get_user_properties", .min_arguments = 0, .max_arguments = 1, .call = get_user_properties},
    Function{.name = "get_mqtt_property", .min_arguments = 1, .max_arguments = 1, .call = get_mqtt_property},
};

}  // namespace

std::span<const Function> context_functions() {
  return kFunctions;
}

}  // namespace millrace::sql

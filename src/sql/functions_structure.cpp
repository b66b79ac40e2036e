// Functions about types and structure: get, isNull, cast, encode and their kin.
#include <algorithm>
#include <array>

#include "codec/base64.h"
#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/json_scan.h"
#include "sql/lexer.h"
#include "sql/operators.h"
#include "sql/output_tree.h"
#include "sql/protobuf_schema.h"

namespace millrace::sql {

namespace {

std::optional<std::int64_t> index_of(const Evaluation& evaluation, const Value& value) {
  const auto number = to_number(evaluation, value);
  return number ? number->as_decimal().rounded(Decimal::Rounding::truncate).to_int64() : std::nullopt;
}

/// Element of an array, character of a string (both from 0), member of an object.
Value get(Evaluation& evaluation, const Call& call) {
  const Value& from = call.arguments[0];
  if (from.type() == Value::Type::object) {
    const auto name = to_text(evaluation.arena(), call.arguments[1]);
    if (!evaluation.spend(from.members_to_search() / 8)) return {};
    return name ? from.member(*name) : Value();
  }
  const auto index = index_of(evaluation, call.arguments[1]);
  if (!index || *index < 0) return {};
  if (from.type() == Value::Type::array) {
    const auto steps = static_cast<std::size_t>(*index);
    if (from.form() == Value::Form::node && !evaluation.spend(std::min(steps, from.weight()) / 2)) return {};
    return from.element(*index);
  }
  if (!from.is_string()) return {};
  std::string_view rest = from.characters(evaluation.arena());
  const auto next = [&rest] {
    std::size_t size = 1;
    while (size < rest.size() && (static_cast<unsigned char>(rest[size]) & 0xC0U) == 0x80U) ++size;
    return size;
  };
  for (std::int64_t i = 0; i < *index && !rest.empty(); ++i) rest.remove_prefix(next());
  return rest.empty() ? Value() : Value::string(rest.substr(0, next()));
}

Value is_null(Evaluation& /*evaluation*/, const Call& call) {
  return Value::boolean(call.arguments[0].is_null());
}
Value is_undefined(Evaluation& /*evaluation*/, const Call& call) {
  return Value::boolean(call.arguments[0].is_undefined());
}

Value nanvl(Evaluation& /*evaluation*/, const Call& call) {
  const Value& value = call.arguments[0];
  return value.is_undefined() || value.is_null() ? call.arguments[1] : value;
}

Value get_or_default(Evaluation& /*evaluation*/, const Call& call) {
  return call.arguments[0].is_undefined() ? call.arguments[1] : call.arguments[0];
}

enum class Target : std::uint8_t { string, integer, decimal, boolean };

struct PreparedCast final : Prepared {
  Target target = Target::string;
};

std::shared_ptr<const Prepared> prepare_cast(std::span<const std::optional<Value>> constants, std::string& problem) {
  struct Word {
    std::string_view name;
    Target target;
  };
  static constexpr Word kWords[] = {
      {"string", Target::string},   {"nvarchar", Target::string}, {"text", Target::string},
      {"ntext", Target::string},    {"varchar", Target::string},  {"int", Target::integer},
      {"integer", Target::integer}, {"double", Target::decimal},  {"decimal", Target::decimal},
      {"bool", Target::boolean},    {"boolean", Target::boolean}};
  auto out = std::make_shared<PreparedCast>();
  if (constants.size() == 2 && constants[1] && constants[1]->is_string()) {
    for (const Word& word : kWords) {
      if (!equals_ignoring_case(word.name, constants[1]->source())) continue;
      out->target = word.target;
      return out;
    }
  }
  problem = "cast is written cast(value AS type); types are String, Int, Decimal, Boolean";
  return nullptr;
}

Value cast(Evaluation& evaluation, const Call& call) {
  const Value& from = call.arguments[0];
  const Target target = static_cast<const PreparedCast&>(*call.prepared).target;
  if (target == Target::string) {
    const auto text = to_text(evaluation.arena(), from);
    return text ? Value::string(*text) : Value();
  }
  if (target == Target::boolean) {
    if (const auto truth = to_boolean(evaluation, from)) return Value::boolean(*truth);
    const auto number = from.is_number() ? to_number(evaluation, from) : std::nullopt;
    return number ? Value::boolean(!number->as_decimal().is_zero()) : Value();
  }
  std::optional<Decimal> number;
  if (from.type() == Value::Type::boolean) {
    number = Decimal(from.as_boolean() ? 1 : 0);
    if (target == Target::decimal) number = number->plus(Decimal(false, 0, -1));
  } else if (const auto converted = to_number(evaluation, from)) {
    number = converted->as_decimal();
  }
  if (!number) return {};
  if (target == Target::integer) return number_value(evaluation, number->rounded(Decimal::Rounding::floor), true);
  return number_value(evaluation, number);
}

bool is_base64_name(Evaluation& evaluation, const Value& value) {
  return value.is_string() && equals_ignoring_case(value.characters(evaluation.arena()), "base64");
}

Value encode(Evaluation& evaluation, const Call& call) {
  if (!is_base64_name(evaluation, call.arguments[1])) return {};
  const auto text = to_text(evaluation.arena(), call.arguments[0]);
  if (!text) return {};
  const std::size_t size = base64_size(text->size());
  char* to = evaluation.arena().text(size);
  encode_base64(as_bytes(*text), to);
  return Value::string({to, size});
}

/// decode(value, 'proto', [bucket,] descriptor, [proto file,] message): AWS's six arguments, or the four that mean
/// something here.
struct PreparedProtobuf final : Prepared {
  [[nodiscard]] std::optional<Reference> reference() const override {
    return Reference{Reference::Kind::descriptor, descriptor, message};
  }
  std::string descriptor;
  std::string message;
};

std::shared_ptr<const Prepared> prepare_decode(std::span<const std::optional<Value>> constants, std::string& problem) {
  constexpr std::size_t kShort = 4;
  constexpr std::size_t kAws = 6;
  const auto text = [&](std::size_t at) {
    return constants[at] && constants[at]->is_string() ? constants[at]->source() : std::string_view();
  };
  if (constants.size() == 2) {
    if (equals_ignoring_case(text(1), "proto")) problem = "decode(value, 'proto', descriptor, message)";
    return nullptr;
  }
  const bool is_aws = constants.size() == kAws;
  auto out = std::make_shared<PreparedProtobuf>();
  if (is_aws || constants.size() == kShort) {
    out->descriptor = text(is_aws ? 3 : 2);
    out->message = text(constants.size() - 1);
  }
  if (equals_ignoring_case(text(1), "proto") && !out->descriptor.empty() && !out->message.empty()) return out;
  problem =
      "decode with a descriptor is written decode(value, 'proto', descriptor, message), or with AWS's six arguments; "
      "all but the value are constants";
  return nullptr;
}

/// A Protobuf message as a value whose members can be named; Null when it is none.
Value decode_protobuf(Evaluation& evaluation, const PreparedProtobuf& prepared, std::string_view bytes) {
  Outside* const outside = evaluation.outside();
  const ProtobufSchema* const schema = outside == nullptr ? nullptr : outside->schema(prepared.descriptor);
  if (schema == nullptr) {
    evaluation.note({Reference::Kind::descriptor, prepared.descriptor, {}},
                    {Outside::State::failed, "it is not registered"});
    return {};
  }
  if (!evaluation.spend(bytes.size())) return {};
  TextWriter out(evaluation.arena(), 4 * bytes.size() + 64);
  if (!schema->write_json(prepared.message, bytes, evaluation.arena(), out)) {
    evaluation.spend(out.size() / 16);
    return Value::null();
  }
  const std::string_view json = out.finish();
  JsonDocument* const document = evaluation.spend(json.size() / 8) ? evaluation.extra_document() : nullptr;
  if (document == nullptr) return {};
  return document->parse(json) ? Value::of(*document, JsonDocument::kRoot) : Value::null();
}

/// JSON becomes a value whose members can be named, other text a string, what is no base64 Null.
Value decode(Evaluation& evaluation, const Call& call) {
  const auto* const protobuf = static_cast<const PreparedProtobuf*>(call.prepared);
  if (protobuf == nullptr && !is_base64_name(evaluation, call.arguments[1])) return {};
  const auto text = to_text(evaluation.arena(), call.arguments[0]);
  if (!text) return {};
  char* to = evaluation.arena().text(text->size());
  const auto size = decode_base64(*text, reinterpret_cast<std::uint8_t*>(to));
  if (!size) return Value::null();
  const std::string_view bytes(to, *size);
  if (protobuf != nullptr) return decode_protobuf(evaluation, *protobuf, bytes);
  JsonDocument* document = evaluation.extra_document();
  if (document == nullptr) return {};
  if (document->parse(bytes)) return Value::of(*document, JsonDocument::kRoot);
  return Value::string(bytes);
}

/// transform("enrichArray", object, array): every object of the array with the object's members added.
Value transform(Evaluation& evaluation, const Call& call) {
  const Value& mode = call.arguments[0];
  const Value& added = call.arguments[1];
  if (!mode.is_string() || mode.characters(evaluation.arena()) != "enrichArray") return {};
  if (added.type() != Value::Type::object || call.arguments[2].type() != Value::Type::array) return {};
  std::size_t count = 0;
  std::size_t members = 0;
  ArrayItems counted(call.arguments[2]);
  for (auto item = counted.next(); item; item = counted.next()) {
    if (item->type() != Value::Type::object) return {};
    ++count;
    members += item->members_to_search();
  }
  const std::size_t more = added.members_to_search();
  if (!evaluation.spend((members + count * more) * (1 + more / 8))) return {};
  Value* out = evaluation.arena().array<Value>(count);
  std::size_t size = 0;
  ArrayItems items(call.arguments[2]);
  while (const auto item = items.next()) {
    OutputTree tree(evaluation.arena());
    tree.add_members(*item);
    tree.set_members(added);
    out[size++] = tree.value();
  }
  return Value::array(out, size);
}

constexpr Version k2016 = Version::v2016_03_23;

constexpr std::array kFunctions = {
    Function{.name = "get", .min_arguments = 2, .max_arguments = 2, .call = get},
    Function{.name = "get_or_default", .min_arguments = 2, .max_arguments = 2, .since = k2016, .call = get_or_default},
    Function{.name = "isnull", .min_arguments = 1, .max_arguments = 1, .call = is_null},
    Function{.name = "isundefined", .min_arguments = 1, .max_arguments = 1, .since = k2016, .call = is_undefined},
    Function{.name = "nanvl", .min_arguments = 2, .max_arguments = 2, .call = nanvl},
    Function{.name = "cast", .min_arguments = 2, .max_arguments = 2, .call = cast, .prepare = prepare_cast},
    Function{
        .name = "encode", .min_arguments = 2, .max_arguments = 2, .since = k2016, .call = encode, .raw_payload = true},
    Function{.name = "transform", .min_arguments = 3, .max_arguments = 3, .since = k2016, .call = transform},
    Function{.name = "decode",
             .min_arguments = 2,
             .max_arguments = 6,
             .since = k2016,
             .call = decode,
             .prepare = prepare_decode},
};

}  // namespace

std::span<const Function> structure_functions() {
  return kFunctions;
}

}  // namespace millrace::sql

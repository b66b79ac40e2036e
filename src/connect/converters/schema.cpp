#include "connect/converters/schema.h"

#include <algorithm>
#include <array>

#include "connect/json_writer.h"

namespace millrace::connect {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxFields = 10'000;

struct TypeName {
  SchemaType type;
  std::string_view name;
};
constexpr std::array<TypeName, 12> kTypes = {{{SchemaType::int8, "int8"},
                                              {SchemaType::int16, "int16"},
                                              {SchemaType::int32, "int32"},
                                              {SchemaType::int64, "int64"},
                                              {SchemaType::float32, "float"},
                                              {SchemaType::float64, "double"},
                                              {SchemaType::boolean, "boolean"},
                                              {SchemaType::string, "string"},
                                              {SchemaType::bytes, "bytes"},
                                              {SchemaType::array, "array"},
                                              {SchemaType::map, "map"},
                                              {SchemaType::structure, "struct"}}};

std::string_view text_of(sql::Arena& arena, const sql::Value& value) {
  return value.is_string() ? value.characters(arena) : std::string_view();
}

}  // namespace

std::string_view to_string(SchemaType type) {
  return std::ranges::find(kTypes, type, &TypeName::type)->name;
}

const Schema* Schema::field(std::string_view field_name) const {
  const auto found = std::ranges::find(fields, field_name, &Field::name);
  return found == fields.end() ? nullptr : found->schema.get();
}

Result<std::shared_ptr<const Schema>> Schema::parse(const sql::Value& json, int depth) {
  if (json.is_null() || json.is_undefined()) return std::shared_ptr<const Schema>();
  if (depth > kMaxDepth) return fail(ErrorCode::malformed, "Schema is nested too deep");
  sql::Arena arena(1024);
  const std::string_view name = text_of(arena, json.member("type"));
  const auto type = std::ranges::find(kTypes, name, &TypeName::name);
  if (type == kTypes.end()) {
    return fail(ErrorCode::malformed, "Schema must contain 'type' field", std::string(name));
  }
  auto schema = std::make_shared<Schema>();
  schema->type = type->type;
  schema->optional = json.member("optional").is_true();
  schema->name = text_of(arena, json.member("name"));
  if (schema->type == SchemaType::structure) {
    const sql::Value fields = json.member("fields");
    if (fields.type() != sql::Value::Type::array) {
      return fail(ErrorCode::malformed, "Struct schema's \"fields\" argument is not an array.");
    }
    sql::ArrayItems items(fields);
    while (const auto item = items.next()) {
      const std::string_view field_name = text_of(arena, item->member("field"));
      if (field_name.empty() || schema->fields.size() >= kMaxFields) {
        return fail(ErrorCode::malformed, "Struct schema's field name not specified properly");
      }
      MR_TRY_ASSIGN(auto inner, parse(*item, depth + 1));
      schema->fields.push_back({std::string(field_name), std::move(inner)});
    }
  } else if (schema->type == SchemaType::array || schema->type == SchemaType::map) {
    MR_TRY_ASSIGN(schema->element,
                  parse(json.member(schema->type == SchemaType::array ? "items" : "values"), depth + 1));
  }
  return std::shared_ptr<const Schema>(std::move(schema));
}

std::string Schema::json() const {
  JsonWriter json;
  const auto write = [&json](const auto& self, const Schema& schema, std::string_view field) -> void {
    json.begin_object().member("type", to_string(schema.type)).member("optional", schema.optional);
    if (!schema.name.empty()) json.member("name", schema.name);
    if (schema.version != 0) json.member("version", schema.version);
    if (schema.type == SchemaType::structure) {
      json.key("fields").begin_array();
      for (const Field& inner : schema.fields) self(self, *inner.schema, inner.name);
      json.end_array();
    } else if (schema.element != nullptr) {
      json.key(schema.type == SchemaType::array ? "items" : "values");
      self(self, *schema.element, {});
    }
    if (!field.empty()) json.member("field", field);
    json.end_object();
  };
  write(write, *this, {});
  return json.take();
}

}  // namespace millrace::connect

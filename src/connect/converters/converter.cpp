#include "connect/converters/converter.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <string>
#include <unordered_map>

#include "base/endian.h"
#include "connect/converters/json_line.h"
#include "connect/converters/schema.h"

namespace millrace::connect {
namespace {

/// As many as a batch of the sinks has at most by its standard settings (ClickHouse).
constexpr std::size_t kDocumentsKept = 10'000;
constexpr std::size_t kSchemasKept = 1000;

/// A copy in the room.
ByteView keep(std::string_view text, BatchRoom& room) {
  return as_bytes(room.arena().copy(text));
}

/// As text, as Java's toString() of it would be but for arrays and objects, which are JSON.
Result<std::string_view> text_of(const Datum& datum, BatchRoom& room) {
  if (datum.kind == Datum::Kind::bytes) return as_text(datum.bytes);
  if (const auto text = sql::to_text(room.arena(), datum.value)) return *text;
  return fail(ErrorCode::malformed, "the value is too long to become text");
}

/// org.apache.kafka.connect.json.JsonConverter.
class JsonConverter final : public Converter {
 public:
  explicit JsonConverter(bool with_schemas) : with_schemas_(with_schemas) {}

  Result<Datum> to_datum(std::optional<ByteView> bytes, BatchRoom& room) override {
    if (!bytes || bytes->empty()) return Datum{};
    sql::JsonDocument& document = room.document();
    if (!document.parse(as_text(*bytes))) {
      return fail(ErrorCode::malformed, "Converting byte[] to Kafka Connect data failed due to serialization error",
                  document.fault_text());
    }
    const sql::Value root = sql::Value::of(document, sql::JsonDocument::kRoot);
    if (!with_schemas_) return Datum::of(root);
    if (root.type() != sql::Value::Type::object || document.find(0, "schema") == sql::JsonDocument::kAbsent ||
        document.find(0, "payload") == sql::JsonDocument::kAbsent || members(document) != 2) {
      return fail(ErrorCode::malformed,
                  "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain "
                  "additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in "
                  "your converter configuration.");
    }
    MR_TRY_ASSIGN(const Schema* schema, schema_of(document));
    return Datum::of(root.member("payload"), schema);
  }

  Result<std::optional<ByteView>> to_bytes(const Datum& datum, BatchRoom& room) override {
    if (datum.kind == Datum::Kind::null && !with_schemas_) return std::nullopt;
    text_.clear();
    if (with_schemas_) {
      text_.append(R"({"schema":)");
      text_.append(datum.schema != nullptr ? datum.schema->json() : "null");
      text_.append(R"(,"payload":)");
    }
    append_json_line(datum, room.arena(), text_);
    if (with_schemas_) text_.push_back('}');
    return keep(as_text(text_.view()), room);
  }

 private:
  static std::size_t members(const sql::JsonDocument& document) {
    std::size_t count = 0;
    for (std::uint32_t at = 1; at < document.node(0).end; at = document.node(at).end) ++count;
    return count;
  }
  // Producers repeat the same schema text with every record: it is read once.
  Result<const Schema*> schema_of(const sql::JsonDocument& document) {
    const std::uint32_t index = document.find(0, "schema");
    const std::string text(document.source_of(document.node(index)));
    if (const auto known = schemas_.find(text); known != schemas_.end()) return known->second.get();
    MR_TRY_ASSIGN(auto schema, Schema::parse(sql::Value::of(document, index)));
    // Never emptied while a batch may point into it: a producer with a thousand schemas pays by a refusal instead.
    if (schemas_.size() >= kSchemasKept) return fail(ErrorCode::malformed, "more schemas than are kept");
    return schemas_.emplace(text, std::move(schema)).first->second.get();
  }

  bool with_schemas_;
  Buffer text_;  // of to_bytes()
  std::unordered_map<std::string, std::shared_ptr<const Schema>> schemas_;
};

/// org.apache.kafka.connect.storage.StringConverter, UTF-8.
class StringConverter final : public Converter {
 public:
  Result<Datum> to_datum(std::optional<ByteView> bytes, BatchRoom&) override {
    if (!bytes) return Datum{};
    return Datum::of(sql::Value::string(as_text(*bytes)));
  }
  Result<std::optional<ByteView>> to_bytes(const Datum& datum, BatchRoom& room) override {
    if (datum.kind == Datum::Kind::null) return std::nullopt;
    MR_TRY_ASSIGN(const std::string_view text, text_of(datum, room));
    return as_bytes(text);
  }
};

/// org.apache.kafka.connect.converters.ByteArrayConverter.
class ByteArrayConverter final : public Converter {
 public:
  Result<Datum> to_datum(std::optional<ByteView> bytes, BatchRoom&) override {
    return bytes ? Datum::of_bytes(*bytes) : Datum{};
  }
  Result<std::optional<ByteView>> to_bytes(const Datum& datum, BatchRoom&) override {
    if (datum.kind == Datum::Kind::null) return std::nullopt;
    if (datum.kind != Datum::Kind::bytes) {
      return fail(ErrorCode::malformed, "ByteArrayConverter is not compatible with objects that are not bytes");
    }
    return datum.bytes;
  }
};

/// org.apache.kafka.connect.storage.SimpleHeaderConverter: what looks like a JSON value is one, the rest is text.
class SimpleHeaderConverter final : public Converter {
 public:
  Result<Datum> to_datum(std::optional<ByteView> bytes, BatchRoom& room) override {
    if (!bytes) return Datum{};
    const std::string_view text = as_text(*bytes);
    if (text == "null") return Datum{};
    sql::JsonDocument& document = room.document();
    if (!text.empty() && document.parse(text)) {
      return Datum::of(sql::Value::of(document, sql::JsonDocument::kRoot));
    }
    return Datum::of(sql::Value::string(text));
  }
  Result<std::optional<ByteView>> to_bytes(const Datum& datum, BatchRoom& room) override {
    if (datum.kind == Datum::Kind::null) return std::nullopt;
    MR_TRY_ASSIGN(const std::string_view text, text_of(datum, room));
    return as_bytes(text);
  }
};

/// org.apache.kafka.connect.converters.IntegerConverter and its relatives: big-endian, of a fixed size.
template <class T>
class NumberConverter final : public Converter {
 public:
  Result<Datum> to_datum(std::optional<ByteView> bytes, BatchRoom& room) override {
    if (!bytes) return Datum{};
    if (bytes->size() != sizeof(T)) {
      return fail(ErrorCode::malformed, "Failed to deserialize: the size of the data is not that of the number",
                  std::to_string(bytes->size()));
    }
    std::uint64_t raw = 0;
    for (const std::uint8_t byte : *bytes) raw = raw << 8U | byte;
    if constexpr (std::is_same_v<T, double> || std::is_same_v<T, float>) {
      const double value = [&] {
        if constexpr (std::is_same_v<T, double>) return std::bit_cast<double>(raw);
        return double{std::bit_cast<float>(static_cast<std::uint32_t>(raw))};
      }();
      if (!std::isfinite(value))
        return Datum::of(sql::Value::string(std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity"));
      char text[32];
      const auto end = std::to_chars(text, text + sizeof text, static_cast<T>(value)).ptr;
      return Datum::of(sql::Value::number_source(room.arena().copy({text, static_cast<std::size_t>(end - text)})));
    } else {
      return Datum::of(sql::Value::integer(static_cast<T>(raw)));
    }
  }
  Result<std::optional<ByteView>> to_bytes(const Datum& datum, BatchRoom& room) override {
    if (datum.kind == Datum::Kind::null) return std::nullopt;
    MR_TRY_ASSIGN(const std::string_view text, text_of(datum, room));
    T number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (datum.kind == Datum::Kind::bytes || error != std::errc() || end != text.data() + text.size()) {
      return fail(ErrorCode::malformed, "Failed to serialize: the value is not a number of this size",
                  std::string(text.substr(0, 40)));
    }
    using Raw = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                   std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint16_t>>;
    char raw[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      raw[i] = static_cast<char>(std::bit_cast<Raw>(number) >> (8 * (sizeof(T) - 1 - i)) & 0xFFU);
    }
    return keep({raw, sizeof raw}, room);
  }
};

constexpr ConfigKey kJsonRows[] = {
    {.name = "schemas.enable",
     .type = KeyType::boolean,
     .standard = "true",
     .importance = Importance::high,
     .group = "Schemas",
     .documentation = "Whether values are wrapped as {\"schema\": ..., \"payload\": ...}."},
    {.name = "schemas.cache.size",
     .type = KeyType::integer,
     .standard = "1000",
     .group = "Schemas",
     .documentation = "Accepted for compatibility; schemas are always kept."},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .importance = Importance::low,
     .group = "Schemas",
     .documentation = "Accepted for compatibility."},
};
constexpr ConfigKey kStringRows[] = {
    {.name = "converter.encoding",
     .standard = "UTF-8",
     .importance = Importance::high,
     .documentation = "The character set of the text; only UTF-8.",
     .choices = "UTF-8, UTF8",
     .any_case = true},
};

template <class T>
std::unique_ptr<Converter> make(const Settings&) {
  return std::make_unique<T>();
}

constexpr ConverterClass kClasses[] = {
    {"org.apache.kafka.connect.converters.ByteArrayConverter", {}, make<ByteArrayConverter>},
    {"org.apache.kafka.connect.converters.DoubleConverter", {}, make<NumberConverter<double>>},
    {"org.apache.kafka.connect.converters.FloatConverter", {}, make<NumberConverter<float>>},
    {"org.apache.kafka.connect.converters.IntegerConverter", {}, make<NumberConverter<std::int32_t>>},
    {"org.apache.kafka.connect.converters.LongConverter", {}, make<NumberConverter<std::int64_t>>},
    {"org.apache.kafka.connect.converters.ShortConverter", {}, make<NumberConverter<std::int16_t>>},
    {"org.apache.kafka.connect.json.JsonConverter", kJsonRows,
     [](const Settings& settings) -> std::unique_ptr<Converter> {
       return std::make_unique<JsonConverter>(settings.flag("schemas.enable"));
     }},
    {"org.apache.kafka.connect.storage.SimpleHeaderConverter", {}, make<SimpleHeaderConverter>, "header_converter"},
    {"org.apache.kafka.connect.storage.StringConverter", kStringRows, make<StringConverter>},
};

constexpr RefusedValue kMissing[] = {
    {"io.confluent.connect.avro.AvroConverter",
     "Avro needs a schema registry, which is not here yet: let producers write JSON and take "
     "org.apache.kafka.connect.json.JsonConverter, or org.apache.kafka.connect.converters.ByteArrayConverter for the "
     "bytes as they are"},
    {"io.confluent.connect.protobuf.ProtobufConverter",
     "Protobuf needs a schema registry, which is not here yet: let producers write JSON and take "
     "org.apache.kafka.connect.json.JsonConverter, or org.apache.kafka.connect.converters.ByteArrayConverter for the "
     "bytes as they are"},
    {"io.confluent.connect.json.JsonSchemaConverter",
     "JSON Schema needs a schema registry, which is not here yet: let producers write plain JSON and take "
     "org.apache.kafka.connect.json.JsonConverter with schemas.enable=false"},
};

}  // namespace

sql::JsonDocument& BatchRoom::document() {
  if (used_ == documents_.size()) documents_.emplace_back();
  return documents_[used_++];
}

void BatchRoom::clear() {
  arena_.reset();
  if (documents_.size() > kDocumentsKept) documents_.resize(kDocumentsKept);
  used_ = 0;
}

std::span<const ConverterClass> converter_classes() {
  return kClasses;
}

const ConverterClass* find_converter(std::string_view class_name) {
  const auto found = std::ranges::find(kClasses, class_name, &ConverterClass::class_name);
  return found == std::end(kClasses) ? nullptr : found;
}

std::string_view missing_converter(std::string_view class_name) {
  const auto found = std::ranges::find(kMissing, class_name, &RefusedValue::value);
  return found == std::end(kMissing) ? std::string_view() : found->why;
}

}  // namespace millrace::connect

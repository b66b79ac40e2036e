// Transformations of the members of a key or value: ExtractField, HoistField, InsertField, MaskField, ReplaceField,
// ValueToKey, Flatten, Filter, SetSchemaMetadata.
#include <fmt/format.h>

#include <algorithm>

#include "connect/json_members.h"
#include "connect/transforms/parts.h"

namespace millrace::connect {
namespace {

using Made = Result<std::unique_ptr<Transform>>;

constexpr ConfigKey kFieldRow[] = {
    {.name = "field",
     .required = true,
     .documentation = "Field name to extract; a path with dots with field.syntax.version V2.",
     .not_empty = true},
    {.name = "field.syntax.version",
     .standard = "V1",
     .documentation = "V1: the name of a field. V2: a path with dots.",
     .choices = "V1, V2",
     .any_case = true},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

class ExtractField final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<ExtractField>();
    made->part_ = part;
    made->field_ = settings.text("field");
    made->path_ = settings.choice("field.syntax.version") == "v2";
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom&) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    MR_TRY_ASSIGN(const sql::Value object, object_of(datum, "field extraction"));
    datum = Datum::of(path_ ? field_at(object, field_) : object.member(field_));
    return true;
  }

 private:
  Part part_ = Part::value;
  std::string field_;
  bool path_ = false;
};

constexpr ConfigKey kHoistRows[] = {
    {.name = "field",
     .required = true,
     .documentation = "Field name for the single field that will be created in the resulting Map.",
     .not_empty = true},
};

class HoistField final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<HoistField>();
    made->part_ = part;
    made->field_ = settings.text("field");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    ObjectBuilder object(room.arena());
    object.add(field_, datum.is_null() ? sql::Value::null() : datum.value);
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  Part part_ = Part::value;
  std::string field_;
};

constexpr ConfigKey kInsertRows[] = {
    {.name = "topic.field", .standard = "", .documentation = "Field name for Kafka topic."},
    {.name = "partition.field", .standard = "", .documentation = "Field name for Kafka partition."},
    {.name = "offset.field", .standard = "", .documentation = "Field name for Kafka offset."},
    {.name = "timestamp.field", .standard = "", .documentation = "Field name for record timestamp."},
    {.name = "static.field", .standard = "", .documentation = "Field name for static data field."},
    {.name = "static.value", .standard = "", .documentation = "Static field value, if field name configured."},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

class InsertField final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<InsertField>();
    // A suffix: '!' the field is required, '?' it is optional.
    const auto name = [&settings](std::string_view key) {
      std::string text = settings.text(key);
      if (text.ends_with('!') || text.ends_with('?')) text.pop_back();
      return text;
    };
    made->part_ = part;
    made->topic_ = name("topic.field");
    made->partition_ = name("partition.field");
    made->offset_ = name("offset.field");
    made->timestamp_ = name("timestamp.field");
    made->static_ = name("static.field");
    made->static_value_ = settings.text("static.value");
    if (made->topic_.empty() && made->partition_.empty() && made->offset_.empty() && made->timestamp_.empty() &&
        made->static_.empty()) {
      return fail(ErrorCode::invalid_argument, "No field insertion configured");
    }
    if (!made->static_.empty() && !settings.names("static.value")) {
      return fail(ErrorCode::invalid_argument, "No value specified for static field", made->static_);
    }
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "field insertion"));
    ObjectBuilder object(room.arena());
    each_member(before, room.arena(), [&](std::string_view name, const sql::Value& value) { object.add(name, value); });
    if (!topic_.empty()) object.set(topic_, sql::Value::string(room.arena().copy(record.image.topic)));
    if (!partition_.empty() && record.image.partition)
      object.set(partition_, sql::Value::integer(*record.image.partition));
    if (!offset_.empty()) object.set(offset_, sql::Value::integer(record.origin().offset.value()));
    if (!timestamp_.empty() && record.image.timestamp_ms >= 0) {
      object.set(timestamp_, sql::Value::integer(record.image.timestamp_ms));
    }
    if (!static_.empty()) object.set(static_, sql::Value::string(static_value_));
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  Part part_ = Part::value;
  std::string topic_, partition_, offset_, timestamp_, static_, static_value_;
};

constexpr ConfigKey kMaskRows[] = {
    {.name = "fields",
     .type = KeyType::list,
     .required = true,
     .importance = Importance::high,
     .documentation = "Names of fields to mask.",
     .not_empty = true},
    {.name = "replacement",
     .standard = "",
     .importance = Importance::low,
     .documentation = "Custom value replacement, for strings and numbers."},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

class MaskField final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<MaskField>();
    made->part_ = part;
    made->fields_ = settings.list("fields");
    made->replacement_ = settings.text("replacement");
    made->replaces_ = settings.names("replacement");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "mask fields"));
    ObjectBuilder object(room.arena());
    bool fits = true;
    each_member(before, room.arena(), [&](std::string_view name, const sql::Value& value) {
      object.add(name, std::ranges::count(fields_, name) != 0 ? masked(value, fits) : value);
    });
    if (!fits) return fail(ErrorCode::malformed, "Cannot mask value with custom replacement", replacement_);
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  [[nodiscard]] sql::Value masked(const sql::Value& value, bool& fits) const {
    switch (value.type()) {
      case sql::Value::Type::number:
        if (!replaces_) return sql::Value::integer(0);
        fits = fits && sql::Decimal::parse(replacement_).has_value();
        return sql::Value::number_source(replacement_);
      case sql::Value::Type::string:
        return sql::Value::string(replacement_);
      case sql::Value::Type::boolean:
        return sql::Value::boolean(false);
      case sql::Value::Type::array:
        return sql::Value::array(nullptr, 0);
      case sql::Value::Type::object:
        return sql::Value::object(nullptr, 0);
      case sql::Value::Type::null:
      case sql::Value::Type::undefined:
        break;
    }
    return sql::Value::null();
  }

  Part part_ = Part::value;
  std::vector<std::string> fields_;
  std::string replacement_;
  bool replaces_ = false;
};

constexpr ConfigKey kReplaceRows[] = {
    {.name = "exclude",
     .type = KeyType::list,
     .standard = "",
     .documentation = "Fields to exclude. This takes precedence over the fields to include."},
    {.name = "include",
     .type = KeyType::list,
     .standard = "",
     .documentation = "Fields to include. If specified, only these fields will be used."},
    {.name = "renames", .type = KeyType::list, .standard = "", .documentation = "Field rename mappings: old:new."},
    {.name = "blacklist",
     .type = KeyType::list,
     .standard = "",
     .importance = Importance::low,
     .documentation = "Deprecated. Use exclude instead."},
    {.name = "whitelist",
     .type = KeyType::list,
     .standard = "",
     .importance = Importance::low,
     .documentation = "Deprecated. Use include instead."},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

class ReplaceField final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<ReplaceField>();
    made->part_ = part;
    made->exclude_ = settings.list(settings.names("blacklist") ? "blacklist" : "exclude");
    made->include_ = settings.list(settings.names("whitelist") ? "whitelist" : "include");
    MR_TRY_ASSIGN(made->renames_, pairs_of(settings, "renames"));
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "field replacement"));
    ObjectBuilder object(room.arena());
    each_member(before, room.arena(), [&](std::string_view name, const sql::Value& value) {
      if (std::ranges::count(exclude_, name) != 0) return;
      if (!include_.empty() && std::ranges::count(include_, name) == 0) return;
      const auto renamed = std::ranges::find(renames_, name, &std::pair<std::string, std::string>::first);
      object.add(renamed == renames_.end() ? name : std::string_view(renamed->second), value);
    });
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  Part part_ = Part::value;
  std::vector<std::string> exclude_, include_;
  std::vector<std::pair<std::string, std::string>> renames_;
};

constexpr ConfigKey kValueToKeyRows[] = {
    {.name = "fields",
     .type = KeyType::list,
     .required = true,
     .importance = Importance::high,
     .documentation = "Field names on the record value to extract as the record key.",
     .not_empty = true},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

class ValueToKey final : public Transform {
 public:
  static Made make(const Settings& settings, Part) {
    auto made = std::make_unique<ValueToKey>();
    made->fields_ = settings.list("fields");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    MR_TRY_ASSIGN(const sql::Value value, object_of(record.image.value, "copying fields from value to key"));
    ObjectBuilder key(room.arena());
    for (const std::string& field : fields_) {
      const sql::Value member = value.member(field);
      key.add(field, member.is_undefined() ? sql::Value::null() : member);
    }
    record.image.key = Datum::of(key.finish());
    return true;
  }

 private:
  std::vector<std::string> fields_;
};

constexpr ConfigKey kFlattenRows[] = {
    {.name = "delimiter",
     .standard = ".",
     .documentation = "Delimiter to insert between field names from the input record when generating field names for "
                      "the output record."},
};

class Flatten final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<Flatten>();
    made->part_ = part;
    made->delimiter_ = settings.text("delimiter");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "flattening"));
    ObjectBuilder object(room.arena());
    add(before, "", object, room.arena(), 0);
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  // Documents are at most JsonDocument::kMaxDepth deep, so this ends.
  void add(const sql::Value& from, std::string_view prefix, ObjectBuilder& object, sql::Arena& arena, int depth) const {
    each_member(from, arena, [&](std::string_view name, const sql::Value& value) {
      const std::string_view full = prefix.empty() ? name : arena.copy(fmt::format("{}{}{}", prefix, delimiter_, name));
      if (value.type() == sql::Value::Type::object && depth < 1024) {
        add(value, full, object, arena, depth + 1);
      } else {
        object.add(full, value);
      }
    });
  }

  Part part_ = Part::value;
  std::string delimiter_;
};

class Filter final : public Transform {
 public:
  static Made make(const Settings&, Part) { return std::make_unique<Filter>(); }
  Result<bool> apply(SinkRecord&, BatchRoom&) override { return false; }
};

constexpr ConfigKey kSchemaRows[] = {
    {.name = "schema.name", .standard = "", .importance = Importance::high, .documentation = "Schema name to set."},
    {.name = "schema.version",
     .type = KeyType::integer,
     .standard = "0",
     .importance = Importance::high,
     .documentation = "Schema version to set."},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

/// Names and versions of schemas reach no sink that is here, so there is nothing to change.
class SetSchemaMetadata final : public Transform {
 public:
  static Made make(const Settings&, Part) { return std::make_unique<SetSchemaMetadata>(); }
  Result<bool> apply(SinkRecord&, BatchRoom&) override { return true; }
};

}  // namespace

void add_field_transforms(std::vector<TransformClass>& classes) {
  add_both<ExtractField>(classes, MR_KEY_AND_VALUE("ExtractField"), kFieldRow);
  classes.push_back({"org.apache.kafka.connect.transforms.Filter", {}, Filter::make, Part::record});
  add_both<Flatten>(classes, MR_KEY_AND_VALUE("Flatten"), kFlattenRows);
  add_both<HoistField>(classes, MR_KEY_AND_VALUE("HoistField"), kHoistRows);
  add_both<InsertField>(classes, MR_KEY_AND_VALUE("InsertField"), kInsertRows);
  add_both<MaskField>(classes, MR_KEY_AND_VALUE("MaskField"), kMaskRows);
  add_both<ReplaceField>(classes, MR_KEY_AND_VALUE("ReplaceField"), kReplaceRows);
  add_both<SetSchemaMetadata>(classes, MR_KEY_AND_VALUE("SetSchemaMetadata"), kSchemaRows);
  classes.push_back(
      {"org.apache.kafka.connect.transforms.ValueToKey", kValueToKeyRows, ValueToKey::make, Part::record});
}

}  // namespace millrace::connect

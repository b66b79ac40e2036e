// What transformations share: the part of a record they work on, objects rebuilt member by member, and the words of
// their errors. Private to transforms/.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connect/transforms/transform.h"

namespace millrace::connect {

inline Datum& part_of(SinkRecord& record, Part part) {
  return part == Part::key ? record.image.key : record.image.value;
}

/// The object a step works on; an error in Kafka's words when the part is something else.
inline Result<sql::Value> object_of(const Datum& datum, std::string_view purpose) {
  if (datum.is_object()) return datum.value;
  return fail(ErrorCode::malformed, "Only Map objects supported in absence of schema for",
              "[" + std::string(purpose) + "]");
}

/// Calls `visit(name, value)` for every member, in order; the names' characters live in `arena`.
void each_member(const sql::Value& object, sql::Arena& arena,
                 const std::function<void(std::string_view, const sql::Value&)>& visit);

/// An object being built in an arena.
class ObjectBuilder {
 public:
  explicit ObjectBuilder(sql::Arena& arena) : arena_(arena) {}
  void add(std::string_view name, const sql::Value& value) { members_.push_back({name, value}); }
  /// Replaces a member of this name, or adds one.
  void set(std::string_view name, const sql::Value& value);
  [[nodiscard]] sql::Value finish();

 private:
  sql::Arena& arena_;
  std::vector<sql::Member> members_;
};

/// "a:b,c:d" as pairs. Errors: invalid_argument naming the key.
Result<std::vector<std::pair<std::string, std::string>>> pairs_of(const Settings& settings, std::string_view key);

/// A setting's text as the value it looks like: number, boolean, null or string. Views `arena`.
sql::Value literal(std::string_view text, sql::Arena& arena);

std::optional<std::int64_t> int64_of(const sql::Value& value);

// One row per class, by file.
void add_field_transforms(std::vector<TransformClass>& classes);
void add_topic_transforms(std::vector<TransformClass>& classes);
void add_value_transforms(std::vector<TransformClass>& classes);
void add_header_transforms(std::vector<TransformClass>& classes);

/// Adds the $Key and $Value classes of `simple_name`.
template <class T>
void add_both(std::vector<TransformClass>& classes, std::string_view key_name, std::string_view value_name,
              ConfigRows rows) {
  classes.push_back({key_name, rows, T::make, Part::key});
  classes.push_back({value_name, rows, T::make, Part::value});
}

}  // namespace millrace::connect

/// The two names of a class that works on keys or values.
#define MR_KEY_AND_VALUE(name) \
  "org.apache.kafka.connect.transforms." name "$Key", "org.apache.kafka.connect.transforms." name "$Value"

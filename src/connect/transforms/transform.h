// Transform: one step of a connector's chain of transformations, under Kafka Connect's class names. Predicate: the
// condition under which a step applies. Both change or look at a record's image, never at its origin.
//
// Thread: one owner, the task.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connect/converters/converter.h"
#include "connect/runtime/sink_record.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

class Transform {
 public:
  virtual ~Transform() = default;
  /// False: the record is dropped. Errors: malformed (a DataException: this record cannot be transformed).
  virtual Result<bool> apply(SinkRecord& record, BatchRoom& room) = 0;
};

class Predicate {
 public:
  virtual ~Predicate() = default;
  [[nodiscard]] virtual bool test(const SinkRecord& record) const = 0;
};

/// Which part of the record a step with a $Key or $Value in its class name works on.
enum class Part : std::uint8_t { record, key, value };

struct TransformClass {
  std::string_view class_name;
  ConfigRows rows;
  /// Errors: invalid_argument in Kafka's words.
  Result<std::unique_ptr<Transform>> (*make)(const Settings& settings, Part part);
  Part part = Part::record;
};
struct PredicateClass {
  std::string_view class_name;
  ConfigRows rows;
  Result<std::unique_ptr<Predicate>> (*make)(const Settings& settings);
};

/// All classes, sorted by name.
const std::vector<TransformClass>& transform_classes();
std::span<const PredicateClass> predicate_classes();
const TransformClass* find_transform(std::string_view class_name);
const PredicateClass* find_predicate(std::string_view class_name);

/// The steps of `transforms=a,b` with their predicates.
class TransformChain {
 public:
  /// Requires settings that passed check(). Errors: invalid_argument.
  static Result<TransformChain> make(const Settings& settings);
  /// False: dropped. `failed_class` tells which step an error came from.
  Result<bool> apply(SinkRecord& record, BatchRoom& room, std::string_view& failed_class);
  [[nodiscard]] bool empty() const { return steps_.empty(); }

 private:
  struct Step {
    std::string class_name;
    std::unique_ptr<Transform> transform;
    std::shared_ptr<Predicate> predicate;
    bool negate = false;
  };
  std::vector<Step> steps_;
};

/// Adds the rows of the steps and predicates that `config` names to `table`; what is unknown goes to `values` as an
/// error of its key.
void add_transform_rows(const ConnectorConfig& config, ConfigTable& table, std::vector<ConfigValue>& problems);

}  // namespace millrace::connect

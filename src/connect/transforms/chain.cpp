// The chain of a connector's transformations: aliases, predicates, and the rows their settings add.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "connect/transforms/transform.h"

namespace millrace::connect {
namespace {

constexpr ConfigKey kStepRows[] = {
    {.name = "type",
     .type = KeyType::class_name,
     .required = true,
     .importance = Importance::high,
     .documentation = "Class for the transformation."},
    {.name = "predicate",
     .standard = "",
     .documentation = "The alias of a predicate that tells whether to apply this transformation."},
    {.name = "negate",
     .type = KeyType::boolean,
     .standard = "false",
     .documentation = "Whether the configured predicate should be negated."},
};
constexpr ConfigKey kPredicateRows[] = {
    {.name = "type",
     .type = KeyType::class_name,
     .required = true,
     .importance = Importance::high,
     .documentation = "Class for the predicate."},
};

std::vector<std::string> aliases(const ConnectorConfig& config, std::string_view key) {
  const auto found = config.find(key);
  return found == config.end() ? std::vector<std::string>() : split_list(found->second);
}

std::string_view value_of(const ConnectorConfig& config, std::string_view key) {
  const auto found = config.find(key);
  return found == config.end() ? std::string_view() : std::string_view(found->second);
}

template <class Class>
void add_rows_of(const ConnectorConfig& config, const std::string& prefix, const Class* found, std::string_view group,
                 ConfigTable& table, std::vector<ConfigValue>& problems) {
  if (found != nullptr) {
    table.add(prefix, found->rows, group);
  } else if (const auto type = value_of(config, prefix + "type"); !type.empty()) {
    problems.push_back(
        {prefix + "type",
         std::string(type),
         {fmt::format("Invalid value {} for configuration {}type: Class {} could not be found.", type, prefix, type)}});
  }
}

}  // namespace

void add_transform_rows(const ConnectorConfig& config, ConfigTable& table, std::vector<ConfigValue>& problems) {
  for (const std::string& alias : aliases(config, "transforms")) {
    const std::string prefix = "transforms." + alias + ".";
    const std::string group = "Transforms: " + alias;
    table.add(prefix, kStepRows, group);
    add_rows_of(config, prefix, find_transform(value_of(config, prefix + "type")), group, table, problems);
    const std::string predicate(value_of(config, prefix + "predicate"));
    if (!predicate.empty() && std::ranges::count(aliases(config, "predicates"), predicate) == 0) {
      problems.push_back({prefix + "predicate",
                          predicate,
                          {fmt::format("Invalid value {} for configuration {}predicate: no predicate of this name is "
                                       "listed in 'predicates'",
                                       predicate, prefix)}});
    }
  }
  for (const std::string& alias : aliases(config, "predicates")) {
    const std::string prefix = "predicates." + alias + ".";
    const std::string group = "Predicates: " + alias;
    table.add(prefix, kPredicateRows, group);
    add_rows_of(config, prefix, find_predicate(value_of(config, prefix + "type")), group, table, problems);
  }
}

Result<TransformChain> TransformChain::make(const Settings& settings) {
  std::map<std::string, std::shared_ptr<Predicate>> predicates;
  for (const std::string& alias : settings.list("predicates")) {
    const std::string prefix = "predicates." + alias + ".";
    const PredicateClass* found = find_predicate(settings.text(prefix + "type"));
    if (found == nullptr) return fail(ErrorCode::invalid_argument, "no such predicate class", prefix + "type");
    ConfigTable table;
    table.add(found->rows);
    MR_TRY_ASSIGN(auto predicate, found->make(settings.part(prefix, std::move(table))));
    predicates[alias] = std::move(predicate);
  }
  TransformChain chain;
  for (const std::string& alias : settings.list("transforms")) {
    const std::string prefix = "transforms." + alias + ".";
    const TransformClass* found = find_transform(settings.text(prefix + "type"));
    if (found == nullptr) return fail(ErrorCode::invalid_argument, "no such transformation class", prefix + "type");
    ConfigTable table;
    table.add(found->rows);
    Step step;
    step.class_name = found->class_name;
    MR_TRY_ASSIGN(step.transform, found->make(settings.part(prefix, std::move(table)), found->part));
    step.negate = settings.flag(prefix + "negate");
    if (const std::string name = settings.text(prefix + "predicate"); !name.empty()) {
      const auto predicate = predicates.find(name);
      if (predicate == predicates.end()) return fail(ErrorCode::invalid_argument, "no such predicate", name);
      step.predicate = predicate->second;
    }
    chain.steps_.push_back(std::move(step));
  }
  return chain;
}

Result<bool> TransformChain::apply(SinkRecord& record, BatchRoom& room, std::string_view& failed_class) {
  for (Step& step : steps_) {
    if (step.predicate && step.predicate->test(record) == step.negate) continue;
    failed_class = step.class_name;
    MR_TRY_ASSIGN(const bool kept, step.transform->apply(record, room));
    if (!kept) return false;
  }
  return true;
}

const TransformClass* find_transform(std::string_view class_name) {
  const auto& all = transform_classes();
  const auto found = std::ranges::find(all, class_name, &TransformClass::class_name);
  return found == all.end() ? nullptr : &*found;
}

const PredicateClass* find_predicate(std::string_view class_name) {
  const auto all = predicate_classes();
  const auto found = std::ranges::find(all, class_name, &PredicateClass::class_name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace millrace::connect

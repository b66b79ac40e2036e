// All classes of transformations, and the predicates.
#include <re2/re2.h>

#include <algorithm>

#include "connect/transforms/parts.h"

namespace millrace::connect {
namespace {

using MadePredicate = Result<std::unique_ptr<Predicate>>;

constexpr ConfigKey kPatternRows[] = {
    {.name = "pattern",
     .required = true,
     .documentation = "A Java regular expression for matching against the name of a record's topic.",
     .not_empty = true},
};
constexpr ConfigKey kNameRows[] = {
    {.name = "name", .required = true, .documentation = "The header name.", .not_empty = true},
};

class TopicNameMatches final : public Predicate {
 public:
  explicit TopicNameMatches(const std::string& pattern) : pattern_(pattern, re2::RE2::Quiet) {}
  static MadePredicate make(const Settings& settings) {
    auto made = std::make_unique<TopicNameMatches>(settings.text("pattern"));
    if (!made->pattern_.ok()) return fail(ErrorCode::invalid_argument, "Invalid regex", made->pattern_.error());
    return made;
  }
  [[nodiscard]] bool test(const SinkRecord& record) const override {
    return re2::RE2::FullMatch(re2::StringPiece(record.image.topic.data(), record.image.topic.size()), pattern_);
  }

 private:
  re2::RE2 pattern_;
};

class HasHeaderKey final : public Predicate {
 public:
  explicit HasHeaderKey(std::string name) : name_(std::move(name)) {}
  static MadePredicate make(const Settings& settings) { return std::make_unique<HasHeaderKey>(settings.text("name")); }
  [[nodiscard]] bool test(const SinkRecord& record) const override {
    return std::ranges::count(record.image.headers, name_, &DatumHeader::key) != 0;
  }

 private:
  std::string name_;
};

class RecordIsTombstone final : public Predicate {
 public:
  static MadePredicate make(const Settings&) { return std::make_unique<RecordIsTombstone>(); }
  [[nodiscard]] bool test(const SinkRecord& record) const override { return record.image.value.is_null(); }
};

constexpr PredicateClass kPredicates[] = {
    {"org.apache.kafka.connect.transforms.predicates.HasHeaderKey", kNameRows, HasHeaderKey::make},
    {"org.apache.kafka.connect.transforms.predicates.RecordIsTombstone", {}, RecordIsTombstone::make},
    {"org.apache.kafka.connect.transforms.predicates.TopicNameMatches", kPatternRows, TopicNameMatches::make},
};

}  // namespace

const std::vector<TransformClass>& transform_classes() {
  static const std::vector<TransformClass> all = [] {
    std::vector<TransformClass> classes;
    add_field_transforms(classes);
    add_topic_transforms(classes);
    add_value_transforms(classes);
    add_header_transforms(classes);
    std::ranges::sort(classes, {}, &TransformClass::class_name);
    return classes;
  }();
  return all;
}

std::span<const PredicateClass> predicate_classes() {
  return kPredicates;
}

}  // namespace millrace::connect

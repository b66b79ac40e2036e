// Transformations of a record's topic: RegexRouter, TimestampRouter. They change the image only: bookmarks, ids and
// object names keep coming from where the record was.
#include <fmt/format.h>
#include <re2/re2.h>

#include "connect/transforms/java_time_pattern.h"
#include "connect/transforms/parts.h"

namespace millrace::connect {
namespace {

using Made = Result<std::unique_ptr<Transform>>;

constexpr ConfigKey kRegexRows[] = {
    {.name = "regex",
     .required = true,
     .importance = Importance::high,
     .documentation = "Regular expression to use for matching.",
     .not_empty = true},
    {.name = "replacement", .required = true, .importance = Importance::high, .documentation = "Replacement string."},
};

class RegexRouter final : public Transform {
 public:
  explicit RegexRouter(const std::string& regex) : regex_(regex, re2::RE2::Quiet) {}
  static Made make(const Settings& settings, Part) {
    auto made = std::make_unique<RegexRouter>(settings.text("regex"));
    if (!made->regex_.ok()) return fail(ErrorCode::invalid_argument, "Invalid regex", made->regex_.error());
    // Java writes groups as $1, RE2 as \1.
    const std::string java = settings.text("replacement");
    for (std::size_t i = 0; i < java.size(); ++i) {
      if (java[i] == '$' && i + 1 < java.size() && java[i + 1] >= '0' && java[i + 1] <= '9') {
        made->replacement_ += '\\';
      } else if (java[i] == '\\' && i + 1 < java.size()) {
        ++i;
        made->replacement_ += java[i] == '\\' ? "\\\\" : std::string(1, java[i]);
      } else {
        made->replacement_ += java[i];
      }
    }
    if (std::string error; !made->regex_.CheckRewriteString(made->replacement_, &error)) {
      return fail(ErrorCode::invalid_argument, "Invalid replacement", error);
    }
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    const re2::StringPiece topic(record.image.topic.data(), record.image.topic.size());
    if (!re2::RE2::FullMatch(topic, regex_)) return true;
    std::string renamed(record.image.topic);
    re2::RE2::Replace(&renamed, regex_, replacement_);
    record.image.topic = room.arena().copy(renamed);
    return true;
  }

 private:
  re2::RE2 regex_;
  std::string replacement_;
};

constexpr ConfigKey kTimestampRows[] = {
    {.name = "topic.format",
     .standard = "${topic}-${timestamp}",
     .importance = Importance::high,
     .documentation = "Format string which can contain ${topic} and ${timestamp} as placeholders."},
    {.name = "timestamp.format",
     .standard = "yyyyMMdd",
     .importance = Importance::high,
     .documentation = "Format string for the timestamp that is compatible with java.text.SimpleDateFormat."},
};

class TimestampRouter final : public Transform {
 public:
  explicit TimestampRouter(sql::TimePattern pattern) : pattern_(std::move(pattern)) {}
  static Made make(const Settings& settings, Part) {
    MR_TRY_ASSIGN(auto pattern, compile_java_pattern(settings.text("timestamp.format")));
    auto made = std::make_unique<TimestampRouter>(std::move(pattern));
    made->format_ = settings.text("topic.format");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    const std::int64_t time = record.image.timestamp_ms;
    if (time < 0) return fail(ErrorCode::malformed, "Timestamp missing on record");
    // The name changes with the topic and, for patterns without milliseconds, the second.
    const std::int64_t moment = pattern_.shows_milliseconds() ? time : time / 1000;
    if (moment != moment_ || record.image.topic != topic_) {
      sql::TextWriter stamp(room.arena(), 64);
      pattern_.format(stamp, sql::TimeZone::utc(), time);
      const std::string_view text = stamp.finish();
      topic_ = record.image.topic;
      moment_ = moment;
      renamed_.clear();
      for (std::string_view rest = format_; !rest.empty();) {
        if (rest.starts_with("${topic}")) {
          renamed_ += topic_;
          rest.remove_prefix(8);
        } else if (rest.starts_with("${timestamp}")) {
          renamed_ += text;
          rest.remove_prefix(12);
        } else {
          renamed_ += rest.front();
          rest.remove_prefix(1);
        }
      }
    }
    record.image.topic = room.arena().copy(renamed_);
    return true;
  }

 private:
  sql::TimePattern pattern_;
  std::string format_;
  std::string topic_;
  std::int64_t moment_ = -1;
  std::string renamed_;
};

}  // namespace

void add_topic_transforms(std::vector<TransformClass>& classes) {
  classes.push_back({"org.apache.kafka.connect.transforms.RegexRouter", kRegexRows, RegexRouter::make, Part::record});
  classes.push_back(
      {"org.apache.kafka.connect.transforms.TimestampRouter", kTimestampRows, TimestampRouter::make, Part::record});
}

}  // namespace millrace::connect

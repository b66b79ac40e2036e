#include "connect/sources/file/file_source.h"

#include <algorithm>

#include "base/log.h"
#include "connect/converters/schema.h"
#include "connect/json_members.h"
#include "connect/json_writer.h"
#include "connect/runtime/sink_class.h"

namespace millrace::connect::file {
namespace {

/// Read at once; a line is at most kLongestLine.
constexpr std::size_t kPiece = 256_KiB;
constexpr std::size_t kLongestLine = 16_MiB;

constexpr ConfigKey kRows[] = {
    {
        .name = "file",
        .required = true,
        .importance = Importance::high,
        .group = "File",
        .documentation = "Source file: an absolute path. It need not exist yet. Standard input cannot be read.",
        .not_empty = true,
    },
    {
        .name = "topic",
        .required = true,
        .importance = Importance::high,
        .group = "File",
        .documentation = "The topic to publish data to.",
        .not_empty = true,
    },
    {
        .name = "batch.size",
        .type = KeyType::integer,
        .standard = "2000",
        .importance = Importance::low,
        .group = "File",
        .documentation = "The most lines that are read and written together.",
        .min = 1,
        .max = 100'000,
    },
};

void check_more(const Settings& settings, std::vector<ConfigValue>& values) {
  if (const std::string path = settings.text("file"); path.empty()) {
    add_error(values, "file", missing_value("file"));
  } else if (!path.starts_with('/')) {
    add_error(values, "file", "Invalid value " + path + " for configuration file: must be an absolute path");
  }
  const std::string topic = settings.text("topic");
  if (const auto valid = check_topic_name(topic); !valid) {
    add_error(values, "topic", "Invalid value " + topic + " for configuration topic: " + valid.error().detail);
  }
}

const Schema& line_schema() {
  static const Schema kString{.type = SchemaType::string};
  return kString;
}

std::string partition_of(std::string_view path) {
  return JsonWriter().begin_object().member("filename", path).end_object().take();
}

// In the words of FileStreamSourceConnector.alterOffsets.
std::string check_position(const Settings&, std::string_view partition, std::string_view offset) {
  sql::JsonDocument document;
  if (!document.parse(offset) || root_of(document).member("position").is_undefined()) {
    return "Offset objects should either be null or contain the key 'position'";
  }
  const sql::Value position = root_of(document).member("position");
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
  const std::int64_t number = member_number(root_of(document), "position", kNone);
  if (position.is_string() || number == kNone) {
    return "The value for the 'position' key in the offset is expected to be a Long value";
  }
  if (number < 0) return "The value for the 'position' key in the offset should be a non-negative value";
  sql::JsonDocument place;
  if (!place.parse(partition) || root_of(place).member("filename").is_undefined()) {
    return "Partition objects should contain the key 'filename'";
  }
  return "";
}

class FileSource final : public Source {
 public:
  explicit FileSource(SourceContext context)
      : context_(std::move(context)),
        path_(context_.settings.text("file")),
        topic_(context_.settings.text("topic")),
        partition_(partition_of(path_)),
        lines_(static_cast<std::size_t>(context_.settings.number("batch.size"))) {}

  Result<void> open(const SourcePositions& positions) override {
    if (context_.surroundings.files == nullptr) return fail(ErrorCode::invalid_argument, "no files can be read here");
    const auto found = positions.find(partition_);
    sql::JsonDocument document;
    if (found != positions.end() && document.parse(found->second)) {
      position_ = static_cast<std::uint64_t>(std::max<std::int64_t>(member_number(root_of(document), "position"), 0));
    }
    return {};
  }

  Result<void> poll(SourceBatch& batch) override {
    MR_TRY_ASSIGN(const bool there, open_file());
    if (!there) return {};
    MR_TRY_ASSIGN(const std::uint64_t end, file_->size());
    if (end < position_) {
      log::warn("source_file_shrank", {{"file", path_}, {"position", position_}, {"size", end}});
      position_ = 0;  // truncated and written anew
    }
    std::size_t want = kPiece;
    while (position_ < end) {
      text_.clear();
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(want, end - position_));
      MR_TRY_ASSIGN(const std::size_t got, file_->read_at(position_, {text_.prepare(size), size}));
      text_.commit(got);
      const std::size_t used = take_lines(as_text(text_.view()), batch);
      if (used > 0) {
        position_ += used;
        batch.positions[partition_] = JsonWriter().begin_object().member("position", position_).end_object().take();
        return {};
      }
      if (got < want) return {};  // the last line has no end yet
      if (want >= kLongestLine) {
        return fail(ErrorCode::too_large, "a line is longer than 16 MiB", path_ + " at " + std::to_string(position_));
      }
      want *= 4;
    }
    return {};
  }

 private:
  // A file that was replaced (rotated by renaming) is read to its end under its old name; the new one is seen when a
  // task starts, as with Kafka's connector.
  Result<bool> open_file() {
    if (file_) return true;
    const std::string path = path_.substr(1);
    if (!context_.surroundings.files->exists(path)) return false;
    MR_TRY_ASSIGN(file_, context_.surroundings.files->open(path, io::OpenMode::read_only));
    return true;
  }

  /// The bytes of the lines taken. A line ends with LF or CR LF.
  std::size_t take_lines(std::string_view text, SourceBatch& batch) {
    const std::int64_t now = context_.surroundings.clock->wall().count();
    std::size_t used = 0;
    while (batch.records.size() < lines_) {
      const auto end = text.find('\n', used);
      if (end == std::string_view::npos) break;
      std::string_view line = text.substr(used, end - used);
      if (line.ends_with('\r')) line.remove_suffix(1);
      RecordImage image;
      image.topic = topic_;
      image.timestamp_ms = now;
      image.value = Datum::of(sql::Value::string(batch.room.arena().copy(line)), &line_schema());
      batch.records.push_back(image);
      batch.numbers.push_back(static_cast<std::int64_t>(position_ + used));
      used = end + 1;
    }
    return used;
  }

  SourceContext context_;
  const std::string path_;
  const std::string topic_;
  const std::string partition_;
  const std::size_t lines_;
  std::unique_ptr<io::File> file_;
  std::uint64_t position_ = 0;
  Buffer text_;
};

}  // namespace

const SourceClass& file_source_class() {
  static const SourceClass row{
      .class_name = "org.apache.kafka.connect.file.FileStreamSourceConnector",
      .version = "3.9.1",
      .rows = kRows,
      .check = check_more,
      .tasks = [](const Settings&, std::size_t) { return std::size_t{1}; },
      .check_position = check_position,
      .make = [](SourceContext context) -> std::unique_ptr<Source> {
        return std::make_unique<FileSource>(std::move(context));
      },
  };
  return row;
}

}  // namespace millrace::connect::file

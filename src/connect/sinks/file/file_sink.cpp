#include "connect/sinks/file/file_sink.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/guarded.h"
#include "connect/converters/json_line.h"
#include "connect/runtime/failed_record.h"

namespace millrace::connect::file {
namespace {

constexpr ConfigKey kRows[] = {
    {
        .name = "file",
        .importance = Importance::high,
        .group = "File",
        .documentation = "Destination file: an absolute path. Made when it does not exist; its folder is not.",
    },
};

void check_more(const Settings& settings, std::vector<ConfigValue>& values) {
  if (settings.text("file").empty()) {
    add_error(values, "file", missing_value("file"));
  } else if (!settings.text("file").starts_with('/')) {
    add_error(values, "file",
              "Invalid value " + settings.text("file") + " for configuration file: must be an absolute path");
  }
}

/// Where the next lines of a file go: tasks that write to one file take turns in its bytes, not in time.
class Append {
 public:
  /// The Append of a path, one for all tasks of this process.
  static std::shared_ptr<Append> of(const std::string& path) {
    static Guarded<std::map<std::string, std::weak_ptr<Append>>> all;
    return all.with([&path](auto& known) {
      auto found = known[path].lock();
      if (!found) known[path] = found = std::make_shared<Append>();
      return found;
    });
  }
  /// The place of `bytes` bytes, which are written before done().
  Result<std::uint64_t> begin(io::File& file, std::size_t bytes) {
    return place_.with([&](Place& place) -> Result<std::uint64_t> {
      // The end is asked each time: somebody may have rotated or truncated the file.
      MR_TRY_ASSIGN(const std::uint64_t size, file.size());
      const std::uint64_t at = place.writing == 0 ? size : std::max(size, place.end);
      place.end = at + bytes;
      ++place.writing;
      return at;
    });
  }
  void done() {
    place_.with([](Place& place) { --place.writing; });
  }

 private:
  struct Place {
    std::uint64_t end = 0;
    int writing = 0;
  };
  Guarded<Place> place_;
};

class FileSink final : public Sink {
 public:
  explicit FileSink(SinkContext context) : context_(std::move(context)) {}

  Result<void> open(std::span<const LaneStart>) override {
    if (context_.surroundings.files == nullptr)
      return fail(ErrorCode::invalid_argument, "no files can be written here");
    append_ = Append::of(context_.settings.text("file"));
    MR_TRY_ASSIGN(file_,
                  context_.surroundings.files->open(context_.settings.text("file").substr(1), io::OpenMode::create));
    return {};
  }

  Outcome put(std::span<const SinkRecord> records) override {
    lines_.clear();
    arena_.reset();
    for (const SinkRecord& record : records) {
      const Datum& value = record.image.value;
      if (value.kind == Datum::Kind::bytes) {
        lines_.append(value.bytes);
      } else if (value.kind == Datum::Kind::value && value.value.is_string()) {
        lines_.append(value.value.characters(arena_));
      } else {
        append_json_line(value, arena_, lines_);
      }
      lines_.push_back('\n');
    }
    if (auto written = write(); !written) {
      return written.error().code == ErrorCode::disk_full ? Outcome::retry(written.error())
                                                          : Outcome::fatal(written.error());
    }
    return Outcome::done();
  }

 private:
  Result<void> write() {
    MR_TRY_ASSIGN(const std::uint64_t at, append_->begin(*file_, lines_.size()));
    const auto written = file_->write_at(at, lines_.view());
    append_->done();
    MR_TRY(written);
    return file_->sync_data();
  }

  SinkContext context_;
  std::unique_ptr<io::File> file_;
  std::shared_ptr<Append> append_;
  Buffer lines_;
  sql::Arena arena_;
};

}  // namespace

const SinkClass& file_sink_class() {
  static const SinkClass row{
      .class_name = "org.apache.kafka.connect.file.FileStreamSinkConnector",
      .version = "3.9.1",
      .rows = kRows,
      .check = check_more,
      .limits = [](const Settings&) { return BatchLimits{.records = 2000, .bytes = 1_MiB}; },
      .make = [](SinkContext context) -> std::unique_ptr<Sink> {
        return std::make_unique<FileSink>(std::move(context));
      },
  };
  return row;
}

}  // namespace millrace::connect::file

#include "connect/sinks/file/file_sink.h"

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
  if (!settings.text("file").starts_with('/')) {
    add_error(values, "file",
              "Invalid value " + settings.text("file") + " for configuration file: must be an absolute path");
  }
}

class FileSink final : public Sink {
 public:
  explicit FileSink(SinkContext context) : context_(std::move(context)) {}

  Result<void> open(std::span<const LaneStart>) override {
    if (context_.surroundings.files == nullptr)
      return fail(ErrorCode::invalid_argument, "no files can be written here");
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
  // The end is asked each time: somebody may have rotated or truncated the file.
  Result<void> write() {
    MR_TRY_ASSIGN(const std::uint64_t end, file_->size());
    MR_TRY(file_->write_at(end, lines_.view()));
    return file_->sync_data();
  }

  SinkContext context_;
  std::unique_ptr<io::File> file_;
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

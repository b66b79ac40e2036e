#include "connect/sinks/s3/record_format.h"

#include "codec/base64.h"
#include "connect/converters/json_line.h"
#include "connect/json_writer.h"

namespace millrace::connect::s3 {
namespace {

/// For formats whose records stand one behind the other: a function of the record.
template <class Append>
class LineWriter final : public RecordWriter {
 public:
  explicit LineWriter(Append append) : append_(std::move(append)) {}
  Result<void> append(const Datum& value, Buffer& out) override { return append_(value, out); }

 private:
  Append append_;
};

template <class Append>
std::unique_ptr<RecordWriter> line_writer(Append append) {
  return std::make_unique<LineWriter<Append>>(std::move(append));
}

class JsonFormat final : public RecordFormat {
 public:
  std::unique_ptr<RecordWriter> begin() override {
    return line_writer([this](const Datum& value, Buffer& out) -> Result<void> {
      arena_.reset();
      append_json_line(value, arena_, out);
      out.push_back('\n');
      return {};
    });
  }
  [[nodiscard]] std::string extension() const override { return ".json"; }
  [[nodiscard]] std::string_view content_type() const override { return "application/json"; }

 private:
  sql::Arena arena_;
};

class ByteArrayFormat final : public RecordFormat {
 public:
  ByteArrayFormat(std::string extension, std::string separator)
      : extension_(std::move(extension)), separator_(std::move(separator)) {}
  std::unique_ptr<RecordWriter> begin() override {
    return line_writer([this](const Datum& value, Buffer& out) { return append(value, out); });
  }
  [[nodiscard]] std::string extension() const override { return extension_; }
  [[nodiscard]] std::string_view content_type() const override { return "application/octet-stream"; }

 private:
  Result<void> append(const Datum& value, Buffer& out) {
    if (value.kind == Datum::Kind::value && value.value.is_string()) {
      arena_.reset();
      out.append(value.value.characters(arena_));
    } else if (value.kind == Datum::Kind::bytes) {
      out.append(value.bytes);
    } else {
      return fail(ErrorCode::malformed, "ByteArrayFormat writes bytes only: use ByteArrayConverter");
    }
    out.append(separator_);
    return {};
  }

  std::string extension_;
  std::string separator_;
  sql::Arena arena_;
};

}  // namespace

std::string headers_as_json(const SinkRecord& record) {
  sql::Arena arena(1024);
  JsonWriter json;
  json.begin_object().key("headers").begin_array();
  for (const DatumHeader& header : record.image.headers) {
    json.begin_object().member("key", header.key).key("value");
    const Datum& value = header.value;
    const auto text = value.kind == Datum::Kind::value ? sql::to_text(arena, value.value) : std::nullopt;
    if (value.kind == Datum::Kind::bytes) {
      json.value(to_base64(value.bytes));
    } else if (text) {
      json.value(*text);
    } else {
      json.null();
    }
    json.end_object();
  }
  return json.end_array().end_object().take();
}

Result<std::unique_ptr<RecordFormat>> RecordFormat::make(const Settings& settings, std::string_view key) {
  const std::string name = settings.text(key);
  if (name == "io.confluent.connect.s3.format.json.JsonFormat") return std::make_unique<JsonFormat>();
  if (name == "io.confluent.connect.s3.format.bytearray.ByteArrayFormat") {
    const std::string separator = settings.text("format.bytearray.separator");
    return std::make_unique<ByteArrayFormat>(settings.text("format.bytearray.extension"),
                                             settings.names("format.bytearray.separator") ? separator : "\n");
  }
  return fail(ErrorCode::invalid_argument, "format class", "Class " + name + " could not be found.");
}

}  // namespace millrace::connect::s3

#include "connect/converters/json_line.h"

#include <algorithm>
#include <string_view>

#include "codec/base64.h"

namespace millrace::connect {
namespace {

// In valid JSON a line feed or carriage return stands between tokens only, beside punctuation: it can be left out.
void append_one_line(std::string_view json, Buffer& out) {
  while (true) {
    const auto end = std::min(json.find('\n'), json.find('\r'));
    out.append(json.substr(0, end));
    if (end == std::string_view::npos) return;
    json.remove_prefix(end + 1);
  }
}

}  // namespace

void append_json_line(const Datum& value, sql::Arena& arena, Buffer& out) {
  switch (value.kind) {
    case Datum::Kind::null:
      out.append("null");
      return;
    case Datum::Kind::bytes: {
      const std::size_t size = base64_size(value.bytes.size());
      out.push_back('"');
      encode_base64(value.bytes, reinterpret_cast<char*>(out.prepare(size)));
      out.commit(size);
      out.push_back('"');
      return;
    }
    case Datum::Kind::value:
      break;
  }
  if (value.value.form() == sql::Value::Form::node) {
    const sql::JsonDocument& document = value.value.document();
    return append_one_line(document.source_of(document.node(value.value.node())), out);
  }
  sql::TextWriter text(arena, 1024);
  sql::write_json(text, arena, value.value);
  append_one_line(text.finish(), out);
}

}  // namespace millrace::connect

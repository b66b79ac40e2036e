// Everything text that reaches the module from outside before a connector exists: REST bodies, configurations, URLs,
// patterns and notes. Beyond not failing: a configuration that was read is written and read back the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "connect/json_writer.h"
#include "connect/rest/requests.h"
#include "connect/runtime/config_provider.h"
#include "connect/runtime/validation.h"
#include "connect/settings/destination_url.h"
#include "connect/sinks/s3/object_set.h"
#include "connect/sinks/s3/partitioner.h"
#include "connect/transforms/time_text.h"

namespace {

using namespace millrace::connect;

bool is_plain(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(read_create_request(text));
  static_cast<void>(read_offsets(text));
  if (const auto changes = read_source_offsets(text)) {
    // One form: what was read is read again the same.
    for (const auto& [partition, offset] : *changes) {
      JsonWriter again;
      again.begin_object().key("offsets").begin_array().begin_object().key("partition").raw(partition);
      again.key("offset").raw(offset.value_or("null")).end_object().end_array().end_object();
      const auto reread = read_source_offsets(again.take());
      MR_ASSERT(reread && reread->begin()->first == partition);
    }
  }
  if (const auto config = read_config(text)) {
    JsonWriter json;
    json.begin_object();
    bool plain = true;
    for (const auto& [key, value] : *config) {
      json.member(key, value);
      plain = plain && is_plain(key) && is_plain(value);
    }
    const auto again = read_config(json.end_object().take());
    if (plain) MR_ASSERT(again && *again == *config);
    static_cast<void>(resolve(*config, {}));
    for (const ConnectorClass& one : connector_classes()) static_cast<void>(validate(one, *config));
  }
  static_cast<void>(url_fault(text));
  static_cast<void>(property(text, "key"));
  static_cast<void>(s3::Plan::parse(text));
  static_cast<void>(s3::parse_iso_time(text));
  const auto half = text.substr(0, size / 2);
  static_cast<void>(parse_time_text(half, text.substr(size / 2)));
  return 0;
}

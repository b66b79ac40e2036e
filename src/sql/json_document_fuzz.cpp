// Any bytes as JSON. What parses must be indexed consistently: spans inside the text, siblings inside their parents,
// every value JSON by itself, every string decodable within its own length.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "sql/json_document.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const millrace::sql::JsonDocument& document) {
  using namespace millrace::sql;
  const auto nodes = document.nodes();
  const std::size_t size = document.text().size();
  std::vector<char> decoded(size + 1);
  JsonDocument part;
  require(nodes[0].end == nodes.size());
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const JsonNode& node = nodes[i];
    require(node.at <= size && node.size <= size - node.at && node.key_at <= size &&
            node.key_size <= size - node.key_at);
    require(node.end > i && node.end <= nodes.size());
    if (node.type == JsonType::string) {
      require(decode_json_string(document.span_of(node), decoded.data()) <= node.size);
    }
    if (node.type != JsonType::array && node.type != JsonType::object) {
      require(node.end == i + 1);
      if (i < 8) require(part.parse(document.source_of(node)));
      continue;
    }
    std::uint32_t child = i + 1;
    while (child < node.end) child = nodes[child].end;
    require(child == node.end);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static millrace::sql::JsonDocument document;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (document.parse(text)) {
    check(document);
    (void)document.find(0, "a");
  } else if (document.fault_at() > size) {
    std::abort();
  }
  return 0;
}

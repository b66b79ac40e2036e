#include "connect/runtime/source_offsets.h"

#include "connect/json_members.h"
#include "connect/json_writer.h"

namespace millrace::connect {
namespace {

void write(JsonWriter& json, const sql::Value& value) {
  if (value.type() == sql::Value::Type::object && value.form() == sql::Value::Form::node) {
    const sql::JsonDocument& document = value.document();
    json.begin_object();
    for (std::uint32_t at = value.node() + 1; at < document.node(value.node()).end; at = document.node(at).end) {
      const sql::JsonNode& node = document.node(at);
      std::string name(node.key_size, '\0');
      name.resize(sql::decode_json_string(document.key_of(node), name.data()));
      write(json.key(name), sql::Value::of(document, at));
    }
    json.end_object();
  } else if (value.type() == sql::Value::Type::array) {
    json.begin_array();
    sql::ArrayItems items(value);
    while (const auto item = items.next()) write(json, *item);
    json.end_array();
  } else if (const auto text = scalar_text(value); !text) {
    json.null();
  } else if (value.is_string()) {
    json.value(*text);
  } else {
    json.raw(*text);
  }
}

}  // namespace

std::string compact_json(const sql::Value& value) {
  if (value.is_undefined()) return "";
  JsonWriter json;
  write(json, value);
  return json.take();
}

std::string SourceOffsets::key_of(std::string_view connector, std::string_view partition) {
  return JsonWriter().begin_array().value(connector).raw(partition).end_array().take();
}

void SourceOffsets::load(ByteView key, std::optional<ByteView> value) {
  sql::JsonDocument document;
  if (!document.parse(as_text(key))) return;
  const sql::Value array = root_of(document);
  const auto connector = scalar_text(array.element(0));
  const std::string partition = compact_json(array.element(1));
  if (!connector || partition.empty()) return;
  sql::JsonDocument kept;
  const bool readable = value && kept.parse(as_text(*value)) && !root_of(kept).is_null();
  all_->with([&](All& all) {
    if (readable) {
      all[*connector].positions[partition] = compact_json(root_of(kept));
    } else if (const auto found = all.find(*connector); found != all.end()) {
      found->second.positions.erase(partition);
    }
  });
}

SourcePositions SourceOffsets::of(const std::string& connector) const {
  return all_->with([&](const All& all) {
    const auto found = all.find(connector);
    return found == all.end() ? SourcePositions() : found->second.positions;
  });
}

SourceOffsets::Settled SourceOffsets::advance(const std::string& connector, SourcePositions positions) {
  all_->with([&](All& all) { ++all[connector].advances; });
  return [kept = all_, connector, positions = std::move(positions)](const Result<void>& outcome) {
    kept->with([&](All& all) {
      --all[connector].advances;
      if (!outcome) return;
      for (const auto& [partition, offset] : positions) all[connector].positions[partition] = offset;
    });
  };
}

bool SourceOffsets::advancing(const std::string& connector) const {
  return all_->with([&](const All& all) {
    const auto found = all.find(connector);
    return found != all.end() && found->second.advances != 0;
  });
}

void SourceOffsets::alter(const std::string& connector, const Changes& changes, topics::TableTopic::Done done) {
  struct Waiting {
    std::size_t left;
    Result<void> outcome;
    topics::TableTopic::Done done;
  };
  if (changes.empty()) return done({});
  const auto waiting = std::make_shared<Waiting>(Waiting{changes.size(), {}, std::move(done)});
  for (const auto& [partition, offset] : changes) {
    const std::string key = key_of(connector, partition);
    const auto value = offset ? std::optional(as_bytes(*offset)) : std::nullopt;
    table_->put(as_bytes(key), value, [this, waiting, connector, partition, offset](Result<void> written) {
      if (written) {
        all_->with([&](All& all) {
          if (offset) all[connector].positions[partition] = *offset;
          if (!offset) all[connector].positions.erase(partition);
        });
      } else {
        waiting->outcome = std::move(written);
      }
      if (--waiting->left == 0) waiting->done(std::move(waiting->outcome));
    });
  }
}

}  // namespace millrace::connect

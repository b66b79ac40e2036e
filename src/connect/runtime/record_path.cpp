#include "connect/runtime/record_path.h"

namespace millrace::connect {
namespace {

RecordPath::Way failure(FailedRecord& failed, const Origin& origin, Stage stage, std::string_view class_name,
                        const Error& error) {
  failed.origin = origin;
  failed.stage = stage;
  failed.class_name = class_name;
  failed.error_class = kDataException;
  failed.message = error.context;
  if (!error.detail.empty()) failed.message += ": " + error.detail;
  return RecordPath::Way::failed;
}

}  // namespace

Result<RecordPath::Step> RecordPath::converter_of(const Settings& settings, std::string_view key) {
  Step step;
  step.class_name = settings.text(key);
  const ConverterClass* found = find_converter(step.class_name);
  if (found == nullptr) return fail(ErrorCode::invalid_argument, "no such converter class", step.class_name);
  ConfigTable table;
  table.add(found->rows);
  step.converter = found->make(settings.part(std::string(key) + ".", std::move(table)));
  return step;
}

Result<RecordPath> RecordPath::make(const Settings& settings) {
  RecordPath path;
  MR_TRY_ASSIGN(path.key_, converter_of(settings, "key.converter"));
  MR_TRY_ASSIGN(path.value_, converter_of(settings, "value.converter"));
  MR_TRY_ASSIGN(path.header_, converter_of(settings, "header.converter"));
  MR_TRY_ASSIGN(path.transforms_, TransformChain::make(settings));
  return path;
}

RecordPath::Way RecordPath::convert(const Origin& origin, BatchRoom& room, std::vector<SinkRecord>& records,
                                    FailedRecord& failed) {
  RecordImage image;
  image.topic = origin.partition->topic;
  image.partition = origin.partition->partition.value();
  image.timestamp_ms = origin.timestamp_ms;
  auto key = key_.converter->to_datum(origin.key, room);
  if (!key) return failure(failed, origin, Stage::key_converter, key_.class_name, key.error());
  image.key = *key;
  auto value = value_.converter->to_datum(origin.value, room);
  if (!value) return failure(failed, origin, Stage::value_converter, value_.class_name, value.error());
  image.value = *value;
  if (!origin.headers.empty()) {
    auto* headers = room.arena().array<DatumHeader>(origin.headers.size());
    for (std::size_t i = 0; i < origin.headers.size(); ++i) {
      auto header = header_.converter->to_datum(origin.headers[i].value, room);
      if (!header) return failure(failed, origin, Stage::header_converter, header_.class_name, header.error());
      new (&headers[i]) DatumHeader{origin.headers[i].key, *header};
    }
    image.headers = {headers, origin.headers.size()};
  }
  records.emplace_back(origin, image);
  if (transforms_.empty()) return Way::kept;
  std::string_view step;
  const auto kept = transforms_.apply(records.back(), room, step);
  if (kept && *kept) return Way::kept;
  records.pop_back();
  if (!kept) return failure(failed, origin, Stage::transformation, step, kept.error());
  return Way::dropped;
}

RecordPath::Way RecordPath::reverse(SinkRecord& record, BatchRoom& room, Produced& into, FailedRecord& failed) {
  const Origin& origin = record.origin();
  if (!transforms_.empty()) {
    std::string_view step;
    const auto kept = transforms_.apply(record, room, step);
    if (!kept) return failure(failed, origin, Stage::transformation, step, kept.error());
    if (!*kept) return Way::dropped;
  }
  const RecordImage& image = record.image;
  const auto key = key_.converter->to_bytes(image.key, room);
  if (!key) return failure(failed, origin, Stage::key_converter, key_.class_name, key.error());
  const auto value = value_.converter->to_bytes(image.value, room);
  if (!value) return failure(failed, origin, Stage::value_converter, value_.class_name, value.error());
  into.headers.clear();
  for (const DatumHeader& header : image.headers) {
    const auto bytes = header_.converter->to_bytes(header.value, room);
    if (!bytes) return failure(failed, origin, Stage::header_converter, header_.class_name, bytes.error());
    into.headers.push_back({header.key, *bytes});
  }
  into.topic = image.topic;
  into.partition = image.partition;
  into.record = {.key = *key, .value = *value, .headers = into.headers, .timestamp_ms = image.timestamp_ms};
  return Way::kept;
}

}  // namespace millrace::connect

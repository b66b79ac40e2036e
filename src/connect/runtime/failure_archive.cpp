#include "connect/runtime/failure_archive.h"

#include "base/log.h"
#include "codec/base64.h"
#include "connect/json_members.h"
#include "connect/json_writer.h"
#include "model/record_batch.h"
#include "model/record_batch_builder.h"
#include "topics/batch_records.h"

namespace millrace::connect {
namespace {

constexpr std::size_t kPiece = 1_MiB;

std::optional<std::string> base64_of(const std::optional<ByteView>& bytes) {
  if (!bytes) return std::nullopt;
  return to_base64(*bytes);
}

/// nullopt: null, or no base64.
std::optional<std::string> bytes_of(const sql::Value& value) {
  const auto text = scalar_text(value);
  if (!text) return std::nullopt;
  std::string bytes(text->size() / 4 * 3, '\0');
  const auto size = decode_base64(*text, reinterpret_cast<std::uint8_t*>(bytes.data()));
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

std::string encode(const FailedRecord& failed) {
  const Origin& origin = failed.origin;
  JsonWriter json;
  json.begin_object().member("topic", origin.partition->topic);
  json.member("partition", origin.partition->partition.value()).member("offset", origin.offset.value());
  json.member("timestamp_ms", origin.timestamp_ms).member("key", base64_of(origin.key));
  json.member("value", base64_of(origin.value)).key("headers").begin_array();
  for (const RecordHeader& header : origin.headers) {
    json.begin_object().member("key", header.key).member("value", base64_of(header.value)).end_object();
  }
  json.end_array().member("stage", to_string(failed.stage)).member("error_class", failed.error_class);
  return json.member("message", failed.message).end_object().take();
}

}  // namespace

std::shared_ptr<topics::Partition> FailureArchive::partition() const {
  const auto table = log_.table();
  const topics::Topic* topic = table->find(kTopic);
  return topic == nullptr ? nullptr : topic->partitions.front();
}

Result<void> FailureArchive::keep(BlockingLog& log, const std::string& connector,
                                  std::span<const FailedRecord> failed) {
  MR_TRY(log.make_topic({.name = std::string(kTopic),
                         .partitions = 1,
                         .config = {{"cleanup.policy", "compact,delete"},
                                    {"retention.ms", "-1"},
                                    {"retention.bytes", std::string(kRetentionBytes)}}}));
  const auto to = partition();
  if (to == nullptr) return fail(ErrorCode::unavailable, "the topic is gone", std::string(kTopic));
  const auto max_bytes =
      static_cast<std::size_t>(log_.table()->find(kTopic)->log_config.max_message_bytes) - kBatchHeaderSize;
  RecordBatchBuilder builder;
  std::vector<topics::PartitionAppend> items;
  const auto finish = [&] {
    if (!builder.empty()) items.push_back({.partition = to, .batch = builder.finish()});
  };
  for (const FailedRecord& record : failed) {
    const LedgerKey key{connector, *record.origin.partition, record.origin.offset};
    const std::string key_text = key.encode();
    const std::string value = encode(record);
    const RecordView copy{
        .key = as_bytes(key_text), .value = as_bytes(value), .headers = {}, .timestamp_ms = clock_.wall().count()};
    const std::size_t size = RecordBatchBuilder::upper_bound(copy);
    if (size > max_bytes) {
      log::warn("failed_record_not_archived",
                {{"record", key_text}, {"bytes", size}, {"max.message.bytes of connect-failed-records", max_bytes}});
      continue;
    }
    if (builder.size_bytes() + size > max_bytes) finish();
    builder.append(copy);
  }
  finish();
  return log.append(std::move(items));
}

void FailureArchive::forget(const LedgerKey& key) {
  forgotten_.push_back(key);
  if (forgotten_.size() == 1) loop_.post([this] { send_tombstones(); });
}

void FailureArchive::send_tombstones() {
  const std::vector<LedgerKey> keys = std::exchange(forgotten_, {});
  const auto to = partition();
  if (to == nullptr) return;
  auto request = std::make_unique<topics::AppendRequest>();
  RecordBatchBuilder builder;
  for (const LedgerKey& key : keys) {
    const std::string text = key.encode();
    builder.append(
        {.key = as_bytes(text), .value = std::nullopt, .headers = {}, .timestamp_ms = clock_.wall().count()});
    if (builder.size_bytes() > 512_KiB) request->items.push_back({.partition = to, .batch = builder.finish()});
  }
  if (!builder.empty()) request->items.push_back({.partition = to, .batch = builder.finish()});
  request->reply_to = &loop_;
  request->done = [](std::unique_ptr<topics::AppendRequest>) {};  // a copy that stays does no harm
  log_.append(std::move(request));
}

Result<bool> FailureArchive::visit(Offset& next, const Visit& visit) const {
  const auto from = partition();
  if (from == nullptr) return false;
  next = std::max(next, from->log_start());
  if (next >= from->high_watermark()) return false;
  MR_TRY_ASSIGN(const auto read, from->read(next, kPiece));
  topics::BatchRecords records;
  for (const SharedBytes& batch : read.batches) {
    MR_TRY_ASSIGN(next, records.visit(batch.view(), next, [&](const ReadRecord& found) {
      if (!found.record.key) return;
      const auto key = LedgerKey::decode(*found.record.key);
      if (!key) return;
      visit(*key, found.record.value ? std::optional(as_text(*found.record.value)) : std::nullopt);
    }));
  }
  return true;
}

std::optional<SharedBytes> FailureArchive::batch_of(std::string_view json) {
  sql::JsonDocument document;
  if (!document.parse(json)) return std::nullopt;
  const sql::Value root = root_of(document);
  const auto key = bytes_of(root.member("key"));
  const auto value = bytes_of(root.member("value"));
  std::vector<std::pair<std::string, std::optional<std::string>>> kept;
  sql::ArrayItems items(root.member("headers"));
  while (const auto item = items.next()) kept.emplace_back(member_text(*item, "key"), bytes_of(item->member("value")));
  std::vector<RecordHeader> headers;
  const auto view = [](const std::optional<std::string>& bytes) {
    return bytes ? std::optional(as_bytes(*bytes)) : std::nullopt;
  };
  for (const auto& [name, bytes] : kept) headers.push_back({name, view(bytes)});
  RecordBatchBuilder builder;
  builder.append({.key = view(key),
                  .value = view(value),
                  .headers = headers,
                  .timestamp_ms = member_number(root, "timestamp_ms", kNoTimestamp)});
  SharedBytes batch = builder.finish();
  patch_base_offset({batch.mutable_data(), batch.size()}, Offset(member_number(root, "offset")), LeaderEpoch(0));
  return batch;
}

}  // namespace millrace::connect

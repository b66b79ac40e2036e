// Produce: batches go from the request's frame to the log as shared slices, checked but not copied and not taken apart.
// Nothing that a consumer could not read is let through: records are walked, of a compressed batch too. The answer
// leaves when everything is durable. An entry may hold several batches; if one of them is refused here, none of the
// entry is written.
#include "kafka/protocol/messages/produce.h"

#include <string>

#include "codec/compression.h"
#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/error_codes.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"
#include "model/record_batch.h"
#include "model/records_check.h"
#include "topics/batch_rules.h"

namespace millrace::kafka {
namespace {

// One partition entry of the request, in its order.
struct Entry {
  KafkaError error = KafkaError::none;
  const char* message = nullptr;  // string literal
  std::size_t first_item = 0;     // its batches in the append
  std::size_t items = 0;
  std::vector<std::int32_t> bad_records{};  // which of the refused batch are to blame (KIP-467)
};

struct Production {
  Request request;
  ProduceRequest message;
  std::vector<Entry> entries;
  std::uint64_t records = 0;
  MonoTime received{};
};

Entry refuse(KafkaError error, const char* message) {
  return {error, message, 0, 0, {}};
}

// The records of a batch whose header holds. too_large: over the limit when decompressed.
Result<void> check_body(Endpoint& endpoint, const BatchHeader& header, ByteView batch,
                        std::vector<std::int32_t>* keyless) {
  const ByteView body = batch.subspan(kBatchHeaderSize);
  if (header.compression() == Compression::none) return check_records(header, body, keyless);
  const std::size_t limit = endpoint.settings().decompressed_max_bytes;
  if (limit == 0) return {};
  Buffer& records = endpoint.scratch();
  records.clear();
  MR_TRY(decompress(static_cast<CompressionCodec>(header.compression()), body, limit, records));
  return check_records(header, records.view(), keyless);
}

// Appends the batches of one entry to `append`; takes them back when one is refused.
Entry add_batches(Endpoint& endpoint, const Production& production, ByteView records, const topics::Topic& topic,
                  const std::shared_ptr<topics::Partition>& partition, topics::AppendRequest& append,
                  std::uint64_t& record_count) {
  const SharedBytes& frame = production.request.frame();
  Entry entry;
  entry.first_item = append.items.size();
  std::uint64_t entry_records = 0;
  while (!records.empty()) {
    Result<BatchHeader> header = parse_batch_header(records);
    if (header && header->size_bytes() <= records.size()) {
      header = validate_produced_batch(records.first(header->size_bytes()));
    } else if (header) {
      header = fail(ErrorCode::malformed, "record batch is longer than the bytes that came");
    }
    if (header) {
      const std::int64_t now_ms = endpoint.clock().wall().count();
      if (const auto fits = topics::check_timestamps(*header, topic.log_config, now_ms); !fits) {
        header = std::unexpected(fits.error());
      }
    }
    KafkaError error = header ? KafkaError::none : batch_refusal(header.error().code);
    const char* message = header ? nullptr : header.error().context;
    if (header && header->transactional()) {
      error = KafkaError::invalid_txn_state;
      message = "transactions are not supported";
    } else if (header && header->compression() == Compression::zstd && production.request.version() < 7) {
      error = KafkaError::unsupported_compression;  // KIP-110
      message = "zstd needs Produce version 7";
    }
    if (error == KafkaError::none) {
      const auto good = check_body(endpoint, *header, records.first(header->size_bytes()),
                                   topic.log_config.compact ? &entry.bad_records : nullptr);
      if (!good) {
        error = body_refusal(good.error().code);
        message = good.error().context;
      }
    }
    const auto at = static_cast<std::size_t>(records.data() - frame.data());
    Result<SharedBytes> kept;
    if (error == KafkaError::none) {
      kept = topics::as_kept(*header, frame.slice(at, header->size_bytes()), topic.log_config.compression);
      if (!kept) error = body_refusal(kept.error().code);
      if (!kept) message = kept.error().context;
    }
    if (error != KafkaError::none) {
      append.items.resize(entry.first_item);
      Entry refused = refuse(error, message);
      refused.bad_records = std::move(entry.bad_records);
      return refused;
    }
    append.items.push_back({partition, std::move(*kept)});
    entry_records += static_cast<std::uint64_t>(header->record_count);
    records = records.subspan(header->size_bytes());
  }
  entry.items = append.items.size() - entry.first_item;
  if (entry.items == 0) return refuse(KafkaError::invalid_record, "no record batch");
  record_count += entry_records;
  return entry;
}

void respond(Endpoint& endpoint, Production& production, const topics::AppendRequest& append) {
  ServerMetrics& metrics = endpoint.metrics();
  ProduceResponse response;
  response.responses.reserve(production.message.topic_data.size());
  std::size_t next = 0;
  std::uint64_t refused = 0;
  const char* refused_because = "";
  for (const auto& topic : production.message.topic_data) {
    auto& out_topic = response.responses.emplace_back();
    out_topic.name = topic.name;
    out_topic.partition_responses.reserve(topic.partition_data.size());
    for (const auto& partition : topic.partition_data) {
      Entry& entry = production.entries[next++];
      auto& out = out_topic.partition_responses.emplace_back();
      out.index = partition.index;
      for (std::size_t i = entry.first_item; i < entry.first_item + entry.items; ++i) {
        const auto& outcome = append.items[i].outcome;
        if (!outcome) {
          entry.error = to_kafka(outcome.error().code);
          entry.message = outcome.error().context;
          break;
        }
        if (i != entry.first_item) continue;
        out.base_offset = outcome->base_offset.value();
        out.log_append_time_ms = outcome->log_append_time_ms;
        out.log_start_offset = outcome->log_start.value();
      }
      if (entry.error == KafkaError::none) continue;
      ++refused;
      out.error_code = code(entry.error);
      out.base_offset = -1;
      out.log_append_time_ms = -1;
      out.log_start_offset = -1;
      if (entry.message != nullptr) out.error_message = refused_because = entry.message;
      for (const std::int32_t record : entry.bad_records) out.record_errors.push_back({record, entry.message});
    }
  }
  metrics.batches_produced.add(append.items.size());
  metrics.records_produced.add(production.records);
  if (refused != 0) metrics.batches_refused.add(refused);
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(endpoint.clock().mono() - production.received);
  metrics.produce_latency.observe_us(static_cast<std::uint64_t>(took.count()));
  if (production.message.acks != 0) return production.request.respond(response);
  // There is no answer to carry an error, so the connection says it, as Apache Kafka's does.
  if (refused != 0) return production.request.close(CloseReason::produce_refused, refused_because);
  production.request.no_answer();
}

}  // namespace

void handle_produce(Endpoint& endpoint, Request request) {
  auto message = request.decode<ProduceRequest>();
  if (!message) return request.malformed(message.error());
  auto production = std::make_unique<Production>(std::move(request), std::move(*message));
  production->received = endpoint.clock().mono();
  const auto& table = endpoint.table();
  auto append = endpoint.take_append();
  const ProduceRequest& asked = production->message;
  const bool acks_known = asked.acks >= -1 && asked.acks <= 1;
  for (const auto& topic : asked.topic_data) {
    const topics::Topic* found = table->find(topic.name);
    const bool allowed = may_topic(production->request, AclOperation::write, topic.name);
    for (const auto& partition : topic.partition_data) {
      Entry& entry = production->entries.emplace_back();
      const auto target = find_partition(found, partition.index);
      if (!acks_known) {
        entry = refuse(KafkaError::invalid_required_acks, "acks must be 0, 1 or -1");
      } else if (asked.transactional_id) {
        entry = refuse(KafkaError::invalid_txn_state, "transactions are not supported");
      } else if (!allowed) {
        entry = refuse(KafkaError::topic_authorization_failed, nullptr);
      } else if (target == nullptr) {
        entry = refuse(KafkaError::unknown_topic_or_partition, nullptr);
      } else if (found->internal) {
        entry = refuse(KafkaError::invalid_topic, "clients may not write to millrace's own topics");
      } else {
        entry = add_batches(endpoint, *production, partition.records.value_or(ByteView{}), *found, target, *append,
                            production->records);
      }
    }
  }
  endpoint.trim_scratch();
  if (append->items.empty()) {
    respond(endpoint, *production, *append);
    return endpoint.give_back(std::move(append));
  }
  append->reply_to = &endpoint.executor();
  production->request.connection().begin_append();
  append->done = [&endpoint, production = std::move(production)](std::unique_ptr<topics::AppendRequest> done) {
    production->request.connection().end_append();
    respond(endpoint, *production, *done);
    endpoint.give_back(std::move(done));
  };
  endpoint.log().append(std::move(append));
}

}  // namespace millrace::kafka

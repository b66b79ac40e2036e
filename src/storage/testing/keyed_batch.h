// Batches of keyed records and what a reader of a compacted topic makes of them. Tests only.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/endian.h"
#include "codec/compression.h"
#include "model/record_batch_builder.h"
#include "model/record_reader.h"
#include "storage/partition_log.h"

namespace millrace::storage {

struct Keyed {
  std::string key;
  std::optional<std::string> value;  // nullopt: a tombstone
};

struct KeyedBatch {
  std::int64_t timestamp_ms = 1'700'000'000'000;
  ProducerId producer = kNoProducer;
  std::int32_t sequence = kNoSequence;
  CompressionCodec codec = CompressionCodec::none;
};

inline SharedBytes keyed_batch(const std::vector<Keyed>& records, const KeyedBatch& form = {}) {
  RecordBatchBuilder builder;
  std::int64_t timestamp = form.timestamp_ms;
  for (const Keyed& record : records) {
    const auto value = record.value ? std::optional(as_bytes(*record.value)) : std::nullopt;
    builder.append({.key = as_bytes(record.key), .value = value, .headers = {}, .timestamp_ms = timestamp++});
  }
  const SharedBytes plain =
      builder.finish(form.producer, form.producer == kNoProducer ? kNoProducerEpoch : ProducerEpoch(0), form.sequence);
  if (form.codec == CompressionCodec::none) return plain;
  Buffer bytes;
  bytes.append(plain.view().first(kBatchHeaderSize));
  EXPECT_TRUE(compress(form.codec, plain.view().subspan(kBatchHeaderSize), bytes));
  store_be(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - kBatchOverhead));
  store_be(bytes.data() + 21, static_cast<std::int16_t>(form.codec));
  store_be(bytes.data() + 17, compute_batch_crc(bytes.view()));
  return SharedBytes(std::move(bytes));
}

struct KeyedRecord {
  Offset offset;
  std::int64_t timestamp_ms = 0;
  Keyed record;
};

/// The records of one batch, decompressed when need be; fails the test when they do not decode.
inline std::vector<KeyedRecord> records_of(ByteView batch) {
  std::vector<KeyedRecord> records;
  const auto header = parse_batch_header(batch);
  EXPECT_TRUE(header && batch_crc_matches(batch));
  if (!header) return records;
  Buffer plain;
  ByteView section = batch.subspan(kBatchHeaderSize);
  if (header->compression() != Compression::none) {
    EXPECT_TRUE(decompress(static_cast<CompressionCodec>(header->compression()), section, 64_MiB, plain));
    section = plain.view();
  }
  RecordReader reader(*header, section);
  while (!reader.done()) {
    const auto record = reader.next();
    EXPECT_TRUE(record);
    if (!record) return records;
    const auto& view = record->record;
    Keyed keyed{std::string(as_text(view.key.value_or(ByteView()))), std::nullopt};
    if (view.value) keyed.value = std::string(as_text(*view.value));
    records.push_back({record->offset, view.timestamp_ms, std::move(keyed)});
  }
  EXPECT_TRUE(reader.finish());
  return records;
}

/// Every record from the log start on; fails the test on an error.
inline std::vector<KeyedRecord> keyed_records(PartitionLog& partition, std::size_t max_bytes = 64_KiB) {
  std::vector<KeyedRecord> records;
  Offset next = partition.log_start();
  while (next < partition.high_watermark()) {
    const auto read = partition.read(next, max_bytes);
    if (!read || read->batches.empty()) {
      ADD_FAILURE() << "at " << next.value() << ": " << (read ? "nothing" : read.error().message());
      return records;
    }
    for (const SharedBytes& batch : read->batches) {
      for (KeyedRecord& record : records_of(batch.view())) {
        if (record.offset >= next) records.push_back(std::move(record));
      }
      next = parse_batch_header(batch.view())->next_offset();
    }
  }
  return records;
}

/// Key to value, as a table reads it.
inline std::map<std::string, std::string> table_of(const std::vector<KeyedRecord>& records) {
  std::map<std::string, std::string> table;
  for (const KeyedRecord& one : records) {
    if (one.record.value) {
      table[one.record.key] = *one.record.value;
    } else {
      table.erase(one.record.key);
    }
  }
  return table;
}

}  // namespace millrace::storage

#include "load/batch_template.h"

#include "base/endian.h"
#include "base/rng.h"
#include "model/record_batch_builder.h"

namespace millrace::load {

BatchTemplate::BatchTemplate(std::size_t record_bytes, std::size_t batch_bytes, const std::vector<std::string>& keys)
    : record_bytes_(record_bytes) {
  Rng rng(record_bytes);
  std::string value(record_bytes, ' ');
  RecordBatchBuilder builder;
  do {
    for (char& c : value) c = static_cast<char>('!' + rng.below(90));
    RecordView record;
    if (!keys.empty()) record.key = as_bytes(keys[ends_.size() % keys.size()]);
    record.value = as_bytes(value);
    if (!ends_.empty() && builder.size_bytes() + RecordBatchBuilder::upper_bound(record) > batch_bytes) break;
    builder.append(record);
    ends_.push_back(builder.size_bytes());
  } while (true);
  bytes_ = builder.finish();
}

std::uint8_t* BatchTemplate::copy(Buffer& out, std::uint32_t records) const {
  const std::size_t at = out.size();
  out.append(bytes_.view().first(size(records)));
  return out.data() + at;
}

void BatchTemplate::seal(std::uint8_t* batch, std::uint32_t records, const Head& head) const {
  const std::size_t bytes = size(records);
  store_be(batch + 8, static_cast<std::int32_t>(bytes - kBatchOverhead));
  store_be(batch + 23, static_cast<std::int32_t>(records - 1));
  store_be(batch + 27, head.timestamp_ms);
  store_be(batch + 35, head.timestamp_ms);
  store_be(batch + 43, head.producer.value());
  store_be(batch + 51, head.epoch);
  store_be(batch + 53, head.base_sequence);
  store_be(batch + 57, static_cast<std::int32_t>(records));
  store_be(batch + 17, compute_batch_crc({batch, bytes}));
}

}  // namespace millrace::load

// The fetching half of KafkaRun.
#include <algorithm>

#include <fmt/format.h>

#include "load/kafka_run.h"
#include "model/record_reader.h"

namespace millrace::load {

bool KafkaRun::all_read() const {
  return std::ranges::all_of(consumers_, [](const Consumer& consumer) {
    return std::ranges::all_of(consumer.positions, [](const auto& position) { return position.next >= position.end; });
  });
}

void KafkaRun::ask(Consumer& consumer) {
  constexpr std::int32_t kMaxWaitMs = 500;
  constexpr std::int32_t kMaxBytes = 50 << 20;
  out_.clear();
  KafkaRequest frame(out_, kFetch, consumer.correlation++);
  frame.body().be(std::int32_t{-1});
  frame.body().be(kMaxWaitMs);
  frame.body().be(std::int32_t{1});  // min bytes
  frame.body().be(kMaxBytes);
  frame.body().u8(0);  // read uncommitted
  frame.body().be(std::int32_t{1});
  frame.text(plan_.topic);
  frame.body().be(static_cast<std::int32_t>(consumer.positions.size()));
  for (const Consumer::Position& position : consumer.positions) {
    frame.body().be(position.partition);
    frame.body().be(position.next);
    frame.body().be(static_cast<std::int32_t>(plan_.fetch_bytes));
  }
  frame.finish();
  if (!consumer.link.send(out_.view())) lose(consumer.link, consumer.link.why());
}

bool KafkaRun::on_fetched(Consumer& consumer, ByteReader in) {
  const std::uint64_t now = now_ns();
  in.skip(4);  // throttle time
  if (in.be<std::int32_t>() != 1) return false;
  (void)read_kafka_text(in);
  for (std::int32_t left = in.be<std::int32_t>(); left > 0 && in.ok(); --left) {
    const std::int32_t partition = in.be<std::int32_t>();
    const std::int16_t code = in.be<std::int16_t>();
    in.skip(16);  // high watermark, last stable offset
    const std::int32_t aborted = in.be<std::int32_t>();
    if (aborted > 0) in.skip(static_cast<std::size_t>(aborted) * 16);
    const std::int32_t size = in.be<std::int32_t>();
    const ByteView records = in.bytes(size < 0 ? 0 : static_cast<std::size_t>(size));
    const auto position = std::ranges::find(consumer.positions, partition, &Consumer::Position::partition);
    if (!in.ok() || position == consumer.positions.end()) return false;
    if (code != 0) {
      if (result_.first_trouble.empty()) {
        result_.first_trouble = fmt::format("Fetch of partition {}: {}", partition, kafka_error_name(code));
      }
      return false;
    }
    if (!take_batches(*position, records, now)) return false;
  }
  // A broker fills a response in the order of the question: turn it, so that every partition gets its turn under
  // kMaxBytes.
  std::ranges::rotate(consumer.positions, consumer.positions.begin() + (consumer.positions.size() > 1 ? 1 : 0));
  if (in.ok()) ask(consumer);
  return in.ok();
}

bool KafkaRun::take_batches(Consumer::Position& position, ByteView bytes, std::uint64_t now) {
  while (bytes.size() >= kBatchHeaderSize) {
    const Result<BatchHeader> header = parse_batch_header(bytes);
    if (!header) return false;
    if (header->size_bytes() > bytes.size()) break;  // cut short by the limit of bytes
    const ByteView batch = bytes.first(header->size_bytes());
    bytes = bytes.subspan(header->size_bytes());
    position.next = header->next_offset().value();
    result_.total_fetched += static_cast<std::uint64_t>(header->record_count);
    result_.fetched_bytes += batch.size();
    // Only this run's records carry stamps of this clock.
    if (!recording_ || producers_.empty() || plan_.from_start || header->compression() != Compression::none) continue;
    RecordReader reader = RecordReader::of_batch(*header, batch);
    while (!reader.done()) {
      const Result<ReadRecord> record = reader.next();
      if (!record) return false;
      if (!record->record.value || record->record.value->size() < BatchTemplate::kStampBytes) continue;
      const auto due = load_be<std::uint64_t>(record->record.value->data());
      result_.end_to_end.record(now - std::min(now, due));
    }
  }
  return true;
}

}  // namespace millrace::load

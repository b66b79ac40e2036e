// The producing half of KafkaRun.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "load/kafka_run.h"

namespace millrace::load {
namespace {

constexpr std::int32_t kTimeoutMs = 30'000;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

}  // namespace

std::uint32_t KafkaRun::ready_records(const Lane& lane, std::uint32_t index, std::uint64_t now) const {
  const std::uint32_t most = templates_[index % lanes_per_producer_].max_records();
  if (!plan_.open_loop()) return most;
  const std::uint64_t waiting = Pacer::share_of(due_, index, lanes_.size()) - lane.sent;
  if (waiting >= most) return most;
  if (waiting == 0) return 0;
  const std::uint64_t oldest = pacer_.due(Pacer::index_of(lane.sent, index, lanes_.size()));
  return now - oldest >= static_cast<std::uint64_t>(plan_.linger * 1e9) ? static_cast<std::uint32_t>(waiting) : 0;
}

std::uint64_t KafkaRun::next_batch_due(std::uint64_t now) const {
  if (producers_.empty() || !plan_.open_loop()) return kNever;
  // A lane that waits for its linger time is looked at every 200 us at the latest: 64 lanes cost nothing, a heap would.
  return std::max(pacer_.due(due_), now + 200'000);
}

void KafkaRun::append_part(Producer& producer, std::uint32_t index, std::uint32_t records, std::uint64_t now,
                           Request& request) {
  Lane& lane = lanes_[index];
  const BatchTemplate& batch = templates_[index % lanes_per_producer_];
  BatchTemplate::Head head;
  head.timestamp_ms = SystemClock().wall().count();
  if (plan_.idempotent) {
    head.producer = producer.id;
    head.epoch = 0;
    head.base_sequence = lane.next_sequence;
    lane.next_sequence =
        static_cast<std::int32_t>((static_cast<std::uint32_t>(lane.next_sequence) + records) & 0x7FFF'FFFFU);
  }
  ByteWriter out(out_);
  out.be(lane.partition);
  out.be(static_cast<std::int32_t>(batch.size(records)));
  if (plan_.open_loop()) {
    batch.append(out_, records, head,
                 [&](std::uint32_t i) { return pacer_.due(Pacer::index_of(lane.sent + i, index, lanes_.size())); });
  } else {
    batch.append(out_, records, head, [now](std::uint32_t) { return now; });
  }
  request.parts.push_back({index, records, lane.sent});
  lane.sent += records;
  result_.total_sent += records;
}

void KafkaRun::produce(Producer& producer) {
  while (sending_ && producer.link.open() && !producer.link.blocked() &&
         producer.under_way.size() < static_cast<std::size_t>(plan_.in_flight)) {
    const std::uint64_t now = now_ns();
    out_.clear();
    KafkaRequest frame(out_, kProduce, producer.correlation);
    frame.body().be(std::int16_t{-1});  // no transaction
    frame.body().be(static_cast<std::int16_t>(plan_.acks));
    frame.body().be(kTimeoutMs);
    frame.body().be(std::int32_t{1});
    frame.text(plan_.topic);
    const std::size_t count_at = out_.size();
    frame.body().be(std::int32_t{0});
    Request request{now, {}};
    for (std::uint32_t tried = 0; tried < lanes_per_producer_; ++tried) {
      const std::uint32_t index = producer.first_lane + producer.next_lane;
      const std::uint32_t records = ready_records(lanes_[index], index, now);
      producer.next_lane = (producer.next_lane + 1) % lanes_per_producer_;
      if (records == 0) continue;
      append_part(producer, index, records, now, request);
      if (request.parts.size() == static_cast<std::size_t>(plan_.batches_per_request)) break;
    }
    if (request.parts.empty()) return;
    store_be(out_.data() + count_at, static_cast<std::int32_t>(request.parts.size()));
    frame.finish();
    ++producer.correlation;
    producer.under_way.push_back(std::move(request));
    if (!producer.link.send(out_.view())) return lose(producer.link, producer.link.why());
  }
}

bool KafkaRun::on_produced(Producer& producer, ByteReader in) {
  if (producer.under_way.empty()) return false;
  const Request request = std::move(producer.under_way.front());
  producer.under_way.pop_front();
  const std::uint64_t now = now_ns();
  ++result_.requests;
  if (in.be<std::int32_t>() != 1) return false;
  (void)read_kafka_text(in);
  const std::int32_t count = in.be<std::int32_t>();
  if (count != static_cast<std::int32_t>(request.parts.size())) return false;
  std::vector<bool> answered(request.parts.size());
  for (std::size_t answer = 0; answer < request.parts.size(); ++answer) {
    const std::int32_t partition = in.be<std::int32_t>();
    const std::int16_t code = in.be<std::int16_t>();
    in.skip(24);  // base offset, log append time, log start offset
    // Apache Kafka answers in an order of its own, millrace in that of the request.
    std::size_t at = answer;
    if (lanes_[request.parts[at].lane].partition != partition) {
      const auto asked =
          std::ranges::find(request.parts, partition, [this](const Part& part) { return lanes_[part.lane].partition; });
      at = static_cast<std::size_t>(asked - request.parts.begin());
    }
    if (!in.ok() || at == request.parts.size() || answered[at]) return false;
    answered[at] = true;
    const Part& part = request.parts[at];
    if (code != 0) {
      result_.refused += part.records;
      if (result_.first_trouble.empty()) {
        result_.first_trouble = fmt::format("partition {}: {}", partition, kafka_error_name(code));
      }
      continue;
    }
    result_.total_acknowledged += part.records;
    if (!recording_) continue;
    if (!plan_.open_loop()) {
      result_.acknowledgement.record(now - request.sent_ns, part.records);
      continue;
    }
    for (std::uint32_t i = 0; i < part.records; ++i) {
      const std::uint64_t due = pacer_.due(Pacer::index_of(part.first + i, part.lane, lanes_.size()));
      result_.acknowledgement.record(now - std::min(now, due));
    }
  }
  return true;
}

}  // namespace millrace::load

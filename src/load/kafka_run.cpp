#include "load/kafka_run.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::load {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kReadBytes = 1_MiB;
constexpr std::size_t kLargestFrame = 256_MiB;

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

}  // namespace

Result<KafkaResult> KafkaRun::run() {
  MR_TRY(prepare());
  MR_TRY(connect());
  MR_TRY(measure());
  return std::move(result_);
}

Result<void> KafkaRun::prepare() {
  MR_TRY_ASSIGN(server_, resolve(plan_.host, plan_.port));
  MR_TRY_ASSIGN(KafkaConnection control, KafkaConnection::open(plan_.host, plan_.port));
  if (plan_.create && plan_.producers > 0) {
    MR_TRY(control.create_topic(plan_.topic, static_cast<std::int32_t>(plan_.partitions)));
  }
  MR_TRY_ASSIGN(const KafkaTopic topic, control.topic(plan_.topic));
  result_.partitions = static_cast<std::int64_t>(topic.partitions.size());
  for (const KafkaPartition& partition : topic.partitions) {
    if (partition.leader != topic.partitions[0].leader) {
      return fail(ErrorCode::invalid_argument, "the topic is spread over several brokers; this generator drives one",
                  plan_.topic);
    }
  }
  if (topic.partitions.empty()) return fail(ErrorCode::not_found, "the topic has no partitions", plan_.topic);

  lanes_per_producer_ = static_cast<std::uint32_t>(topic.partitions.size());
  for (std::uint32_t p = 0; plan_.producers > 0 && p < lanes_per_producer_; ++p) {
    std::vector<std::string> keys;  // key i belongs to partition i mod partitions
    for (std::int64_t key = p; key < plan_.keys; key += lanes_per_producer_) keys.push_back(fmt::format("D{:06}", key));
    if (plan_.keys > 0 && keys.empty()) keys.push_back(fmt::format("D{:06}", p));
    templates_.emplace_back(static_cast<std::size_t>(plan_.record_bytes), static_cast<std::size_t>(plan_.batch_bytes),
                            keys);
    result_.records_per_batch = templates_.back().max_records();
  }
  producers_.resize(static_cast<std::size_t>(plan_.producers));
  for (Producer& producer : producers_) {
    producer.first_lane = static_cast<std::uint32_t>(lanes_.size());
    for (const KafkaPartition& partition : topic.partitions) lanes_.push_back({partition.index, 0, 0});
    if (plan_.idempotent) {
      MR_TRY_ASSIGN(const std::int64_t id, control.producer_id());
      producer.id = ProducerId(id);
    }
  }
  consumers_.resize(std::min(static_cast<std::size_t>(plan_.consumers), topic.partitions.size()));
  const bool from_start = plan_.producers == 0 || plan_.from_start;
  for (std::size_t i = 0; i < topic.partitions.size() && !consumers_.empty(); ++i) {
    const std::int32_t partition = topic.partitions[i].index;
    MR_TRY_ASSIGN(const std::int64_t end, control.offset(plan_.topic, partition, -1));
    MR_TRY_ASSIGN(const std::int64_t first, control.offset(plan_.topic, partition, -2));
    const std::int64_t next = from_start ? first : end;
    result_.records_there += end - first;
    consumers_[i % consumers_.size()].positions.push_back({partition, next, end});
  }
  return {};
}

Result<void> KafkaRun::connect() {
  std::uint32_t id = 0;
  for (Producer& producer : producers_) MR_TRY(producer.link.connect(server_, poller_, id++));
  for (Consumer& consumer : consumers_) MR_TRY(consumer.link.connect(server_, poller_, id++));
  const std::uint64_t start = now_ns();
  while (connected_ < producers_.size() + consumers_.size() && result_.lost_connections == 0) {
    poll(kSecond / 10);
    if (now_ns() - start > 10 * kSecond) break;
  }
  if (connected_ < producers_.size() + consumers_.size()) {
    return fail(ErrorCode::unavailable, "cannot connect", fmt::format("{}: {}", server_.name, result_.first_trouble));
  }
  return {};
}

void KafkaRun::lose(Link& link, std::string_view why) {
  link.close();
  ++result_.lost_connections;
  if (result_.first_trouble.empty()) result_.first_trouble = why;
}

template <class OnFrame>
bool KafkaRun::read_frames(Link& link, Buffer& in, OnFrame&& on_frame) {
  bool drained = false;
  while (!drained) {
    if (!link.receive_into(in, kReadBytes, drained)) return false;
    std::size_t used = 0;
    while (in.size() - used >= 8) {
      const auto size = static_cast<std::size_t>(load_be<std::uint32_t>(in.data() + used));
      if (size < 4 || size > kLargestFrame) return false;
      if (in.size() - used < size + 4) {
        in.reserve(size + 4 + kReadBytes);
        break;
      }
      if (!on_frame(ByteReader(in.view(used + 8, size - 4)))) return false;
      used += size + 4;
    }
    in.consume(used);
  }
  return true;
}

void KafkaRun::poll(std::uint64_t timeout_ns) {
  for (const Poller::Event& event : poller_.wait(timeout_ns)) {
    const bool is_producer = event.id < producers_.size();
    Producer* const producer = is_producer ? &producers_[event.id] : nullptr;
    Consumer* const consumer = is_producer ? nullptr : &consumers_[event.id - producers_.size()];
    Link& link = is_producer ? producer->link : consumer->link;
    if (!link.open()) continue;
    if (event.writable) {
      const std::size_t all = producers_.size() + consumers_.size();
      if (connected_ < all && link.blocked()) {
        if (Result<void> done = link.finish_connect(); !done) {
          lose(link, done.error().message());
          continue;
        }
        ++connected_;
      }
      if (!link.flush()) {
        lose(link, link.why());
        continue;
      }
    }
    if (event.readable) {
      const bool fine = is_producer
                            ? read_frames(link, producer->in, [&](ByteReader in) { return on_produced(*producer, in); })
                            : read_frames(link, consumer->in, [&](ByteReader in) { return on_fetched(*consumer, in); });
      if (!fine) {
        lose(link, link.why().empty() ? "a response that does not follow the protocol" : link.why());
        continue;
      }
    }
    if (is_producer && sending_) produce(*producer);
  }
}

Result<void> KafkaRun::measure() {
  const std::uint64_t start = now_ns();
  const std::uint64_t measure_at = start + to_ns(plan_.warmup);
  const std::uint64_t end_at = measure_at + to_ns(plan_.duration);
  if (plan_.open_loop()) pacer_ = Pacer(plan_.rate, start);
  sending_ = true;
  for (Consumer& consumer : consumers_) ask(consumer);

  std::uint64_t measured_from = 0;
  double own_cpu = 0;
  KafkaResult base;
  while (true) {
    const std::uint64_t now = now_ns();
    if (!recording_ && now >= measure_at) {
      MR_TRY_ASSIGN(result_.before, sample_processes(plan_.pids));
      own_cpu = own_cpu_seconds();
      measured_from = now_ns();
      base.total_acknowledged = result_.total_acknowledged;
      base.total_fetched = result_.total_fetched;
      base.fetched_bytes = result_.fetched_bytes;
      base.requests = result_.requests;
      recording_ = true;
    }
    result_.reached_end = producers_.empty() && all_read();
    if (now >= end_at || (recording_ && result_.reached_end)) break;
    if (result_.lost_connections == producers_.size() + consumers_.size()) {
      return fail(ErrorCode::unavailable, "every connection was lost", result_.first_trouble);
    }
    if (plan_.open_loop()) due_ = pacer_.count_due(now);
    for (Producer& producer : producers_) produce(producer);
    const std::uint64_t wake = std::min(recording_ ? end_at : measure_at, next_batch_due(now));
    const std::uint64_t before_poll = now_ns();
    poll(wake > before_poll ? wake - before_poll : 0);
  }
  result_.seconds = static_cast<double>(now_ns() - measured_from) / 1e9;
  result_.acknowledged = result_.total_acknowledged - base.total_acknowledged;
  result_.fetched = result_.total_fetched - base.total_fetched;
  result_.fetched_bytes -= base.fetched_bytes;
  result_.requests -= base.requests;
  result_.generator_cores = (own_cpu_seconds() - own_cpu) / result_.seconds;
  MR_TRY_ASSIGN(result_.after, sample_processes(plan_.pids));
  sending_ = false;
  drain();
  return {};
}

void KafkaRun::drain() {
  const std::uint64_t start = now_ns();
  const auto missing = [this] {
    const bool produced = result_.total_acknowledged + result_.refused >= result_.total_sent;
    const bool from_end = !consumers_.empty() && !producers_.empty() && !plan_.from_start;
    return result_.lost_connections == 0 &&
           (!produced || (from_end && result_.total_fetched < result_.total_acknowledged));
  };
  while (missing() && now_ns() - start < to_ns(plan_.drain)) poll(kSecond / 50);
}

}  // namespace millrace::load

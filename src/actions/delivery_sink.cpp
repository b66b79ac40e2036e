#include "actions/delivery_sink.h"

#include <algorithm>
#include <latch>
#include <map>

#include "actions/courier.h"
#include "actions/settlement.h"
#include "base/worker_thread.h"
#include "connect/runtime/validation.h"

namespace millrace::actions {
namespace {

using connect::Outcome;
using connect::SinkRecord;
using State = RequestProgress::State;

class DeliverySink final : public connect::Sink {
 public:
  DeliverySink(connect::SinkContext context, const DeliveryHost& host, LineFiles& files)
      : context_(std::move(context)), host_(host), files_(files), settlement_(host, context_.rng()) {}

  Result<void> open(std::span<const connect::LaneStart> lanes) override {
    for (const connect::LaneStart& lane : lanes) {
      partitions_.push_back(lane.partition->partition.value());
      MR_TRY_ASSIGN(auto marked, settlement_.read_marks(partitions_.back(), lane.next));
      marked_.push_back(std::move(marked));
    }
    couriers_.resize(std::max<std::size_t>(host_.connections, 1));
    chains_.resize(couriers_.size());
    return {};
  }

  /// Until the first batch among them is full, or its first message has waited long enough. One that is for no batch
  /// is never held up for others.
  std::optional<std::chrono::milliseconds> open_for(std::span<const SinkRecord> gathered) override {
    constexpr std::chrono::milliseconds kNow{0};
    if (gathered.size() < gathering_.deliveries.size()) gathering_ = {};
    for (const SinkRecord& record : gathered.subspan(gathering_.deliveries.size())) {
      const auto& delivery =
          gathering_.deliveries.emplace_back(rules::decode_delivery(record.origin().value.value_or(ByteView{})));
      gathering_.close = gathering_.close || !delivery || !add_company(chain_of(record.origin()), *delivery);
    }
    if (gathering_.close || !gathering_.due) return kNow;
    // A message from the future (a clock that was set back) waits no longer than any other.
    constexpr std::int64_t kLongest = 60'000;
    return std::chrono::milliseconds(std::min(*gathering_.due - host_.clock.wall().count(), kLongest));
  }

  Outcome put(std::span<const SinkRecord> records) override {
    jobs_.clear();
    jobs_.resize(records.size());
    for (auto& chain : chains_) chain.clear();
    Gathering gathered = std::exchange(gathering_, {});
    for (std::size_t i = 0; i < records.size(); ++i) {
      take(records[i], jobs_[i], i < gathered.deliveries.size() ? &gathered.deliveries[i] : nullptr);
    }
    // A destination that took something is asked again at once; waiting is for when it takes nothing.
    std::size_t left = pending();
    Courier::Delay delay = run_chains();
    while (delay.error && pending() < left && delay.retry_after.value_or(std::chrono::milliseconds(0)).count() == 0 &&
           !context_.stopping) {
      left = pending();
      delay = run_chains();
    }
    if (auto written = settle(); !written) return Outcome::retry(std::move(written).error());
    const auto open = std::ranges::find_if(jobs_, [](const Job& job) { return !job.kept->settled; });
    const auto taken = static_cast<std::size_t>(open - jobs_.begin());
    for (std::size_t i = 0; i < taken; ++i) kept_.erase({records[i].origin().lane, records[i].origin().offset});
    if (open == jobs_.end()) return Outcome::done();
    if (!delay.error) delay.error = Error{ErrorCode::closed, "the deliveries are stopping", ""};
    Outcome waiting = Outcome::retry(std::move(*delay.error), taken);
    waiting.retry_after = delay.retry_after;
    return waiting;
  }

 private:
  /// What is known of a delivery that is not settled with all before it; it comes again until it is.
  struct Kept {
    std::vector<RequestProgress> requests;
    bool settled = false;
  };
  /// The batch that is open: what open_for() has seen of it, which put() takes over.
  struct Gathering {
    std::vector<Result<rules::Delivery>> deliveries;
    std::map<std::pair<std::size_t, std::string_view>, std::uint32_t> company;  // by chain and URL
    std::optional<std::int64_t> due;
    bool close = false;
  };
  struct Job {
    rules::Delivery delivery;
    Kept* kept = nullptr;
    std::int32_t partition = 0;
    Offset offset;
    bool readable = false;
    ByteView bytes;
  };

  /// Those of one key stand in one chain.
  [[nodiscard]] std::size_t chain_of(const connect::Origin& origin) const {
    const std::string_view key = origin.key ? as_text(*origin.key) : std::string_view();
    return rules::destination_hash(key) % chains_.size();
  }

  /// False: it makes a batch full, or is for none.
  bool add_company(std::size_t chain, const rules::Delivery& delivery) {
    for (const rules::DeliveryRequest& request : delivery.requests) {
      if (request.max_batch_size < 2 || request.max_batch_open_ms == 0) return false;
      if (++gathering_.company[{chain, request.target}] >= request.max_batch_size) return false;
      const std::int64_t end = delivery.received_at_ms + request.max_batch_open_ms;
      gathering_.due = std::min(gathering_.due.value_or(end), end);
    }
    return true;
  }

  /// `before`: what was decoded of it, which is taken; null: nothing.
  void take(const SinkRecord& record, Job& job, Result<rules::Delivery>* before) {
    const connect::Origin& origin = record.origin();
    job.kept = &kept_[{origin.lane, origin.offset}];
    job.partition = partitions_[origin.lane];
    job.offset = origin.offset;
    if (marked_[origin.lane].erase(origin.offset) != 0) job.kept->settled = true;
    if (job.kept->settled) return;
    job.bytes = origin.value.value_or(ByteView{});
    auto decoded = before != nullptr ? std::move(*before) : rules::decode_delivery(job.bytes);
    job.readable = decoded.has_value();
    if (!decoded) return;
    job.delivery = std::move(*decoded);
    job.kept->requests.resize(job.delivery.requests.size());
    auto& chain = chains_[chain_of(origin)];
    for (std::size_t i = 0; i < job.delivery.requests.size(); ++i) {
      chain.push_back({&job.delivery, &job.delivery.requests[i], &job.kept->requests[i], job.partition, job.offset, i});
    }
  }

  [[nodiscard]] std::size_t pending() const {
    std::size_t count = 0;
    for (const auto& chain : chains_) {
      count += static_cast<std::size_t>(
          std::ranges::count(chain, State::pending, [](const Errand& errand) { return errand.progress->state; }));
    }
    return count;
  }

  /// The first chain on this thread, the others beside it.
  Courier::Delay run_chains() {
    std::vector<std::size_t> busy;
    for (std::size_t i = 0; i < chains_.size(); ++i) {
      if (!chains_[i].empty()) busy.push_back(i);
    }
    std::vector<Courier::Delay> delays(busy.size());
    const auto run = [&](std::size_t number) { delays[number] = courier(busy[number]).run(chains_[busy[number]]); };
    for (const std::size_t chain : busy) courier(chain);
    std::latch others(busy.empty() ? 0 : static_cast<std::ptrdiff_t>(busy.size() - 1));
    for (std::size_t i = 1; i < busy.size(); ++i) {
      while (threads_.size() < i) threads_.push_back(std::make_unique<WorkerThread>("deliver"));
      threads_[i - 1]->post([&run, &others, i] {
        run(i);
        others.count_down();
      });
    }
    if (!busy.empty()) run(0);
    others.wait();
    Courier::Delay first;
    for (Courier::Delay& delay : delays) {
      if (delay.error && !first.error) first.error = std::move(delay.error);
      if (delay.retry_after)
        first.retry_after = std::max(first.retry_after.value_or(*delay.retry_after), *delay.retry_after);
    }
    return first;
  }

  Courier& courier(std::size_t chain) {
    auto& made = couriers_[chain];
    if (!made) made = std::make_unique<Courier>(host_, files_, context_.stopping);
    return *made;
  }

  /// Answers and error messages into the log; then what they belong to is settled.
  Result<void> settle() {
    std::vector<Job*> settled;
    for (Job& job : jobs_) {
      if (job.kept->settled) continue;
      if (!job.readable) {
        settlement_.add_unreadable(job.bytes, job.partition, job.offset);
        settled.push_back(&job);
        continue;
      }
      std::vector<rules::Failure> failures;
      bool pending = false;
      for (std::size_t i = 0; i < job.kept->requests.size(); ++i) {
        RequestProgress& progress = job.kept->requests[i];
        const rules::DeliveryRequest& request = job.delivery.requests[i];
        if (progress.answer_waits) {
          if (auto refused = settlement_.add_answer(request, progress.answer)) {
            progress.state = State::failed;
            progress.reason = std::move(*refused);
            progress.answer_waits = false;
          }
        }
        pending = pending || progress.state == State::pending;
        if (progress.state == State::failed)
          failures.push_back({rules::failed_action_name(request.kind), request.target, progress.reason});
      }
      if (pending) continue;
      settled.push_back(&job);
      if (!failures.empty() && !job.delivery.reported)
        settlement_.add_error(job.delivery, failures, job.partition, job.offset);
    }
    MR_TRY(files_.sync());
    MR_TRY(settlement_.finish());
    for (Job& job : jobs_) {
      for (RequestProgress& progress : job.kept->requests) progress.answer_waits = false;
    }
    for (Job* const job : settled) {
      job->kept->settled = true;
      if (job->readable) count(*job);
    }
    return {};
  }

  void count(const Job& job) {
    const auto counters = host_.counters(job.delivery.rule);
    if (!counters || job.delivery.is_error) return;
    for (const RequestProgress& progress : job.kept->requests) {
      auto& counter = progress.state == State::taken ? counters->actions_ok : counters->actions_failed;
      counter.fetch_add(1, std::memory_order_relaxed);
    }
    const bool failed = std::ranges::any_of(
        job.kept->requests, [](const RequestProgress& progress) { return progress.state == State::failed; });
    if (failed && !job.delivery.reported && job.delivery.error.kind != rules::DeliveryError::Kind::none) {
      counters->error_actions.fetch_add(1, std::memory_order_relaxed);
    }
  }

  connect::SinkContext context_;
  const DeliveryHost& host_;
  LineFiles& files_;
  Settlement settlement_;
  std::vector<std::int32_t> partitions_;  // by lane
  std::vector<std::set<Offset>> marked_;  // by lane: error message written before a crash
  std::map<std::pair<std::uint32_t, Offset>, Kept> kept_;
  Gathering gathering_;
  std::vector<Job> jobs_;  // of this put()
  std::vector<std::vector<Errand>> chains_;
  std::vector<std::unique_ptr<Courier>> couriers_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
};

}  // namespace

std::unique_ptr<connect::Sink> make_delivery_sink(connect::SinkContext context, const DeliveryHost& host,
                                                  LineFiles& files) {
  return std::make_unique<DeliverySink>(std::move(context), host, files);
}

const connect::SinkClass& delivery_sink_class() {
  static const connect::SinkClass row{
      .class_name = "millrace.rules.DeliverySink",
      .version = "1",
      .rows = {},
      .limits = [](const connect::Settings&) { return connect::BatchLimits{.records = 500, .bytes = 4_MiB}; },
      .retries =
          [](const connect::Settings&) {
            return connect::RetryLimits{-1, std::chrono::milliseconds(300), std::chrono::milliseconds(30'000)};
          },
      .make = nullptr,
  };
  return row;
}

connect::Settings delivery_settings() {
  constexpr std::string_view kBytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
  connect::ConnectorConfig config;
  for (const char* const key : {"key.converter", "value.converter", "header.converter"}) config.emplace(key, kBytes);
  return connect::settings_of(delivery_sink_class(), std::move(config), {});
}

}  // namespace millrace::actions

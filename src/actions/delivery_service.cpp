#include "actions/delivery_service.h"

#include "actions/delivery_sink.h"
#include "base/log.h"
#include "base/thread_name.h"
#include "rules/delivery.h"

namespace millrace::actions {
namespace {

constexpr std::int64_t kMemory = 64 << 20;

}  // namespace

DeliveryService::DeliveryService(DeliveryHost host, topics::OffsetStore& offsets,
                                 const connect::Surroundings& surroundings, metrics::Registry& metrics, Options options)
    : host_(std::move(host)),
      offsets_(offsets),
      files_(host_.files),
      no_failures_(host_.clock, *executor_),
      memory_(kMemory),
      tasks_host_{host_.log, offsets, no_failures_, memory_, surroundings, options.bookmark_interval},
      options_(options) {
  register_metrics(metrics);
}

void DeliveryService::start() {
  thread_ = std::thread([this] {
    name_this_thread("deliveries");
    run();
  });
}

void DeliveryService::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  executor_->post([] {});
  thread_.join();
}

void DeliveryService::run() {
  const auto table = host_.log.table();
  const topics::Topic* const topic = table->find(rules::kRuleDeliveryTopic);
  if (topic == nullptr) return;
  for (const auto& partition : topic->partitions) watch(partition);
  while (!stopping_) {
    executor_->run_until([this] { return stopping_.load(); }, options_.trim_interval);
    if (!stopping_ && !tasks_.empty()) trim();
  }
  for (const auto& partition : topic->partitions) partition->cancel_waits(*executor_);
  for (const auto& task : tasks_) task->stop();
  tasks_.clear();
}

void DeliveryService::watch(const std::shared_ptr<topics::Partition>& partition) {
  if (partition->high_watermark() > partition->log_start()) return start_task(partition);
  partition->when_beyond(partition->high_watermark(), *executor_, [this, partition] {
    if (!stopping_) start_task(partition);
  });
}

void DeliveryService::start_task(const std::shared_ptr<topics::Partition>& partition) {
  connect::SinkTask::Setup setup;
  setup.connector = kConnector;
  setup.number = partition->name().partition.value();
  setup.sink_class = &delivery_sink_class();
  setup.settings = delivery_settings();
  setup.partitions = {partition};
  setup.make = [this](connect::SinkContext context) { return make_delivery_sink(std::move(context), host_, files_); };
  setup.seed = options_.seed + static_cast<std::uint64_t>(setup.number);
  auto task = std::make_unique<connect::SinkTask>(
      tasks_host_, std::move(setup), [number = setup.number](connect::State state, const std::string& trace) {
        if (!trace.empty())
          log::warn("rule_deliveries", {{"task", number}, {"state", to_string(state)}, {"error", trace}});
      });
  task->start();
  watched_.with([&](auto& watched) { watched.push_back({setup.number, task->shared_counters()}); });
  tasks_.push_back(std::move(task));
}

void DeliveryService::trim() {
  offsets_.fetch(connect::SinkTask::group_of(kConnector), *executor_,
                 [this, alive = executor_](Result<topics::CommittedOffsets> bookmarks) {
                   if (!bookmarks || stopping_) return;
                   std::vector<topics::RecordDeletion> deletions;
                   const auto table = host_.log.table();
                   const topics::Topic* const topic = table->find(rules::kRuleDeliveryTopic);
                   for (const auto& [name, committed] : *bookmarks) {
                     const auto index = static_cast<std::size_t>(name.partition.value());
                     if (topic == nullptr || name.topic != topic->name || index >= topic->partitions.size()) continue;
                     if (committed.offset > topic->partitions[index]->log_start())
                       deletions.push_back({name, committed.offset});
                   }
                   if (deletions.empty()) return;
                   host_.log.delete_records(std::move(deletions), *executor_, [alive](auto) {});
                 });
}

void DeliveryService::register_metrics(metrics::Registry& metrics) {
  struct Row {
    std::string_view name;
    std::string_view help;
    std::uint64_t connect::TaskCounts::* counter;
  };
  static constexpr Row kRows[] = {
      {"millrace_rule_deliveries_pending", "Deliveries of rules that wait for their destination",
       &connect::TaskCounts::pending},
      {"millrace_rule_deliveries_settled", "Deliveries that are done, or failed for good, since the task started",
       &connect::TaskCounts::delivered},
      {"millrace_rule_deliveries_retries", "Repetitions since the task started", &connect::TaskCounts::retries},
  };
  for (const Row& row : kRows) {
    metrics.collect_gauge(row.name, row.help, [this, counter = row.counter] {
      std::vector<metrics::Registry::Sample> samples;
      watched_.with([&](const auto& all) {
        for (const Watched& one : all) {
          samples.push_back(
              {{{"partition", std::to_string(one.partition)}}, static_cast<double>(one.counters->read().*counter)});
        }
      });
      return samples;
    });
  }
}

}  // namespace millrace::actions

#include "kafka/server/partition_watches.h"

#include <algorithm>

namespace millrace::kafka {

PartitionWatches::~PartitionWatches() {
  for (auto& [key, watch] : watches_) watch.partition->cancel_waits(executor_);
}

void PartitionWatches::watch(const std::shared_ptr<topics::Partition>& partition, Offset beyond,
                             const std::shared_ptr<Waiter>& waiter) {
  const auto [at, made] = watches_.try_emplace(partition.get());
  at->second.waiters.push_back(waiter);
  if (!made) {
    // Armed already, for an offset that was the high watermark then: not later than this one.
    return;
  }
  at->second.partition = partition;
  partition->when_beyond(beyond, executor_, [this, key = partition.get()] { fire(key); });
}

void PartitionWatches::unwatch(const topics::Partition* partition, const Waiter* waiter) {
  const auto at = watches_.find(partition);
  if (at == watches_.end()) return;
  std::erase_if(at->second.waiters, [waiter](const auto& entry) { return entry.get() == waiter; });
}

void PartitionWatches::fire(const topics::Partition* partition) {
  auto node = watches_.extract(partition);
  if (node.empty()) return;
  // Whoever is not content watches again, which arms anew.
  for (const auto& waiter : node.mapped().waiters) waiter->on_news();
}

}  // namespace millrace::kafka

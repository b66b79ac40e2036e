// The commit cycle of DiskLog. Thread: the log thread.
#include <algorithm>

#include "base/assert.h"
#include "base/endian.h"
#include "storage/disk_log.h"

namespace millrace::storage {
namespace {

constexpr std::int64_t kProducerIdBlock = 1000;
constexpr std::size_t kBatchCrcAt = 17;

}  // namespace

DiskLog::PartitionPtr DiskLog::find_planned(const Planned& planned, const TopicPartition& name) const {
  if (const auto it = planned.created.find(name); it != planned.created.end()) return it->second;
  const std::scoped_lock lock(mutex_);
  const auto it = table_.find(name);
  return it == table_.end() ? nullptr : it->second;
}

// Judges each change as if those before it had happened, and puts the good ones into the group. Nothing is changed yet.
void DiskLog::plan(std::span<PartitionChange> changes, Planned& planned) {
  planned.next_partition = next_partition_;
  for (PartitionChange& change : changes) {
    if (auto* create = std::get_if<CreatePartition>(&change)) {
      if (!is_valid_topic_name(create->spec.name.topic) || create->spec.name.partition.value() < 0) {
        create->outcome = fail(ErrorCode::invalid_argument, "partition name", create->spec.name.to_string());
      } else if (find_planned(planned, create->spec.name)) {
        create->outcome = fail(ErrorCode::already_exists, "partition exists", create->spec.name.to_string());
      } else {
        auto partition =
            std::make_shared<Partition>(files_, open_files_, planned.next_partition, create->spec, Offset(0));
        ++planned.next_partition;
        group_.add(CreateEntry{partition->id(), create->spec});
        planned.created[create->spec.name] = partition;
        create->outcome = partition;
      }
    } else if (auto* removal = std::get_if<DeletePartition>(&change)) {
      const PartitionPtr partition = find_planned(planned, removal->name);
      removal->outcome = {};
      if (!partition) {
        removal->outcome = fail(ErrorCode::not_found, "no such partition", removal->name.to_string());
      } else {
        group_.add(DeleteEntry{partition->id()});
        planned.created[removal->name] = nullptr;
        planned.deleted.push_back(partition);
      }
    } else if (auto* configure = std::get_if<ConfigurePartition>(&change)) {
      const PartitionPtr partition = find_planned(planned, configure->name);
      configure->outcome = {};
      if (!partition) {
        configure->outcome = fail(ErrorCode::not_found, "no such partition", configure->name.to_string());
      } else {
        group_.add(ConfigureEntry{partition->id(), configure->config, configure->properties});
        planned.configured.emplace_back(partition, configure);
      }
    } else if (auto* trim = std::get_if<TrimPartition>(&change)) {
      const PartitionPtr partition = find_planned(planned, trim->name);
      trim->outcome = {};
      if (!partition) {
        trim->outcome = fail(ErrorCode::not_found, "no such partition", trim->name.to_string());
      } else if (trim->offset.value() < 0 || trim->offset > partition->high_watermark()) {
        trim->outcome = fail(ErrorCode::out_of_range, "trim beyond the high watermark", trim->name.to_string());
      } else if (trim->offset > partition->log_start()) {
        group_.add(TrimEntry{partition->id(), trim->offset});
        planned.trimmed.emplace_back(partition, trim->offset);
      }
    }
  }
}

Result<void> DiskLog::commit(std::span<PartitionChange> changes, std::span<Append* const> appends) {
  MR_TRY(usable());
  if (options_.bugs.acknowledge_early) MR_TRY(write_late_group());
  group_.clear();
  payload_.clear();
  touched_.clear();
  Planned planned;
  if (!changes.empty()) plan(changes, planned);

  const MonoTime started = clock_.mono();
  const std::int64_t now_ms = clock_.wall().count();
  std::uint64_t duplicates = 0;
  for (Append* const append : appends) {
    MR_ASSERT(append->partition != nullptr);
    auto& partition = static_cast<Partition&>(*append->partition);
    const bool going =
        std::ranges::any_of(planned.deleted, [&](const PartitionPtr& p) { return p.get() == &partition; });
    if (going) {
      append->outcome = fail(ErrorCode::not_found, "partition was deleted");
      continue;
    }
    const bool first = partition.staged().empty();
    append->outcome = partition.stage(append->batch, now_ms);
    if (first && !partition.staged().empty()) touched_.push_back(&partition);
    if (append->outcome && append->outcome->duplicate) ++duplicates;
  }
  if (duplicates > 0) metrics_.duplicates.add(duplicates);
  for (Partition* const partition : touched_) {
    for (const StoredBatch& batch : partition->staged()) {
      group_.add_append({partition->id(), batch.base, static_cast<std::uint32_t>(batch.bytes.size()),
                         load_be<std::uint32_t>(batch.bytes.data() + kBatchCrcAt)});
      payload_.push_back(batch.bytes.view());
    }
  }
  if (group_.empty()) return {};

  if (options_.bugs.publish_before_sync) publish_appends();
  if (auto written = write_group(now_ms); !written) {
    for (Partition* const partition : touched_) partition->unstage();
    if (written.error().code != ErrorCode::disk_full && written.error().code != ErrorCode::too_large) {
      return died(written.error());
    }
    metrics_.refused.add();
    return written;
  }
  sealed_ = false;
  metrics_.commits.add();
  metrics_.batches.add(payload_.size());
  metrics_.bytes.add(group_.payload_bytes());
  apply(planned);
  if (!options_.bugs.publish_before_sync) publish_appends();
  journal_.after_publish();
  tails_.evict();
  metrics_.commit_seconds.observe(clock_.mono() - started);
  return {};
}

Result<void> DiskLog::write_group(std::int64_t now_ms) {
  if (!options_.bugs.acknowledge_early) return journal_.write(group_, payload_, now_ms);
  LateGroup late;
  std::swap(late.group, group_);
  for (const ByteView batch : payload_) late.batches.push_back(SharedBytes::copy_of(batch));
  late_ = std::move(late);
  return {};
}

Result<void> DiskLog::write_late_group() {
  if (!late_) return {};
  std::vector<ByteView> batches;
  for (const SharedBytes& batch : late_->batches) batches.push_back(batch.view());
  auto written = journal_.write(late_->group, batches, clock_.wall().count());
  if (!written) return died(written.error());
  late_.reset();
  return {};
}

Result<void> DiskLog::seal() {
  MR_TRY(usable());
  if (sealed_ || options_.bugs.acknowledge_early) return {};
  group_.clear();
  if (auto written = journal_.write(group_, {}, clock_.wall().count()); !written) {
    if (written.error().code == ErrorCode::disk_full) return written;
    return died(written.error());
  }
  journal_.after_publish();
  sealed_ = true;
  return {};
}

void DiskLog::apply(const Planned& planned) {
  for (const PartitionPtr& partition : planned.deleted) partition->mark_deleted();
  for (const auto& [partition, configure] : planned.configured)
    partition->configure(configure->config, configure->properties);
  for (const auto& [partition, log_start] : planned.trimmed) doom(partition->trim(log_start));
  if (planned.created.empty()) return;
  const std::scoped_lock lock(mutex_);
  next_partition_ = planned.next_partition;
  for (const PartitionPtr& partition : planned.deleted) {
    const auto it = table_.find(partition->name());
    if (it != table_.end() && it->second == partition) table_.erase(it);
    removed_.push_back(partition);
  }
  for (const auto& [name, partition] : planned.created) {
    if (partition) table_[name] = partition;
  }
}

void DiskLog::publish_appends() {
  const MonoTime now = clock_.mono();
  for (Partition* const partition : touched_) {
    const std::size_t count = partition->staged().size();
    std::uint64_t bytes = 0;
    for (const StoredBatch& batch : partition->staged()) bytes += batch.bytes.size();
    const PartitionPtr owner = std::static_pointer_cast<Partition>(partition->shared_from_this());
    // Counted before it can be evicted.
    tails_.added(owner, count, bytes);
    const Partition::Published published = partition->publish(now, options_.write_piece_bytes);
    if (published.first) note_waiting(owner, now);
    if (published.piece) note_piece(owner);
  }
}

void DiskLog::note_waiting(const PartitionPtr& partition, MonoTime since) {
  const std::scoped_lock lock(mutex_);
  if (partition->listed_as_waiting) return;
  partition->listed_as_waiting = true;
  waiting_.push_back({since, partition});
}

void DiskLog::note_piece(const PartitionPtr& partition) {
  const std::scoped_lock lock(mutex_);
  pieces_.push_back(partition);
}

void DiskLog::doom(std::vector<SegmentRef> segments) {
  if (segments.empty()) return;
  const std::scoped_lock lock(mutex_);
  for (SegmentRef& segment : segments) doomed_segments_.push_back(std::move(segment.files));
}

Result<ProducerId> DiskLog::next_producer_id() {
  MR_TRY(usable());
  if (next_producer_ == producers_reserved_) {
    if (options_.bugs.acknowledge_early) MR_TRY(write_late_group());
    const std::int64_t reserved = producers_reserved_ + kProducerIdBlock;
    group_.clear();
    group_.add(ProducerIdsEntry{ProducerId(reserved)});
    if (auto written = journal_.write(group_, {}, clock_.wall().count()); !written) {
      if (written.error().code == ErrorCode::disk_full) return std::unexpected(written.error());
      return died(written.error());
    }
    sealed_ = false;
    {
      const std::scoped_lock lock(mutex_);
      producers_reserved_ = reserved;
    }
    journal_.after_publish();
  }
  return ProducerId(next_producer_++);
}

}  // namespace millrace::storage

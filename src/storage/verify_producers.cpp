#include "storage/verify_producers.h"

#include <fmt/format.h>

namespace millrace::storage {

void ProducerCheck::add_snapshot(Offset at, std::string path, std::vector<SnapshotEntry> entries) {
  // What was the newest batch then may have been compacted away since, for the sake of a newer one.
  if (!compacted_) snapshots_[at] = {std::move(path), std::move(entries)};
}

void ProducerCheck::pass(const BatchHeader& header) {
  judge_snapshots(header.base_offset);
  seen_.apply(header, 0);
  next_ = header.next_offset();
}

void ProducerCheck::judge_snapshots(Offset up_to) {
  while (!snapshots_.empty() && snapshots_.begin()->first <= up_to) {
    const Snapshot snapshot = std::move(snapshots_.begin()->second);
    snapshots_.erase(snapshots_.begin());
    for (const SnapshotEntry& entry : snapshot.entries) {
      if (entry.last_offset < from_) continue;
      const ProducerEntry* const seen = seen_.find(entry.id);
      if (seen != nullptr && seen->epoch == entry.epoch && seen->newest().last_sequence == entry.last_sequence &&
          seen->newest().last_offset == entry.last_offset) {
        continue;
      }
      bad_[snapshot.path] = fmt::format("producer {} did not end at offset {} with sequence {}", entry.id.value(),
                                        entry.last_offset.value(), entry.last_sequence);
    }
  }
}

std::optional<std::string> ProducerCheck::judge_table(const ProducerTable& table) {
  judge_snapshots(next_);
  for (const ProducerState& state : table.states()) {
    const ProducerEntry& said = *table.find(state.id);
    const ProducerEntry* const seen = seen_.find(state.id);
    for (std::size_t back = 1; back <= said.size(); ++back) {
      const ProducerBatch& batch = said.at(said.size() - back);
      if (batch.last_offset < from_) break;
      // Compaction keeps the newest batch of a producer; older ones may be gone.
      if (back > 1 && compacted_) break;
      const bool right = seen != nullptr && seen->epoch == said.epoch && back <= seen->size() &&
                         seen->at(seen->size() - back).last_offset == batch.last_offset &&
                         seen->at(seen->size() - back).first_sequence == batch.first_sequence &&
                         seen->at(seen->size() - back).last_sequence == batch.last_sequence;
      if (right) continue;
      return fmt::format("producer {} has no batch of sequences {} to {} that ends at offset {}", state.id.value(),
                         batch.first_sequence, batch.last_sequence, batch.last_offset.value());
    }
  }
  return std::nullopt;
}

}  // namespace millrace::storage

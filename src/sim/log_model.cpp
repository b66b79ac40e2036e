#include "sim/log_model.h"

#include <algorithm>

namespace millrace::sim {
namespace {

std::string text(Offset offset) {
  return std::to_string(offset.value());
}

// What stands at `offset`, if it is what was promised there; otherwise why not.
std::optional<std::string> record_differs(const ModelPartition& model, const SeenPartition::Record& record) {
  const ModelBatch* batch = model.find(record.offset);
  if (batch == nullptr) return "has a record at " + text(record.offset) + " that nobody appended there";
  const auto at = static_cast<std::size_t>(record.offset - batch->base);
  if (batch->records[at] != record.name) {
    return "has record " + record.name.to_string() + " at " + text(record.offset) + ", promised was " +
           batch->records[at].to_string();
  }
  if (batch->timestamps[at] != record.timestamp_ms) return "has another timestamp at " + text(record.offset);
  return std::nullopt;
}

// After compaction: the last record of every key is there, unless it deleted the key long enough ago; then nothing
// older of that key is. The newest record of all is there in any case.
std::optional<std::string> compacted_differs(const ModelPartition& model, const SeenPartition& seen,
                                             const RecordSource& source, std::int64_t now_ms) {
  Offset next = seen.log_start;
  for (const auto& record : seen.records) {
    if (record.offset < next) return "has offset " + text(record.offset) + " behind " + text(next);
    if (auto wrong = record_differs(model, record)) return wrong;
    next = record.offset + 1;
  }
  if (seen.log_start < seen.high_watermark && next != seen.high_watermark) return "lost its newest record";
  struct Newest {
    Offset offset;
    RecordName name;
    std::int64_t timestamp_ms = 0;
  };
  std::map<std::string, Newest> newest;
  for (const ModelBatch& batch : model.batches) {
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
      const Offset offset = batch.base + static_cast<std::int64_t>(i);
      if (offset >= seen.log_start)
        newest[source.key(batch.records[i])] = {offset, batch.records[i], batch.timestamps[i]};
    }
  }
  std::map<std::string, Offset> last_seen;
  for (const auto& record : seen.records) last_seen[source.key(record.name)] = record.offset;
  for (const auto& [key, last] : newest) {
    const auto it = last_seen.find(key);
    if (it != last_seen.end() && it->second == last.offset) continue;
    if (!source.tombstone(last.name)) return "lost the last value of '" + key + "' at " + text(last.offset);
    if (it != last_seen.end())
      return "shows '" + key + "' at " + text(it->second) + ", which was deleted at " + text(last.offset);
    if (model.delete_retention_ms == storage::LogConfig::kNever ||
        last.timestamp_ms + model.delete_retention_ms > now_ms) {
      return "lost the tombstone of '" + key + "' at " + text(last.offset) + " before its time";
    }
  }
  return std::nullopt;
}

std::optional<std::string> partition_differs(const ModelPartition& model, const SeenPartition& seen,
                                             const RecordSource& source, std::int64_t now_ms) {
  if (seen.topic_id != model.topic_id) return "has another topic id";
  if (!(seen.config == model.config)) return "has another configuration";
  if (seen.properties != model.properties)
    return "has properties '" + seen.properties + "', not '" + model.properties + "'";
  if (seen.high_watermark != model.end()) {
    return "ends at " + text(seen.high_watermark) + ", promised was " + text(model.end());
  }
  if (seen.log_start < model.log_start) {
    return "starts at " + text(seen.log_start) + ", went back from " + text(model.log_start);
  }
  if (auto objection = model.objection_to_start(seen.log_start, now_ms)) return objection;
  if (model.compacted) return compacted_differs(model, seen, source, now_ms);
  Offset next = seen.log_start;
  for (const auto& record : seen.records) {
    if (record.offset != next) return "has offset " + text(record.offset) + " where " + text(next) + " was due";
    if (auto wrong = record_differs(model, record)) return wrong;
    next = next + 1;
  }
  if (next != seen.high_watermark) return "cannot be read from " + text(next) + " on";
  return std::nullopt;
}

}  // namespace

const ModelBatch* ModelPartition::find(Offset offset) const {
  const auto after = std::upper_bound(batches.begin(), batches.end(), offset,
                                      [](Offset wanted, const ModelBatch& batch) { return wanted < batch.base; });
  if (after == batches.begin()) return nullptr;
  const ModelBatch& batch = *(after - 1);
  return offset < batch.next() ? &batch : nullptr;
}

std::optional<std::string> ModelPartition::objection_to_start(Offset start, std::int64_t now_ms) const {
  if (start <= log_start) return std::nullopt;
  if (start > end()) return "starts at " + text(start) + ", behind its end";
  std::uint64_t kept = 0;
  for (const ModelBatch& batch : batches) kept += batch.next() > start ? batch.bytes : 0;
  const bool by_size =
      config.delete_old && config.retention_bytes >= 0 && kept >= static_cast<std::uint64_t>(config.retention_bytes);
  for (const ModelBatch& batch : batches) {
    if (batch.next() <= log_start || batch.base >= start || by_size) continue;
    if (!config.delete_old || config.retention_ms < 0 || batch.timestamp_ms + config.retention_ms > now_ms) {
      return "starts at " + text(start) + ": no retention allows to drop " + text(batch.base);
    }
  }
  return std::nullopt;
}

void ModelPartition::configure(const storage::LogConfig& next) {
  config = next;
  if (!next.compact) return;
  compacted = true;
  delete_retention_ms = std::min(delete_retention_ms, next.delete_retention_ms);
}

std::uint64_t LogModel::compacted_away(const SeenLog& seen) const {
  std::uint64_t count = 0;
  for (const auto& [name, partition] : seen) {
    count += static_cast<std::uint64_t>(partition.high_watermark - partition.log_start) - partition.records.size();
  }
  return count;
}

void LogModel::apply(const ModelGroup& group) {
  for (const auto& name : group.deletes) partitions.erase(name);
  for (const auto& create : group.creates) {
    partitions[create.name] = {create.topic_id, create.config, create.properties, {}, Offset(0)};
    partitions[create.name].configure(create.config);
  }
  for (const auto& change : group.configures) {
    partitions[change.name].configure(change.config);
    partitions[change.name].properties = change.properties;
  }
  for (const auto& trim : group.trims) {
    ModelPartition& partition = partitions[trim.name];
    partition.log_start = std::max(partition.log_start, trim.offset);
  }
  for (const auto& append : group.appends) partitions[append.name].batches.push_back(append.batch);
}

std::optional<std::string> LogModel::differs(const SeenLog& seen, std::int64_t now_ms) const {
  for (const auto& [name, partition] : seen) {
    const auto it = partitions.find(name);
    if (it == partitions.end()) return name.to_string() + " should not be there";
    if (auto wrong = partition_differs(it->second, partition, *source_, now_ms)) return name.to_string() + " " + *wrong;
  }
  for (const auto& [name, partition] : partitions) {
    if (!seen.contains(name)) return name.to_string() + " is missing";
  }
  return std::nullopt;
}

void LogModel::follow_starts(const SeenLog& seen) {
  for (const auto& [name, partition] : seen) {
    const auto it = partitions.find(name);
    if (it != partitions.end()) it->second.log_start = std::max(it->second.log_start, partition.log_start);
  }
}

}  // namespace millrace::sim

#include "sim/log_reader.h"

#include "model/record_reader.h"

namespace millrace::sim {
namespace {

struct SeenBatch {
  Offset base;
  Offset next;
  std::vector<SeenPartition::Record> records;
};

// One stored batch, or why it is not what anybody wrote.
Result<SeenBatch> decode(const RecordSource& source, ByteView bytes) {
  MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(bytes));
  if (header.size_bytes() != bytes.size()) return fail(ErrorCode::corrupt, "batch has another length than its bytes");
  if (!batch_crc_matches(bytes)) return fail(ErrorCode::corrupt, "batch fails its checksum");
  SeenBatch batch{header.base_offset, header.next_offset(), {}};
  RecordReader reader = RecordReader::of_batch(header, bytes);
  while (!reader.done()) {
    MR_TRY_ASSIGN(const ReadRecord read, reader.next());
    const auto name = source.name(read.record);
    if (!name) return fail(ErrorCode::corrupt, "record that nobody wrote");
    batch.records.push_back({read.offset, *name, read.record.timestamp_ms});
  }
  MR_TRY(reader.finish());
  return batch;
}

// What the outside was told of `offset`, the commit in doubt included.
const ModelBatch* promised(const LogWorld& world, const TopicPartition& name, Offset offset) {
  const auto it = world.model.partitions.find(name);
  if (it == world.model.partitions.end()) return nullptr;
  if (const ModelBatch* batch = it->second.find(offset)) return batch;
  if (!world.in_doubt) return nullptr;
  for (const auto& append : world.in_doubt->appends) {
    if (append.name == name && append.batch.base <= offset && offset < append.batch.next()) return &append.batch;
  }
  return nullptr;
}

void note_watermarks(LogWorld& world, const TopicPartition& name, Offset start, Offset high_watermark) {
  Offset& seen = world.starts_seen[name];
  if (start < seen) world.violate(name.to_string() + ": log start went back under a reader");
  seen = std::max(seen, start);
  const auto it = world.model.partitions.find(name);
  if (it == world.model.partitions.end()) return;
  if (high_watermark < it->second.end())
    world.violate(name.to_string() + ": high watermark below what was acknowledged");
  if (high_watermark > it->second.end()) world.doubt_was_seen = true;
}

}  // namespace

void read_somewhere(LogWorld& world, Rng& rng) {
  if (world.handles.empty()) return;
  auto it = world.handles.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(rng.below(world.handles.size())));
  const TopicPartition name = it->first;
  const auto partition = it->second;
  const Offset start = partition->log_start();
  const Offset end = partition->high_watermark();
  note_watermarks(world, name, start, end);
  const Offset from(rng.between(start.value(), std::max(start, end).value()));
  const auto read = partition->read(from, rng.chance(1, 2) ? 1 : 4_KiB);
  ++world.counts.reads;
  if (!read) {
    const bool gone = partition->deleted() || from < partition->log_start();
    // After a failed sync the kernel may have dropped pages: told as damage until the process is gone.
    const bool dropped = world.fault_planned && read.error().code == ErrorCode::corrupt;
    if (!gone && !dropped && world.disk.running()) {
      world.violate(name.to_string() + ": read at " + std::to_string(from.value()) + ": " + read.error().message());
    }
    return;
  }
  const auto still = world.handles.find(name);
  if (partition->deleted() || still == world.handles.end() || still->second != partition) return;
  world.trace.note("read", static_cast<std::uint64_t>(from.value()), read->bytes);
  if (read->batches.empty() && from < end) {
    world.violate(name.to_string() + ": nothing at " + std::to_string(from.value()) + " below the high watermark");
  }
  Offset next = from;
  for (const SharedBytes& batch : read->batches) {
    const auto decoded = decode(world.source, batch.view());
    if (!decoded) return world.violate(name.to_string() + ": served " + decoded.error().message());
    if (decoded->base > next) {
      return world.violate(name.to_string() + ": gap before " + std::to_string(decoded->base.value()));
    }
    if (decoded->next <= next) return world.violate(name.to_string() + ": a batch comes twice");
    next = decoded->next;
    for (const auto& record : decoded->records) {
      const ModelBatch* batch_promised = promised(world, name, record.offset);
      if (batch_promised == nullptr) {
        if (world.model.partitions.contains(name)) world.violate(name.to_string() + ": served what nobody appended");
        return;
      }
      if (batch_promised->records[static_cast<std::size_t>(record.offset - batch_promised->base)] != record.name) {
        return world.violate(name.to_string() + ": another record at " + std::to_string(record.offset.value()));
      }
    }
  }
  if (next > partition->high_watermark()) world.violate(name.to_string() + ": served above the high watermark");
  note_watermarks(world, name, partition->log_start(), partition->high_watermark());
}

SeenLog scan_log(LogWorld& world) {
  SeenLog seen;
  for (const auto& entry : world.log->partitions()) {
    const TopicPartition name = entry.log->name();
    SeenPartition& partition = seen[name];
    partition.topic_id = entry.spec.topic_id;
    partition.config = entry.spec.config;
    partition.properties = entry.spec.properties;
    partition.log_start = entry.log->log_start();
    partition.high_watermark = entry.log->high_watermark();
    Offset next = partition.log_start;
    while (next < partition.high_watermark) {
      const auto read = entry.log->read(next, 64_KiB);
      if (!read || read->batches.empty()) {
        world.violate(name.to_string() + ": cannot read " + std::to_string(next.value()) +
                      " after recovery: " + (read ? "nothing there" : read.error().message()));
        return seen;
      }
      for (const SharedBytes& batch : read->batches) {
        const auto decoded = decode(world.source, batch.view());
        if (!decoded) {
          world.violate(name.to_string() + ": recovered " + decoded.error().message());
          return seen;
        }
        for (const auto& record : decoded->records) {
          if (record.offset >= next) partition.records.push_back(record);
        }
        const Offset after = decoded->next;
        if (after <= next) {
          world.violate(name.to_string() + ": read does not advance at " + std::to_string(next.value()));
          return seen;
        }
        next = after;
      }
    }
  }
  return seen;
}

bool scan_damaged(LogWorld& world) {
  bool told = false;
  for (const auto& entry : world.log->partitions()) {
    const TopicPartition name = entry.log->name();
    const auto model = world.model.partitions.find(name);
    if (model == world.model.partitions.end()) {
      world.violate(name.to_string() + " was invented");
      return told;
    }
    if (entry.log->high_watermark() != model->second.end())
      world.violate(name.to_string() + " lost its end in silence");
    Offset next = entry.log->log_start();
    while (next < entry.log->high_watermark()) {
      const auto read = entry.log->read(next, 64_KiB);
      if (!read) {
        if (read.error().code != ErrorCode::corrupt) world.violate(name.to_string() + ": " + read.error().message());
        told = true;
        next = next + 1;
        continue;
      }
      for (const SharedBytes& bytes : read->batches) {
        const auto decoded = decode(world.source, bytes.view());
        if (!decoded) {
          world.violate(name.to_string() + ": served " + decoded.error().message());
          return told;
        }
        for (const auto& record : decoded->records) {
          const ModelBatch* batch = model->second.find(record.offset);
          if (batch == nullptr ||
              batch->records[static_cast<std::size_t>(record.offset - batch->base)] != record.name) {
            world.violate(name.to_string() + ": served a wrong record at " + std::to_string(record.offset.value()));
            return told;
          }
        }
        if (decoded->base > next || decoded->next <= next) {
          world.violate(name.to_string() + ": a gap at " + std::to_string(next.value()));
          return told;
        }
        next = decoded->next;
      }
    }
  }
  return told;
}

void check_timestamps(LogWorld& world, const SeenLog& seen, Rng& rng) {
  for (const auto& entry : world.log->partitions()) {
    const auto it = seen.find(entry.log->name());
    if (it == seen.end() || it->second.records.empty()) continue;
    const auto& records = it->second.records;
    const std::int64_t wanted = records[rng.below(records.size())].timestamp_ms + rng.between(-1, 1);
    const auto expected =
        std::find_if(records.begin(), records.end(), [&](const auto& record) { return record.timestamp_ms >= wanted; });
    const auto found = entry.log->find_timestamp(wanted);
    if (!found) {
      if (world.disk.running()) world.violate("find_timestamp: " + found.error().message());
      return;
    }
    const bool same = found->has_value() == (expected != records.end()) &&
                      (!found->has_value() ||
                       ((*found)->offset == expected->offset && (*found)->timestamp_ms == expected->timestamp_ms));
    if (!same) {
      return world.violate(it->first.to_string() + ": find_timestamp(" + std::to_string(wanted) + ") found " +
                           (found->has_value() ? std::to_string((*found)->offset.value()) : "nothing"));
    }
    const auto largest = entry.log->find_max_timestamp();
    const auto most = std::max_element(records.begin(), records.end(),
                                       [](const auto& a, const auto& b) { return a.timestamp_ms < b.timestamp_ms; });
    if (!largest || !largest->has_value() || (*largest)->timestamp_ms != most->timestamp_ms) {
      return world.violate(it->first.to_string() + ": find_max_timestamp found " +
                           (!largest               ? largest.error().message()
                            : largest->has_value() ? std::to_string((*largest)->timestamp_ms)
                                                   : "nothing") +
                           ", the newest is " + std::to_string(most->timestamp_ms) + " at " +
                           std::to_string(most->offset.value()));
    }
  }
}

}  // namespace millrace::sim

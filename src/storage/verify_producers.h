// What verify --deep asks of the producers' state: what the checkpoint and the .snapshot files say of a producer must
// be what its newest batches in the segments say.
//
// Batches below the first segment are gone, so a producer that wrote nothing since cannot be judged; and one that is
// not in a table may have expired. Thread: any; one partition at a time.
#pragma once

#include <map>
#include <string>

#include "storage/producer_table.h"

namespace millrace::storage {

class ProducerCheck {
 public:
  /// `from`: base offset of the first segment. `compacted`: its older batches may be gone.
  ProducerCheck(Offset from, bool compacted) : from_(from), compacted_(compacted) {}

  /// A snapshot that was read; before any batch.
  void add_snapshot(Offset at, std::string path, std::vector<SnapshotEntry> entries);
  /// Every batch of the partition's segments, in order.
  void pass(const BatchHeader& header);
  /// Behind the last batch: what is wrong with `table`, which belongs to this place; nullopt: nothing.
  [[nodiscard]] std::optional<std::string> judge_table(const ProducerTable& table);
  /// The snapshots that contradict the batches: path, and what is wrong.
  [[nodiscard]] const std::map<std::string, std::string>& bad_snapshots() const { return bad_; }

 private:
  struct Snapshot {
    std::string path;
    std::vector<SnapshotEntry> entries;
  };
  void judge_snapshots(Offset up_to);

  const Offset from_;
  const bool compacted_;
  Offset next_{0};
  ProducerTable seen_;
  std::map<Offset, Snapshot> snapshots_;
  std::map<std::string, std::string> bad_;
};

}  // namespace millrace::storage

// OpenFiles: bounds how many segment files are open at once, of all partitions together. Somebody who was not used
// lately gives his files back; the next use opens them again.
//
// Who it is, is drawn by lot: a checkpoint goes through all partitions in the same order again and again, and if they
// are but a few more than the limit, the one that was not used for longest is always the one that comes next.
//
// Invariant: the files counted here are at most the limit, plus those of the segment that is being used. Who reads from
// or sends a file that was given back keeps it until he is done; these few are not counted. Thread: any. Lock order:
// this, then a segment's own; a segment never calls with its lock held.
#pragma once

#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/rng.h"

namespace millrace::storage {

class Segment;

class OpenFiles {
 public:
  explicit OpenFiles(std::size_t limit) : limit_(limit) {}

  /// `count` more files of `segment` are open. Others may have to give back theirs.
  void opened(Segment& segment, std::size_t count);
  /// It has none any more, or goes away.
  void closed(Segment& segment);
  [[nodiscard]] std::size_t count() const;

 private:
  struct Entry {
    std::size_t count = 0;
    std::size_t place = 0;  // in segments_
  };
  void remove(std::unordered_map<Segment*, Entry>::iterator entry);

  const std::size_t limit_;
  mutable std::mutex
      mutex_;  // guards what follows; held while a segment gives its files back, which is no I/O to wait for
  std::vector<Segment*> segments_;
  std::unordered_map<Segment*, Entry> entries_;
  std::size_t count_ = 0;
  Rng lots_{1};
};

}  // namespace millrace::storage

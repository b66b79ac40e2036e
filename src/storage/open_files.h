// OpenFiles: bounds how many segment files are open at once, of all partitions together. Who was not used for longest
// gives its files back; the next use opens them again.
//
// Invariant: the files counted here are at most the limit, plus those of the segment that is being used. Who reads from
// or sends a file that was given back keeps it until he is done; these few are not counted. Thread: any. Lock order:
// this, then a segment's own; a segment never calls with its lock held.
#pragma once

#include <list>
#include <mutex>
#include <unordered_map>

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
    std::list<Segment*>::iterator place;
  };
  const std::size_t limit_;
  mutable std::mutex
      mutex_;  // guards what follows; held while a segment gives its files back, which is no I/O to wait for
  std::list<Segment*> order_;
  std::unordered_map<Segment*, Entry> entries_;
  std::size_t count_ = 0;
};

}  // namespace millrace::storage

// SimFile: one open file of a SimDisk. Dead once the disk restarted; the disk must outlive it.
#pragma once

#include "sim/sim_disk.h"

namespace millrace::sim {

class SimFile final : public io::File {
 public:
  SimFile(SimDisk& disk, std::shared_ptr<SimInode> inode, std::string path, bool writable, bool holds_lock);
  SimFile(const SimFile&) = delete;
  SimFile& operator=(const SimFile&) = delete;
  ~SimFile() override;

  using io::File::write_at;
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) override;
  Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) override;
  Result<void> sync_data() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> reserve(std::uint64_t offset, std::uint64_t length) override;
  void start_writeback(std::uint64_t offset, std::uint64_t length) override;
  Result<std::uint64_t> size() override;

 private:
  [[nodiscard]] Result<void> alive() const;
  Result<SimDisk::Fate> begin(io::Operation kind, std::uint64_t a = 0, std::uint64_t b = 0);

  SimDisk& disk_;
  std::shared_ptr<SimInode> inode_;
  std::string path_;
  std::uint64_t epoch_;
  bool writable_;
  bool holds_lock_;
  std::uint64_t failures_told_;
};

}  // namespace millrace::sim

// SimDisk: a disk in memory that forgets. What sync_data() and sync_directory() did not make durable is lost, torn,
// reordered or kept by chance when the power is cut, as far as POSIX and a journalling file system allow it.
//
//   written data     durable after sync_data() of that file (with the size); else per 512-byte sector by chance
//   names            durable after sync_directory() of the parent; sync_data() promises nothing about them
//   sync_all()       both, for everything; when it fails, the next sync_data() of a file that was open tells it too
//   a failed sync    leaves a random part on the platter and marks all of it clean: syncing again succeeds and does not
//   help no room          a write keeps the bytes that fitted, as a short write does, and answers disk_full
//
// Every choice comes from the seed. Thread: the simulation's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "io/fault_injecting_file_system.h"
#include "io/file_system.h"
#include "sim/sim_inode.h"
#include "sim/sim_names.h"
#include "sim/trace.h"
#include "sim/virtual_clock.h"

namespace millrace::sim {

class SimDisk final : public io::FileSystem {
 public:
  struct Options {
    std::uint64_t capacity = 1_GiB;
    MonoTime operation_latency{};  // virtual time that a change takes
    MonoTime sync_latency{};
  };

  /// `clock` and `trace` may be null.
  explicit SimDisk(std::uint64_t seed) : SimDisk(seed, Options{}, nullptr, nullptr) {}
  SimDisk(std::uint64_t seed, const Options& options, VirtualClock* clock, Trace* trace);

  // -- what befalls the machine
  // -----------------------------------------------------------------------------------------------

  /// Everything stops in the Nth change or sync from now (1: the next one): that one may happen or not and answers
  /// io_error, and so does every later call until one of the restarts says what it was: a power cut, or the death of
  /// the process alone.
  void stop_after(std::uint64_t operations) { stop_at_ = operations_ + operations; }
  void cancel_stop() { stop_at_ = 0; }
  void stop_now() { running_ = false; }
  [[nodiscard]] bool running() const { return running_; }
  /// Power is back: what was pending is settled by chance, files opened before are dead, locks are gone.
  void restart_after_power_cut();
  /// kill -9: the kernel keeps what was written, files opened before are dead, locks are gone.
  void restart_process();
  /// The Nth sync_data() or sync_all() from now fails with io_error; its pages are lost by chance and marked clean.
  /// When `evicted`, processes read the platter from then on, else the cache.
  void fail_sync_after(std::uint64_t syncs, bool evicted) {
    failing_sync_ = syncs_ + syncs;
    evict_on_failed_sync_ = evicted;
  }
  void set_capacity(std::uint64_t bytes) { options_.capacity = bytes; }
  /// Flips one bit on the platter and in the cache. False when the file has no such byte.
  bool flip_bit(std::string_view path, std::uint64_t byte, unsigned bit);

  // -- what tests look at
  // -----------------------------------------------------------------------------------------------------

  /// Changes and syncs so far.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  [[nodiscard]] std::uint64_t used_bytes() const { return used_; }
  [[nodiscard]] int open_files() const { return open_files_; }
  [[nodiscard]] std::uint64_t file_bytes(std::string_view path) const;
  /// Sizes of all files whose path begins with `prefix`, added up.
  [[nodiscard]] std::uint64_t bytes_below(std::string_view prefix) const;
  /// Every file, with its path, sorted.
  [[nodiscard]] std::vector<std::string> all_files() const;
  /// Called before each change, sync and read of a file while running: the place where another thread could run. May
  /// use the disk; calls from within it come back to it.
  void on_operation(std::function<void(io::Operation)> hook) { hook_ = std::move(hook); }

  // -- io::FileSystem
  // ---------------------------------------------------------------------------------------------------------

  Result<std::unique_ptr<io::File>> open(std::string_view path, io::OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove_file(std::string_view path) override;
  Result<void> remove_tree(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;
  Result<void> sync_all() override;
  Result<std::vector<std::string>> list(std::string_view path) override;
  [[nodiscard]] bool exists(std::string_view path) override;
  Result<std::unique_ptr<io::File>> lock(std::string_view path) override;
  Result<std::uint64_t> free_bytes() override;
  [[nodiscard]] std::string describe(std::string_view path) const override { return "sim:" + std::string(path); }

 private:
  friend class SimFile;
  using Inode = std::shared_ptr<SimInode>;

  // What becomes of an operation: it happens, or everything stops in it (and it may have happened or not).
  enum class Fate : std::uint8_t { happens, cut_before, cut_after };
  Result<Fate> begin(io::Operation kind, std::string_view path, std::uint64_t a = 0, std::uint64_t b = 0);
  Result<void> finish(Fate fate) const;
  [[nodiscard]] std::unexpected<Error> stopped_failure() const;
  [[nodiscard]] Result<Inode> find(std::string_view path) const;
  [[nodiscard]] Result<Inode> find_directory(std::string_view path) const;
  // Counts `inode`'s bytes; false when there is no room for `size`.
  bool charge(SimInode& inode, std::uint64_t size);
  void uncharge_if_gone(SimInode& inode);
  void forget_handles(SimInode& directory);
  Result<void> remove_entries(const Inode& directory, std::string_view path);
  /// Every file and directory that has a name, now or on the platter.
  [[nodiscard]] std::vector<Inode> all_inodes() const;

  Options options_;
  Rng rng_;
  VirtualClock* clock_;
  Trace* trace_;
  Inode root_ = std::make_shared<SimInode>();
  SimNames names_;
  std::function<void(io::Operation)> hook_;
  std::uint64_t epoch_ = 0;  // grows when the processes die; files of an older epoch are dead
  bool running_ = true;
  std::uint64_t operations_ = 0;
  std::uint64_t stop_at_ = 0;  // 0: never
  std::uint64_t syncs_ = 0;
  std::uint64_t failing_sync_ = 0;
  bool evict_on_failed_sync_ = false;
  std::uint64_t used_ = 0;
  int open_files_ = 0;
};

}  // namespace millrace::sim

// FaultInjectingFileSystem: another file system with one planned fault: "the Nth operation of these kinds fails with
// this error".
//
// For loops over every N: run a script once without a fault, read total(), then run it for N = 1 .. total(). Tests
// only. Invariant: an operation that fails by plan has no effect on the disk below, but for the torn part of a write
// that the plan asks for. Thread: any.
#pragma once

#include <array>
#include <bitset>
#include <limits>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "io/file_system.h"

namespace millrace::io {

enum class Operation : std::uint8_t {
  open,  // that can create
  open_existing,
  read,
  write,
  sync,
  truncate,
  reserve,
  rename,
  remove,  // a file or a tree
  make_directory,
  sync_directory,
  list,
  sync_all,
};
inline constexpr std::size_t kOperationKinds = 13;
using OperationSet = std::bitset<kOperationKinds>;

[[nodiscard]] std::string_view operation_name(Operation kind);
[[nodiscard]] OperationSet only(Operation kind);
/// Everything that changes the disk or makes a change durable.
[[nodiscard]] OperationSet mutating_operations();
[[nodiscard]] OperationSet all_operations();

struct Fault {
  OperationSet kinds = mutating_operations();
  std::uint64_t nth = 1;  // of those kinds, from now on
  ErrorCode error = ErrorCode::io_error;
  /// Bytes of a failing write that reach the disk all the same, at most.
  std::size_t torn_bytes = 0;
  /// How many operations of those kinds fail, from the Nth on. kForever: all that follow.
  std::uint64_t times = 1;
  static constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();
};

class FaultInjectingFileSystem final : public FileSystem {
 public:
  /// `below` must outlive this and every file opened through it.
  explicit FaultInjectingFileSystem(FileSystem& below);

  /// Replaces the plan; counting for it starts at the next operation.
  void plan(const Fault& fault);
  void clear_plan();
  /// How many operations failed by plan so far.
  [[nodiscard]] std::uint64_t injected() const;
  struct Injected {
    Operation kind{};
    std::string path;
  };
  /// Those that failed by plan, in their order.
  [[nodiscard]] std::vector<Injected> injected_operations() const;
  [[nodiscard]] std::uint64_t count(Operation kind) const;
  [[nodiscard]] std::uint64_t count(const OperationSet& kinds) const;

  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove_file(std::string_view path) override;
  Result<void> remove_tree(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;
  Result<void> sync_all() override;
  Result<std::vector<std::string>> list(std::string_view path) override;
  [[nodiscard]] bool exists(std::string_view path) override;
  Result<std::uint64_t> file_size(std::string_view path) override;  // counts as `list`: nothing is opened
  Result<std::unique_ptr<File>> lock(std::string_view path) override;
  Result<std::uint64_t> free_bytes() override;
  Result<std::uint64_t> total_bytes() override;
  [[nodiscard]] std::string describe(std::string_view path) const override;

  /// Counts operations and decides which fail; shared with the files.
  class Plan {
   public:
    struct Verdict {
      bool fails = false;
      ErrorCode error = ErrorCode::io_error;
      std::size_t torn_bytes = 0;
    };
    Verdict pass(Operation kind, std::string_view path);

    std::array<std::uint64_t, kOperationKinds> counts{};
    std::vector<Injected> injected;
    Fault fault;
    std::uint64_t seen = 0;  // operations of the fault's kinds since it was planned
    bool armed = false;
  };

 private:
  Result<void> check(Operation kind, std::string_view path);

  FileSystem& below_;
  std::shared_ptr<Guarded<Plan>> plan_;
};

}  // namespace millrace::io

// verify_directory(): a read-only check of everything that a data directory promises.
//
// Without `deep`: format file, checkpoint, every live journal group with its batches, and the structure of every
// segment: the chain of offsets, both indexes against the log, sizes, the small files. With `deep` also the CRC of
// every batch and the form of every record. A damaged byte anywhere in live data is found with `deep`. Bytes of
// recycled journal files that no recovery would read, and segment bytes behind the last checkpoint (the journal has
// them), are not live. Thread: any; the directory must not be open in a running millrace (`locked`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"

namespace millrace::storage {

struct VerifyOptions {
  bool deep = false;
};

struct Damage {
  std::string file;  // as FileSystem::describe names it
  std::uint64_t position = 0;
  std::string what;
};

struct VerifyReport {
  std::vector<Damage> damage;
  std::vector<std::string> remarks;  // odd, but nothing is lost: unknown files, a directory that was not closed
  std::uint64_t partitions = 0;
  std::uint64_t segments = 0;
  std::uint64_t batches = 0;
  std::uint64_t records = 0;  // counted with `deep` only
  std::uint64_t journal_groups = 0;
  std::uint64_t bytes = 0;  // of live data
  [[nodiscard]] bool good() const { return damage.empty(); }
};

/// Errors: not_found (not a data directory), locked, unsupported_version, io_error. Damage is not an error: it is in
/// the report.
Result<VerifyReport> verify_directory(io::FileSystem& files, const VerifyOptions& options);

}  // namespace millrace::storage

// Acls: the ACLs of this server: those of the permissions file, and those kept in the log, in the compacted topic
// "__acls" (key: the ACL's text). Whoever asks reads an immutable AclTable.
//
// A change is seen by readers once it is on disk. Thread: any, but for set_storage(), restore() and the storage, which
// belong to one loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/acl_table.h"
#include "auth/storage.h"
#include "base/executor.h"
#include "base/guarded.h"
#include "base/result.h"

namespace millrace::auth {

inline constexpr std::string_view kAclsTopic = "__acls";
/// Each is walked for every question that is asked for the first time.
inline constexpr std::size_t kMaxStoredAcls = 10'000;

struct AclChange {
  std::vector<Acl> added;
  std::vector<Acl> removed;
};

class Acls {
 public:
  /// What is to change, seen the ACLs as they are. Runs on the storage's loop.
  using Change = std::move_only_function<AclChange(const AclTable&)>;
  using Done = std::move_only_function<void(Result<void>)>;

  /// `kept`: nothing is changed before set_storage(). Otherwise ACLs live in memory only. `open`: AclTable's.
  explicit Acls(bool kept = false, bool open = false);
  /// `loop` runs every change.
  void set_storage(Storage& storage, Executor& loop);
  /// What the storage held at the start.
  void restore(std::string_view text, bool present);

  [[nodiscard]] std::shared_ptr<const AclTable> table() const;
  /// Changes when the table does.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  /// `done` comes on `reply_to`, when all of it is on disk. unavailable: the server is starting; too_large: there would
  /// be more than kMaxStoredAcls, and nothing was changed.
  void change(Change change, Executor& reply_to, Done done);
  /// Replaces those of the permissions file.
  void set_fixed(std::vector<Acl> fixed);

 private:
  struct Writing;
  void apply(Change change, Done done);
  void add_and_remove(const AclChange& change);

  Guarded<std::shared_ptr<const AclTable>> table_;
  std::atomic<std::uint64_t> version_{1};
  const bool kept_;
  Storage* storage_ = nullptr;             // the loop's
  std::atomic<Executor*> loop_ = nullptr;  // set after storage_
};

}  // namespace millrace::auth

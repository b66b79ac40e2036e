// Users: the users of this server: those of the password file, and those kept in the log, in the compacted topic
// "__users" (key: the name; value: the credentials' text). Whoever checks a secret reads an immutable UserTable.
//
// A change is seen by readers once it is on disk. Thread: any, but for open() and the storage, which belong to one
// loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "auth/storage.h"
#include "auth/user_table.h"
#include "base/executor.h"
#include "base/guarded.h"
#include "base/result.h"

namespace millrace::auth {

inline constexpr std::string_view kUsersTopic = "__users";

class Users {
 public:
  using Done = std::move_only_function<void(Result<void>)>;
  /// Gives the credentials a user is to have instead of those it has (empty: none so far); an empty answer removes the
  /// user. Runs on the storage's loop.
  using Change = std::move_only_function<Result<Credentials>(const Credentials&)>;

  /// `kept`: no user is changed before set_storage(). Otherwise users live in memory only.
  explicit Users(bool kept = false);
  /// `loop` runs every change.
  void set_storage(Storage& storage, Executor& loop);
  /// What the storage held at the start.
  void restore(std::string_view name, std::optional<std::string_view> text);

  [[nodiscard]] std::shared_ptr<const UserTable> table() const;
  /// `done` comes on `reply_to`. not_found: a removal of nobody; unavailable: the server is starting;
  /// permission_denied: the user is one of the password file.
  void change(std::string name, Change change, Executor& reply_to, Done done);
  /// Replaces the users of the password file, all or nothing.
  Result<void> load_password_file(std::string_view text);

 private:
  void publish(const std::string& name, Credentials credentials);
  void apply(const std::string& name, Change change, Done done);

  Guarded<std::shared_ptr<const UserTable>> table_;
  const bool kept_;
  Storage* storage_ = nullptr;             // the loop's
  std::atomic<Executor*> loop_ = nullptr;  // set after storage_
};

}  // namespace millrace::auth

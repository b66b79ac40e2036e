// UserTable: the users and their credentials as of one moment. Immutable once shared; thread: any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/credential.h"
#include "base/result.h"

namespace millrace::auth {

using Credentials = std::vector<Credential>;

/// Names are 1 to 256 bytes of UTF-8 without control characters, ':' and ','.
[[nodiscard]] bool is_user_name(std::string_view name);

/// One credential a line: what the users topic holds under a name. `parse_credentials` refuses an empty text.
[[nodiscard]] std::string to_text(const Credentials& credentials);
Result<Credentials> parse_credentials(std::string_view text);

using UserMap = std::map<std::string, Credentials, std::less<>>;

/// A password file: lines of "name:credential", several for a user with several; '#' begins a comment line. All or
/// nothing: malformed names the first wrong line and never what is in it; an empty file is refused too, because it is
/// what a copy that failed leaves behind.
Result<UserMap> parse_password_file(std::string_view text);

class UserTable {
 public:
  UserTable() = default;
  /// `fixed` wins where both have a name.
  UserTable(UserMap stored, UserMap fixed) : stored_(std::move(stored)), fixed_(std::move(fixed)) {}

  /// nullptr when there is no such user.
  [[nodiscard]] const Credentials* find(std::string_view name) const;
  [[nodiscard]] std::optional<ScramCredential> scram(std::string_view name, ScramKind kind) const;
  [[nodiscard]] const UserMap& stored() const { return stored_; }  // of the users topic
  [[nodiscard]] const UserMap& fixed() const { return fixed_; }    // of the password file
  [[nodiscard]] bool empty() const { return stored_.empty() && fixed_.empty(); }

 private:
  UserMap stored_;
  UserMap fixed_;
};

}  // namespace millrace::auth

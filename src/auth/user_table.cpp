#include "auth/user_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::auth {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kMostCredentials = 8;

/// Takes a line from the front, without its end and without blanks at its ends.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return line;
}

}  // namespace

bool is_user_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F && c != ':' && c != ',';
  });
}

std::string to_text(const Credentials& credentials) {
  std::string text;
  for (const Credential& credential : credentials) text += to_text(credential) + "\n";
  return text;
}

Result<Credentials> parse_credentials(std::string_view text) {
  Credentials credentials;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    if (credentials.size() == kMostCredentials) return fail(ErrorCode::malformed, "a user has at most 8 credentials");
    MR_TRY_ASSIGN(Credential credential, parse_credential(line));
    credentials.push_back(std::move(credential));
  }
  if (credentials.empty()) return fail(ErrorCode::malformed, "a user has at least one credential");
  return credentials;
}

Result<UserMap> parse_password_file(std::string_view text) {
  UserMap users;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_user_name(name)) {
      return fail(ErrorCode::malformed, "a line is name:credential", fmt::format("line {}", number));
    }
    auto credential = parse_credential(line.substr(colon + 1));
    if (!credential) {
      return fail(ErrorCode::malformed, credential.error().context, fmt::format("line {}", number));
    }
    Credentials& all = users[std::string(name)];
    if (all.size() == kMostCredentials) {
      return fail(ErrorCode::malformed, "a user has at most 8 credentials", fmt::format("line {}", number));
    }
    all.push_back(*std::move(credential));
  }
  if (users.empty()) return fail(ErrorCode::malformed, "a password file names at least one user");
  return users;
}

const Credentials* UserTable::find(std::string_view name) const {
  if (const auto at = fixed_.find(name); at != fixed_.end()) return &at->second;
  if (const auto at = stored_.find(name); at != stored_.end()) return &at->second;
  return nullptr;
}

std::optional<ScramCredential> UserTable::scram(std::string_view name, ScramKind kind) const {
  const Credentials* credentials = find(name);
  if (credentials == nullptr) return std::nullopt;
  for (const Credential& credential : *credentials) {
    const auto* scram = std::get_if<ScramCredential>(&credential);
    if (scram != nullptr && scram->kind == kind) return *scram;
  }
  return std::nullopt;
}

}  // namespace millrace::auth

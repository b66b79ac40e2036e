#include "auth/users.h"

#include <utility>

#include "base/log.h"

namespace millrace::auth {

Users::Users(bool kept) : table_(std::make_shared<const UserTable>()), kept_(kept) {}

void Users::set_storage(Storage& storage, Executor& loop) {
  storage_ = &storage;
  loop_.store(&loop, std::memory_order_release);
}

std::shared_ptr<const UserTable> Users::table() const {
  return table_.with([](const auto& table) { return table; });
}

void Users::publish(const std::string& name, Credentials credentials) {
  table_.with([&](auto& table) {
    UserMap stored = table->stored();
    if (credentials.empty()) {
      stored.erase(name);
    } else {
      stored[name] = std::move(credentials);
    }
    table = std::make_shared<const UserTable>(std::move(stored), table->fixed());
  });
}

void Users::restore(std::string_view name, std::optional<std::string_view> text) {
  Credentials credentials;
  if (text) {
    auto parsed = parse_credentials(*text);
    if (!parsed) {
      // A newer version's form, or damage: that user cannot log in, the others can.
      log::warn("user_not_understood", {{"user", name}, {"reason", parsed.error().message()}});
    } else {
      credentials = *std::move(parsed);
    }
  }
  publish(std::string(name), std::move(credentials));
}

Result<void> Users::load_password_file(std::string_view text) {
  MR_TRY_ASSIGN(UserMap fixed, parse_password_file(text));
  table_.with([&](auto& table) { table = std::make_shared<const UserTable>(table->stored(), std::move(fixed)); });
  return {};
}

void Users::change(std::string name, Change change, Executor& reply_to, Done done) {
  auto answer = [&reply_to, done = std::move(done)](Result<void> result) mutable {
    reply_to.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  };
  Executor* const loop = loop_.load(std::memory_order_acquire);
  if (loop == nullptr && kept_) return answer(fail(ErrorCode::unavailable, "the server is starting"));
  if (loop == nullptr) return apply(name, std::move(change), std::move(answer));
  loop->post([this, name = std::move(name), change = std::move(change), answer = std::move(answer)]() mutable {
    apply(name, std::move(change), std::move(answer));
  });
}

void Users::apply(const std::string& name, Change change, Done done) {
  const auto now = table();
  if (!is_user_name(name)) {
    return done(fail(ErrorCode::invalid_argument,
                     "a user's name is 1 to 256 bytes without control characters, ':' "
                     "and ','"));
  }
  if (now->fixed().contains(name)) {
    return done(fail(ErrorCode::permission_denied, "the user is in the password file: change it there", name));
  }
  const auto at = now->stored().find(name);
  const bool exists = at != now->stored().end();
  auto wanted = change(exists ? at->second : Credentials());
  if (!wanted) return done(std::unexpected(std::move(wanted).error()));
  if (wanted->empty() && !exists) return done(fail(ErrorCode::not_found, "there is no such user", name));
  if (storage_ == nullptr) {
    publish(name, *std::move(wanted));
    return done({});
  }
  const auto text = wanted->empty() ? std::nullopt : std::optional(to_text(*wanted));
  storage_->put(name, text,
                [this, name, wanted = *std::move(wanted), done = std::move(done)](Result<void> stored) mutable {
                  if (stored) publish(name, std::move(wanted));
                  done(std::move(stored));
                });
}

}  // namespace millrace::auth

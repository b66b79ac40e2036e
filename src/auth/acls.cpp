#include "auth/acls.h"

#include <utility>

#include "base/log.h"

namespace millrace::auth {

/// One change on its way to the disk: published when the last of its records is there.
struct Acls::Writing {
  AclChange change;
  Done done;
  std::size_t open = 1;
  Result<void> result{};
};

Acls::Acls(bool kept, bool open)
    : table_(std::make_shared<const AclTable>(std::set<Acl>(), std::vector<Acl>(), open)), kept_(kept) {}

void Acls::set_storage(Storage& storage, Executor& loop) {
  storage_ = &storage;
  loop_.store(&loop, std::memory_order_release);
}

std::shared_ptr<const AclTable> Acls::table() const {
  return table_.with([](const auto& table) { return table; });
}

void Acls::add_and_remove(const AclChange& change) {
  table_.with([&](auto& table) {
    std::set<Acl> stored = table->stored();
    for (const Acl& acl : change.removed) stored.erase(acl);
    stored.insert(change.added.begin(), change.added.end());
    table = std::make_shared<const AclTable>(std::move(stored), table->fixed(), table->open());
  });
  version_.fetch_add(1, std::memory_order_release);
}

void Acls::restore(std::string_view text, bool present) {
  auto acl = parse_acl(text);
  if (!acl) {
    // Of a newer version, or damaged. What it denies cannot be told, so nobody should rely on it.
    if (present) log::error("acl_not_understood", {{"acl", text}, {"reason", acl.error().message()}});
    return;
  }
  AclChange change;
  (present ? change.added : change.removed).push_back(*std::move(acl));
  add_and_remove(change);
}

void Acls::set_fixed(std::vector<Acl> fixed) {
  table_.with(
      [&](auto& table) { table = std::make_shared<const AclTable>(table->stored(), std::move(fixed), table->open()); });
  version_.fetch_add(1, std::memory_order_release);
}

void Acls::change(Change change, Executor& reply_to, Done done) {
  auto answer = [&reply_to, done = std::move(done)](Result<void> result) mutable {
    reply_to.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  };
  Executor* const loop = loop_.load(std::memory_order_acquire);
  if (loop == nullptr && kept_) return answer(fail(ErrorCode::unavailable, "the server is starting"));
  if (loop == nullptr) return apply(std::move(change), std::move(answer));
  loop->post([this, change = std::move(change), answer = std::move(answer)]() mutable {
    apply(std::move(change), std::move(answer));
  });
}

void Acls::apply(Change change, Done done) {
  const auto now = table();
  auto writing = std::make_shared<Writing>();
  writing->change = change(*now);
  writing->done = std::move(done);
  std::erase_if(writing->change.added, [&](const Acl& acl) { return now->stored().contains(acl); });
  std::erase_if(writing->change.removed, [&](const Acl& acl) { return !now->stored().contains(acl); });
  if (now->stored().size() + writing->change.added.size() > kMaxStoredAcls) {
    return writing->done(fail(ErrorCode::too_large, "there may be 10,000 ACLs"));
  }
  const auto one_done = [this](Writing& one) {
    if (--one.open != 0) return;
    if (one.result) add_and_remove(one.change);
    one.done(std::move(one.result));
  };
  if (storage_ != nullptr) {
    const auto put = [&](const Acl& acl, const std::optional<std::string>& value) {
      ++writing->open;
      storage_->put(to_text(acl), value, [writing, one_done](Result<void> stored) {
        if (!stored && writing->result) writing->result = std::move(stored);
        one_done(*writing);
      });
    };
    for (const Acl& acl : writing->change.added) put(acl, std::string());
    for (const Acl& acl : writing->change.removed) put(acl, std::nullopt);
  }
  one_done(*writing);
}

}  // namespace millrace::auth

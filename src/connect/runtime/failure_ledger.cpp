#include "connect/runtime/failure_ledger.h"

#include <utility>

#include "base/log.h"
#include "connect/json_members.h"
#include "connect/json_writer.h"

namespace millrace::connect {
namespace {

constexpr std::size_t kMaxMessage = 1000;

/// A node of the map, beside its texts.
constexpr std::size_t kNode = 64;

std::size_t bytes_of(const LedgerKey& key) {
  return sizeof key + kNode + sizeof(LedgerEntry) + key.connector.size() + key.partition.topic.size();
}

std::size_t bytes_of(const LedgerEntry& entry) {
  return entry.stage.size() + entry.error_class.size() + entry.message.size();
}

std::string encode(const LedgerEntry& entry) {
  return JsonWriter()
      .begin_object()
      .member("stage", entry.stage)
      .member("error_class", entry.error_class)
      .member("message", entry.message)
      .member("first_seen_ms", entry.first_ms)
      .member("last_seen_ms", entry.last_ms)
      .member("count", entry.count)
      .end_object()
      .take();
}

}  // namespace

std::string LedgerKey::encode() const {
  return JsonWriter()
      .begin_array()
      .value(connector)
      .value(partition.topic)
      .value(partition.partition.value())
      .value(offset.value())
      .end_array()
      .take();
}

std::optional<LedgerKey> LedgerKey::decode(ByteView bytes) {
  sql::JsonDocument document;
  if (!document.parse(as_text(bytes))) return std::nullopt;
  const sql::Value array = root_of(document);
  const auto connector = scalar_text(array.element(0));
  const auto topic = scalar_text(array.element(1));
  const auto partition = scalar_text(array.element(2));
  const auto offset = scalar_text(array.element(3));
  if (!connector || !topic || !partition || !offset) return std::nullopt;
  LedgerKey key{*connector, {*topic, PartitionIndex(0)}, Offset(0)};
  key.partition.partition = PartitionIndex(static_cast<std::int32_t>(std::atoll(partition->c_str())));
  key.offset = Offset(std::atoll(offset->c_str()));
  return key;
}

void FailureLedger::load(ByteView key, std::optional<ByteView> value) {
  const auto decoded = LedgerKey::decode(key);
  if (!decoded) return;
  sql::JsonDocument document;
  if (!value || !document.parse(as_text(*value))) {
    drop(*decoded);
    return;
  }
  LedgerEntry* entry = room_for(*decoded);
  if (entry == nullptr) return;
  const sql::Value root = root_of(document);
  assign(*entry, {.stage = member_text(root, "stage"),
                  .error_class = member_text(root, "error_class"),
                  .message = member_text(root, "message"),
                  .first_ms = member_number(root, "first_seen_ms"),
                  .last_ms = member_number(root, "last_seen_ms"),
                  .count = member_number(root, "count")});
}

LedgerEntry* FailureLedger::room_for(const LedgerKey& key) {
  if (const auto found = entries_.find(key); found != entries_.end()) return &found->second;
  if (bytes_ >= max_bytes_) {
    if (!std::exchange(told_full_, true)) {
      log::warn("failure_ledger_full", {{"entries", entries_.size()},
                                        {"bytes", bytes_},
                                        {"hint",
                                         "further failures are in the topic connect-failures only; replay or "
                                         "delete connectors to make room"}});
    }
    return nullptr;
  }
  bytes_ += bytes_of(key);
  return &entries_.emplace(key, LedgerEntry{}).first->second;
}

void FailureLedger::assign(LedgerEntry& entry, LedgerEntry value) {
  bytes_ -= bytes_of(entry);
  entry = std::move(value);
  bytes_ += bytes_of(entry);
}

bool FailureLedger::drop(const LedgerKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  bytes_ -= bytes_of(found->first) + bytes_of(found->second);
  entries_.erase(found);
  told_full_ = false;
  return true;
}

void FailureLedger::put(Failure failure, topics::TableTopic::Done done) {
  const std::int64_t now = clock_.wall().count();
  if (failure.message.size() > kMaxMessage) failure.message.resize(kMaxMessage);
  LedgerEntry value{.stage = std::move(failure.stage),
                    .error_class = std::move(failure.error_class),
                    .message = std::move(failure.message),
                    .first_ms = now,
                    .last_ms = now,
                    .count = 1};
  LedgerEntry* entry = room_for(failure.key);
  if (entry != nullptr && entry->count > 0) {
    value.first_ms = entry->first_ms;
    value.count = entry->count + 1;
  }
  if (!table_) return done(fail(ErrorCode::unavailable, "the failure ledger is not open"));
  table_->put(as_bytes(failure.key.encode()), as_bytes(encode(value)), std::move(done));
  if (entry != nullptr) assign(*entry, std::move(value));
}

void FailureLedger::record(std::vector<Failure> failures, std::shared_ptr<Executor> reply_to, Done done) {
  struct Waiting {
    std::size_t left;
    Result<void> outcome;
    std::shared_ptr<Executor> reply_to;
    Done done;
  };
  auto waiting = std::make_shared<Waiting>(Waiting{failures.size(), {}, std::move(reply_to), std::move(done)});
  loop_.post([this, failures = std::move(failures), waiting]() mutable {
    const auto finish = [waiting] { waiting->reply_to->post([waiting] { waiting->done(waiting->outcome); }); };
    if (failures.empty()) return finish();
    for (Failure& failure : failures) {
      put(std::move(failure), [waiting, finish](Result<void> written) {
        if (!written) waiting->outcome = std::move(written);
        if (--waiting->left == 0) finish();
      });
    }
  });
}

void FailureLedger::forget(const LedgerKey& key) {
  if (!drop(key) || !table_) return;
  table_->put(as_bytes(key.encode()), std::nullopt);
  if (forgotten_) forgotten_(key);
}

const LedgerEntry* FailureLedger::find(const LedgerKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

std::ranges::subrange<FailureLedger::Entries::const_iterator> FailureLedger::of(const std::string& connector) const {
  const auto begin = entries_.lower_bound({connector, {"", PartitionIndex(0)}, Offset(0)});
  auto end = begin;
  while (end != entries_.end() && end->first.connector == connector) ++end;
  return {begin, end};
}

void FailureLedger::forget_connector(const std::string& connector) {
  std::vector<LedgerKey> keys;
  for (const auto& [key, entry] : of(connector)) keys.push_back(key);
  for (const LedgerKey& key : keys) forget(key);
}

std::size_t FailureLedger::count(const std::string& connector) const {
  const auto all = of(connector);
  return static_cast<std::size_t>(std::ranges::distance(all));
}

}  // namespace millrace::connect

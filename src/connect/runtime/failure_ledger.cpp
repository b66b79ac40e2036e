#include "connect/runtime/failure_ledger.h"

#include "connect/json_members.h"
#include "connect/json_writer.h"

namespace millrace::connect {
namespace {

constexpr std::size_t kMaxMessage = 1000;

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
    entries_.erase(*decoded);
    return;
  }
  if (entries_.size() >= kMaxEntries && !entries_.contains(*decoded)) return;
  const sql::Value root = root_of(document);
  entries_[*decoded] = {.stage = member_text(root, "stage"),
                        .error_class = member_text(root, "error_class"),
                        .message = member_text(root, "message"),
                        .first_ms = member_number(root, "first_seen_ms"),
                        .last_ms = member_number(root, "last_seen_ms"),
                        .count = member_number(root, "count")};
}

void FailureLedger::put(Failure failure, topics::TableTopic::Done done) {
  const std::int64_t now = clock_.wall().count();
  auto found = entries_.find(failure.key);
  if (found == entries_.end()) {
    if (entries_.size() >= kMaxEntries) return done({});
    found = entries_.emplace(failure.key, LedgerEntry{.first_ms = now}).first;
  }
  LedgerEntry& entry = found->second;
  if (failure.message.size() > kMaxMessage) failure.message.resize(kMaxMessage);
  entry.stage = std::move(failure.stage);
  entry.error_class = std::move(failure.error_class);
  entry.message = std::move(failure.message);
  entry.last_ms = now;
  ++entry.count;
  if (!table_) return done(fail(ErrorCode::unavailable, "the failure ledger is not open"));
  table_->put(as_bytes(failure.key.encode()), as_bytes(encode(entry)), std::move(done));
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
  if (entries_.erase(key) == 0 || !table_) return;
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

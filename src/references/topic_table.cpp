#include "references/topic_table.h"

#include "base/log.h"

namespace millrace::references {
namespace {

constexpr std::size_t kPiece = 1_MiB;
constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kPatience{2};
/// What a row costs beside its bytes.
constexpr std::uint64_t kRowOverhead = 96;

std::string joined(const RowKey& key) {
  std::string out(key.key);
  if (key.sort) out.append("/").append(*key.sort);
  return out;
}

std::uint64_t cost(std::string_view key, std::string_view value) {
  return key.size() + value.size() + kRowOverhead;
}

}  // namespace

void TopicTable::start() {
  loop_.post([self = shared_from_this()] {
    self->begin();
    self->tick();
  });
}

void TopicTable::stop() {
  stopped_ = true;
  answer_waiting(true);
}

void TopicTable::tick() {
  if (stopped_) return;
  const auto table = log_.table();
  const topics::Topic* const topic = table->find(topic_);
  const bool same = topic != nullptr && !readings_.empty() && readings_.size() == topic->partitions.size() &&
                    readings_.front().partition == topic->partitions.front();
  if (!same && (topic != nullptr || !readings_.empty())) begin();
  answer_waiting(false);
  loop_.run_after(kLook, [self = shared_from_this()] { self->tick(); });
}

/// From nothing: the topic is there for the first time, was made anew, or has more partitions.
void TopicTable::begin() {
  ++generation_;
  readings_.clear();
  loaded_ = false;
  full_ = false;
  for (Guarded<Rows>& shard : shards_) shard.with([](Rows& rows) { rows.clear(); });
  bytes_ = 0;
  rows_ = 0;
  const auto table = log_.table();
  const topics::Topic* const topic = table->find(topic_);
  missing_ = topic == nullptr;
  if (topic == nullptr) return;
  for (const auto& partition : topic->partitions) {
    readings_.push_back({partition, partition->log_start(), partition->high_watermark()});
  }
  for (std::size_t i = 0; i < readings_.size(); ++i) read_on(i, generation_);
}

void TopicTable::read_on(std::size_t number, std::uint64_t generation) {
  if (stopped_ || generation != generation_) return;
  Reading& reading = readings_[number];
  if (reading.partition->deleted()) return;  // tick() looks for its successor
  const auto again = [self = shared_from_this(), number, generation] { self->read_on(number, generation); };
  if (reading.next >= reading.partition->high_watermark()) {
    check_loaded();
    reading.partition->when_beyond(reading.next, loop_, again);
    return;
  }
  const auto read = reading.partition->read(reading.next, kPiece);
  if (!read) {
    if (read.error().code == ErrorCode::out_of_range) {
      reading.next = reading.partition->log_start();
      loop_.post(again);
    } else if (read.error().code != ErrorCode::closed) {
      log::warn("reference_table_unreadable", {{"topic", topic_}, {"reason", read.error().message()}});
      loop_.run_after(kPatience, again);
    }
    return;
  }
  for (const SharedBytes& batch : read->batches) {
    const auto next = records_.visit(batch.view(), reading.next, [this](const ReadRecord& record) { take(record); });
    if (!next) {
      log::warn("reference_table_unreadable", {{"topic", topic_}, {"reason", next.error().message()}});
      return;
    }
    reading.next = *next;
  }
  check_loaded();
  loop_.post(again);
}

void TopicTable::take(const ReadRecord& record) {
  if (!record.record.key) return;
  const std::string_view key = as_text(*record.record.key);
  const auto value = record.record.value ? std::optional(as_text(*record.record.value)) : std::nullopt;
  shard_of(key).with([&](Rows& rows) {
    const auto found = rows.find(key);
    if (found != rows.end()) {
      bytes_ -= cost(key, found->second);
      --rows_;
    }
    const bool fits = value && bytes_ + cost(key, *value) <= max_bytes_;
    full_ = full_ || (value && !fits);
    if (!fits) {
      if (found != rows.end()) rows.erase(found);
      return;
    }
    const std::string_view row = *value;
    bytes_ += cost(key, row);
    ++rows_;
    if (found != rows.end()) {
      found->second = row;
    } else {
      rows.emplace(key, row);
    }
  });
}

void TopicTable::check_loaded() {
  if (loaded_) return;
  for (const Reading& reading : readings_) {
    if (reading.next < reading.target) return;
  }
  loaded_ = true;
  answer_waiting(true);
}

Answer TopicTable::absent() const {
  if (full_) return {State::failed, "the topic holds more than maxBytes, so a row that is not here may be there"};
  return {State::absent, {}};
}

std::optional<Answer> TopicTable::known(const RowKey& key) {
  if (!loaded_) return std::nullopt;
  const std::string both = key.sort ? joined(key) : std::string();
  const std::string_view wanted = key.sort ? std::string_view(both) : key.key;
  return shard_of(wanted).with([&](const Rows& rows) {
    const auto found = rows.find(wanted);
    return found == rows.end() ? absent() : Answer{State::known, found->second};
  });
}

void TopicTable::ask(const RowKey& key, Executor& loop, Done done) {
  waiting_.with([&](auto& all) { all.push_back({joined(key), &loop, std::move(done), clock_.mono() + kPatience}); });
  if (loaded_ || stopped_) answer_waiting(true);
}

/// `all`: the table is read, or will not be any more. Otherwise those whose patience is at its end.
void TopicTable::answer_waiting(bool all) {
  std::vector<Waiting> ready;
  waiting_.with([&](auto& waiting) {
    if (all) return waiting.swap(ready);
    const MonoTime now = clock_.mono();
    std::erase_if(waiting, [&](Waiting& one) {
      if (now < one.until) return false;
      ready.push_back(std::move(one));
      return true;
    });
  });
  for (Waiting& one : ready) {
    auto answer = known({one.key});
    if (!answer) {
      answer = Answer{State::failed, missing_   ? "there is no topic " + topic_
                                     : stopped_ ? "it is stopping"
                                                : "the topic has not been read yet"};
    }
    one.loop->post([done = std::move(one.done), answer = std::move(*answer)]() mutable { done(std::move(answer)); });
  }
}

Table::Status TopicTable::status() const {
  Status out{loaded_, rows_, bytes_};
  if (missing_) out.problem = "there is no topic " + topic_;
  if (full_) out.problem = "the topic holds more than maxBytes";
  return out;
}

}  // namespace millrace::references

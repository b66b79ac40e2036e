// RowCache: answers by key, each for a while, the least recently used going first when there is no room. Thread: one at
// a time.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "references/table.h"

namespace millrace::references {

class RowCache {
 public:
  RowCache(std::uint64_t max_bytes, std::chrono::nanoseconds ttl) : max_bytes_(max_bytes), ttl_(ttl) {}

  std::optional<Answer> find(std::string_view key, MonoTime now) {
    const auto found = index_.find(key);
    if (found == index_.end()) return std::nullopt;
    if (now >= found->second->until) {
      drop(found->second);
      return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->answer;
  }
  void put(std::string_view key, const Answer& answer, MonoTime now) {
    if (const auto found = index_.find(key); found != index_.end()) drop(found->second);
    if (ttl_.count() == 0 || cost(key, answer) > max_bytes_) return;
    entries_.push_front({std::string(key), answer, now + ttl_});
    index_.emplace(entries_.front().key, entries_.begin());
    bytes_ += cost(key, answer);
    while (bytes_ > max_bytes_) drop(std::prev(entries_.end()));
  }
  [[nodiscard]] std::uint64_t size() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    Answer answer;
    MonoTime until;
  };
  using At = std::list<Entry>::iterator;
  /// Of an entry beside its bytes.
  static constexpr std::uint64_t kOverhead = 160;
  static std::uint64_t cost(std::string_view key, const Answer& answer) {
    return key.size() + answer.text.size() + kOverhead;
  }
  void drop(At at) {
    bytes_ -= cost(at->key, at->answer);
    index_.erase(at->key);
    entries_.erase(at);
  }

  const std::uint64_t max_bytes_;
  const std::chrono::nanoseconds ttl_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<std::string_view, At> index_;
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace::references

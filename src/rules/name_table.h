// NameTable: from a name to a number, in shards that copies share. It keeps hashes only: whoever asks compares the name
// itself. Thread: as ChunkedVector.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "rules/chunked_vector.h"

namespace millrace::rules {

class NameTable {
  static constexpr std::size_t kShards = 1024;
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t number = 0;
  };
  using Shard = std::vector<Entry>;
  static std::uint64_t hash_of(std::string_view name) {
    return std::hash<std::string_view>{}(name) * 0x9E3779B97F4A7C15ULL;
  }
  static std::size_t shard_of(std::uint64_t hash) { return hash >> 54U; }
  template <class Any>
  static auto lower(Any& shard, std::uint64_t hash) {
    return std::lower_bound(shard.begin(), shard.end(), hash,
                            [](const Entry& entry, std::uint64_t value) { return entry.hash < value; });
  }
  template <class Change>
  void edit(std::uint64_t hash, Change change) {
    const auto& before = shards_[shard_of(hash)];
    Shard shard = before ? *before : Shard();
    change(shard);
    shard.shrink_to_fit();
    shards_.set(shard_of(hash), std::make_shared<const Shard>(std::move(shard)));
  }

 public:
  NameTable() {
    for (std::size_t i = 0; i < kShards; ++i) shards_.push_back(nullptr);
  }
  /// The number of the first entry whose name `is` says yes to.
  template <class Is>
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name, Is is) const {
    const std::uint64_t hash = hash_of(name);
    const auto& shard = shards_[shard_of(hash)];
    if (!shard) return std::nullopt;
    for (auto at = lower(*shard, hash); at != shard->end() && at->hash == hash; ++at) {
      if (is(at->number)) return at->number;
    }
    return std::nullopt;
  }
  void add(std::string_view name, std::uint32_t number) {
    const std::uint64_t hash = hash_of(name);
    edit(hash, [&](Shard& shard) { shard.insert(lower(shard, hash), {hash, number}); });
  }
  void remove(std::string_view name, std::uint32_t number) {
    const std::uint64_t hash = hash_of(name);
    edit(hash, [&](Shard& shard) {
      std::erase_if(shard, [&](const Entry& entry) { return entry.hash == hash && entry.number == number; });
    });
  }

 private:
  ChunkedVector<std::shared_ptr<const Shard>> shards_;
};

}  // namespace millrace::rules

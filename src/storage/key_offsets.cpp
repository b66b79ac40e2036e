#include "storage/key_offsets.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace millrace::storage {
namespace {

constexpr std::size_t kFirstSlots = 1024;
constexpr std::size_t kFirstKeyBytes = 16_KiB;
constexpr std::size_t kLargestStep = 16_MiB;  // of the keys' memory: beyond it doubling would overshoot the budget
constexpr std::size_t kLengthBytes = 4;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

std::uint32_t KeyOffsets::hash_of(ByteView key) const {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = mix(seed_ ^ key.size(), kOdd);
  std::size_t at = 0;
  for (; at + 8 <= key.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, key.data() + at, 8);
    hash = mix(hash ^ word, seed_ | 1U) + kOdd;
  }
  std::uint64_t rest = 0;
  if (at < key.size()) std::memcpy(&rest, key.data() + at, key.size() - at);
  hash = mix(hash ^ rest, kOdd);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

ByteView KeyOffsets::key_at(const Slot& slot) const {
  std::uint32_t length = 0;
  const std::size_t at = slot.place - 1;
  std::memcpy(&length, keys_.data() + at, kLengthBytes);
  return keys_.view(at + kLengthBytes, length);
}

std::size_t KeyOffsets::slot_of(std::uint32_t hash, ByteView key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].place != 0 && (slots_[at].hash != hash || !std::ranges::equal(key_at(slots_[at]), key))) {
    at = (at + 1) & mask;
  }
  return at;
}

// While the table doubles the old one is still there: that has to fit too.
bool KeyOffsets::make_room(std::size_t key_bytes) {
  const std::size_t wanted = keys_.size() + kLengthBytes + key_bytes;
  std::size_t key_capacity = keys_.capacity();
  if (wanted > key_capacity) {
    key_capacity = std::max({wanted, kFirstKeyBytes, key_capacity + std::min(key_capacity, kLargestStep)});
  }
  const bool double_slots = (count_ + 1) * 4 > slots_.size() * 3;
  const std::size_t slots = double_slots ? std::max(kFirstSlots, slots_.size() * 2) : slots_.size();
  const std::size_t peak = (slots + (double_slots ? slots_.size() : 0)) * sizeof(Slot) + key_capacity;
  const bool places_left = wanted < std::numeric_limits<std::uint32_t>::max();
  if (count_ > 0 && (peak > budget_ || !places_left)) return false;
  keys_.reserve(key_capacity);
  if (!double_slots) return true;
  std::vector<Slot> grown(slots);
  for (const Slot& slot : slots_) {
    if (slot.place == 0) continue;
    std::size_t at = slot.hash & (slots - 1);
    while (grown[at].place != 0) at = (at + 1) & (slots - 1);
    grown[at] = slot;
  }
  slots_.swap(grown);
  return true;
}

bool KeyOffsets::put(ByteView key, Offset offset) {
  const std::uint32_t hash = hash_of(key);
  if (!slots_.empty()) {
    Slot& known = slots_[slot_of(hash, key)];
    if (known.place != 0) {
      known.offset = std::max(known.offset, offset.value());
      return true;
    }
  }
  if (!make_room(key.size())) return false;
  Slot& slot = slots_[slot_of(hash, key)];
  slot.hash = hash;
  slot.place = static_cast<std::uint32_t>(keys_.size() + 1);
  slot.offset = offset.value();
  const auto length = static_cast<std::uint32_t>(key.size());
  std::memcpy(keys_.prepare(kLengthBytes), &length, kLengthBytes);
  keys_.commit(kLengthBytes);
  keys_.append(key);
  ++count_;
  return true;
}

std::optional<Offset> KeyOffsets::find(ByteView key) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[slot_of(hash_of(key), key)];
  if (slot.place == 0) return std::nullopt;
  return Offset(slot.offset);
}

}  // namespace millrace::storage

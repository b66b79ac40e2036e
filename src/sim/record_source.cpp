#include "sim/record_source.h"

#include "base/endian.h"
#include "base/rng.h"

namespace millrace::sim {

namespace {

constexpr std::uint64_t kKeys = 12;
constexpr std::size_t kNameBytes = 16;

std::uint64_t mixed(std::uint64_t seed, RecordName name) {
  return seed ^ (name.writer * 0x9E3779B97F4A7C15ULL) ^ (name.number * 0xC2B2AE3D27D4EB4FULL);
}

}  // namespace

std::string RecordSource::key(RecordName name) const {
  return "key " + std::to_string(Rng(mixed(seed_, name) + 1).below(kKeys));
}

bool RecordSource::tombstone(RecordName name) const {
  return Rng(mixed(seed_, name) + 2).chance(1, 5);
}

std::string RecordSource::value(RecordName name) const {
  Rng rng(mixed(seed_, name));
  std::string text(16 + (rng.chance(1, 8) ? rng.below(1500) : rng.below(120)), '\0');
  auto* at = reinterpret_cast<std::uint8_t*>(text.data());
  store_be(at, name.writer);
  store_be(at + 8, name.number);
  for (std::size_t i = 16; i < text.size(); i += 8) {
    std::uint64_t word = rng();
    for (std::size_t j = i; j < text.size() && j < i + 8; ++j, word >>= 8U) text[j] = static_cast<char>(word & 0xFFU);
  }
  return text;
}

std::optional<RecordName> RecordSource::name(const RecordView& record) const {
  const bool named = record.headers.size() == 1 && record.headers.front().key == kNameHeader;
  const ByteView bytes = record.value ? *record.value
                         : named      ? record.headers.front().value.value_or(ByteView())
                                      : ByteView();
  if (bytes.size() < kNameBytes) return std::nullopt;
  const RecordName name{load_be<std::uint64_t>(bytes.data()), load_be<std::uint64_t>(bytes.data() + 8)};
  const std::string content = value(name);
  const bool same =
      as_text(bytes) == (record.value ? std::string_view(content) : std::string_view(content).substr(0, kNameBytes));
  if (!same || record.value.has_value() == tombstone(name)) return std::nullopt;
  if (!record.key || as_text(*record.key) != key(name)) return std::nullopt;
  return name;
}

}  // namespace millrace::sim

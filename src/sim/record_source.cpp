#include "sim/record_source.h"

#include "base/endian.h"
#include "base/rng.h"

namespace millrace::sim {

std::string RecordSource::value(RecordName name) const {
  Rng rng(seed_ ^ (name.writer * 0x9E3779B97F4A7C15ULL) ^ (name.number * 0xC2B2AE3D27D4EB4FULL));
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

std::optional<RecordName> RecordSource::name(ByteView bytes) const {
  if (bytes.size() < 16) return std::nullopt;
  const RecordName name{load_be<std::uint64_t>(bytes.data()), load_be<std::uint64_t>(bytes.data() + 8)};
  if (as_text(bytes) != value(name)) return std::nullopt;
  return name;
}

}  // namespace millrace::sim

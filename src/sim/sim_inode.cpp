#include "sim/sim_inode.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace millrace::sim {
namespace {

void overwrite(std::vector<std::uint8_t>& into, std::uint64_t offset, ByteView bytes) {
  std::copy(bytes.begin(), bytes.end(), into.begin() + static_cast<std::ptrdiff_t>(offset));
}

// How many of the pending changes each sector saw before the lights went out.
class SectorFates {
 public:
  SectorFates(Rng& rng, std::uint64_t changes) : rng_(rng), changes_(changes) {
    switch (rng.below(5)) {
      case 0:
        mode_ = Mode::nothing;
        break;
      case 1:
        mode_ = Mode::everything;
        break;
      case 2:
        mode_ = Mode::prefix;
        prefix_ = rng.below(changes + 1);
        break;
      default:
        mode_ = Mode::scattered;
        break;
    }
  }
  // Changes with a smaller index reached this sector.
  std::uint64_t limit(std::uint64_t sector) {
    if (mode_ == Mode::nothing) return 0;
    if (mode_ == Mode::everything) return changes_;
    const auto [it, fresh] = limits_.try_emplace(sector, 0);
    if (fresh) it->second = mode_ == Mode::prefix ? prefix_ + rng_.below(2) : rng_.below(changes_ + 1);
    return it->second;
  }
  // Size changes with a smaller index happened.
  std::uint64_t sizes() {
    switch (mode_) {
      case Mode::nothing:
        return 0;
      case Mode::everything:
        return changes_;
      case Mode::prefix:
        return prefix_ + rng_.below(2);
      case Mode::scattered:
        break;
    }
    return rng_.below(changes_ + 1);
  }

 private:
  enum class Mode : std::uint8_t { nothing, everything, prefix, scattered };
  Rng& rng_;
  std::uint64_t changes_;
  Mode mode_ = Mode::nothing;
  std::uint64_t prefix_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> limits_;
};

}  // namespace

void SimInode::write(std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  if (offset + bytes.size() > content.size()) content.resize(offset + bytes.size());
  overwrite(content, offset, bytes);
  pending.push_back({false, offset, {bytes.begin(), bytes.end()}});
}

void SimInode::resize(std::uint64_t size) {
  content.resize(size);
  pending.push_back({true, size, {}});
}

void SimInode::sync() {
  for (const Change& change : pending) {
    if (change.resize) {
      durable.resize(change.offset);
    } else {
      if (change.end() > durable.size()) durable.resize(change.end());
      overwrite(durable, change.offset, change.bytes);
    }
  }
  pending.clear();
}

void SimInode::settle_by_chance(Rng& rng) {
  SectorFates fates(rng, pending.size());
  const std::uint64_t sizes = fates.sizes();
  // A write behind a cut that did not happen has no blocks to land in.
  std::uint64_t ceiling = std::numeric_limits<std::uint64_t>::max();
  for (std::uint64_t i = 0; i < pending.size(); ++i) {
    const Change& change = pending[i];
    if (change.resize) {
      if (i < sizes) {
        durable.resize(change.offset);
      } else {
        ceiling = std::min(ceiling, change.offset);
      }
      continue;
    }
    if (i < sizes && change.end() > durable.size()) durable.resize(change.end());
    const std::uint64_t end = std::min({change.end(), std::uint64_t{durable.size()}, ceiling});
    for (std::uint64_t at = change.offset; at < end;) {
      const std::uint64_t sector = at / kSectorBytes;
      const std::uint64_t next = std::min(end, (sector + 1) * kSectorBytes);
      if (i < fates.limit(sector)) {
        overwrite(durable, at, ByteView(change.bytes).subspan(at - change.offset, next - at));
      }
      at = next;
    }
  }
  pending.clear();
}

void SimInode::fail_sync(Rng& rng, bool evicted) {
  ++failures;
  settle_by_chance(rng);
  const std::uint64_t size = content.size();
  if (size != durable.size()) pending.push_back({true, size, {}});
  if (!evicted) return;
  content = durable;
  content.resize(size);
}

}  // namespace millrace::sim

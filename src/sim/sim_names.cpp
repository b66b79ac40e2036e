#include "sim/sim_names.h"

#include <utility>

namespace millrace::sim {

bool SimNames::Change::touches(const Change& other) const {
  return gone.same(other.gone) || gone.same(other.there) || there.same(other.gone) || there.same(other.there);
}

void SimNames::made(const Directory& in, const std::string& name, const std::shared_ptr<SimInode>& inode) {
  pending_.push_back({{}, {in, name, false}, inode});
}

void SimNames::removed(const Directory& from, const std::string& name) {
  pending_.push_back({{from, name, false}, {}, nullptr});
}

void SimNames::renamed(const Directory& from, const std::string& old_name, const Directory& to,
                       const std::string& new_name, const std::shared_ptr<SimInode>& inode) {
  pending_.push_back({{from, old_name, false}, {to, new_name, false}, inode});
}

void SimNames::sync(const Directory& directory) {
  std::vector<bool> chosen;
  for (Change& change : pending_) {
    if (change.gone.directory == directory) change.gone.synced = true;
    if (change.there.directory == directory) change.there.synced = true;
    chosen.push_back(change.synced());
  }
  apply(std::move(chosen));
}

void SimNames::settle_by_chance(Rng& rng) {
  std::vector<bool> chosen(pending_.size(), false);
  switch (rng.below(4)) {
    case 0:
      break;
    case 1:
      chosen.assign(pending_.size(), true);
      break;
    case 2: {
      const std::uint64_t prefix = rng.below(pending_.size() + 1);
      for (std::uint64_t i = 0; i < prefix; ++i) chosen[i] = true;
      break;
    }
    default:
      for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = rng.chance(1, 2);
      break;
  }
  apply(std::move(chosen));
  pending_.clear();
}

void SimNames::apply(std::vector<bool> chosen) {
  for (std::size_t i = pending_.size(); i-- > 0;) {
    if (!chosen[i]) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (pending_[j].touches(pending_[i])) chosen[j] = true;
    }
  }
  std::vector<Change> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    Change& change = pending_[i];
    if (!chosen[i]) {
      left.push_back(std::move(change));
      continue;
    }
    if (change.gone.directory != nullptr) change.gone.directory->durable_entries.erase(change.gone.name);
    if (change.there.directory != nullptr) {
      change.there.directory->durable_entries[change.there.name] = change.inode;
    }
  }
  pending_ = std::move(left);
}

}  // namespace millrace::sim

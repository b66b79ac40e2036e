#include "sim/group_model.h"

#include <algorithm>

namespace millrace::sim {

std::size_t GroupModel::attempt(std::int32_t partition, std::int64_t offset) {
  History& history = histories_[partition];
  history.offsets.push_back(offset);
  return history.offsets.size() - 1;
}

void GroupModel::acknowledged(std::int32_t partition, std::size_t attempt) {
  History& history = histories_[partition];
  history.least = std::max(history.least, attempt);
}

std::optional<std::string> GroupModel::fetched(std::int32_t partition, std::int64_t offset) {
  History& history = histories_[partition];
  // The latest attempt of this value is the one that excuses most.
  for (std::size_t at = history.offsets.size(); at > history.least; --at) {
    if (history.offsets[at - 1] != offset) continue;
    // Only an offset says which attempt it is; "nothing" may be any deletion.
    if (offset != kNothing) history.least = at - 1;
    return std::nullopt;
  }
  return "partition " + std::to_string(partition) + " has offset " + std::to_string(offset) +
         ", older than what was acknowledged or seen (" + std::to_string(history.offsets[history.least]) + ")";
}

void GroupModel::generation_told(std::int32_t generation) {
  told_ = std::max(told_, generation);
}

std::optional<std::string> GroupModel::assigned(std::int32_t generation, const std::vector<std::int32_t>& partitions,
                                                const std::string& owner) {
  for (const std::int32_t partition : partitions) {
    const auto [at, first] = owners_.try_emplace({generation, partition}, owner);
    if (!first && at->second != owner) {
      return "partition " + std::to_string(partition) + " belongs to " + at->second + " and " + owner +
             " in generation " + std::to_string(generation);
    }
  }
  return std::nullopt;
}

}  // namespace millrace::sim

#include "sim/group_store.h"

#include <map>

namespace millrace::sim {

void SimGroupStore::compact(bool drop_tombstones) {
  std::map<std::string, std::size_t> last;
  for (std::size_t i = 0; i < durable_.size(); ++i) last[durable_[i].key] = i;
  std::vector<kafka::GroupRecord> kept;
  for (std::size_t i = 0; i < durable_.size(); ++i) {
    if (last[durable_[i].key] != i || (drop_tombstones && !durable_[i].value)) continue;
    kept.push_back(std::move(durable_[i]));
  }
  durable_ = std::move(kept);
}

}  // namespace millrace::sim

#include "storage/open_files.h"

#include "storage/segment.h"

namespace millrace::storage {

void OpenFiles::opened(Segment& segment, std::size_t count) {
  const std::scoped_lock lock(mutex_);
  auto [it, fresh] = entries_.try_emplace(&segment);
  if (fresh) it->second.place = order_.insert(order_.end(), &segment);
  it->second.count += count;
  count_ += count;
  // Twice around: the first time everyone may say that he was used lately.
  for (std::size_t looks = 2 * order_.size(); count_ > limit_ && looks > 0; --looks) {
    Segment* const oldest = order_.front();
    if (oldest == &segment || !oldest->give_back_files()) {
      order_.splice(order_.end(), order_, order_.begin());
      continue;
    }
    const auto given = entries_.find(oldest);
    count_ -= given->second.count;
    order_.erase(given->second.place);
    entries_.erase(given);
  }
}

void OpenFiles::closed(Segment& segment) {
  const std::scoped_lock lock(mutex_);
  const auto it = entries_.find(&segment);
  if (it == entries_.end()) return;
  count_ -= it->second.count;
  order_.erase(it->second.place);
  entries_.erase(it);
}

std::size_t OpenFiles::count() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

}  // namespace millrace::storage

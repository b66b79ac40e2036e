#include "storage/open_files.h"

#include "storage/segment.h"

namespace millrace::storage {
namespace {

constexpr int kLots = 8;  // so many times somebody who was used lately is passed over

}  // namespace

void OpenFiles::opened(Segment& segment, std::size_t count) {
  const std::scoped_lock lock(mutex_);
  const auto [it, fresh] = entries_.try_emplace(&segment);
  if (fresh) {
    it->second.place = segments_.size();
    segments_.push_back(&segment);
  }
  it->second.count += count;
  count_ += count;
  for (int passed = 0; count_ > limit_ && segments_.size() > 1;) {
    Segment* const drawn = segments_[lots_.below(segments_.size())];
    if (drawn == &segment) continue;
    // The second time it gives them back in any case.
    if (!drawn->give_back_files() && (++passed <= kLots || !drawn->give_back_files())) continue;
    remove(entries_.find(drawn));
  }
}

void OpenFiles::closed(Segment& segment) {
  const std::scoped_lock lock(mutex_);
  const auto it = entries_.find(&segment);
  if (it != entries_.end()) remove(it);
}

void OpenFiles::remove(std::unordered_map<Segment*, Entry>::iterator entry) {
  count_ -= entry->second.count;
  segments_[entry->second.place] = segments_.back();
  entries_.at(segments_.back()).place = entry->second.place;
  segments_.pop_back();
  entries_.erase(entry);
}

std::size_t OpenFiles::count() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

}  // namespace millrace::storage

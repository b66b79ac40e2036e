#include "actions/line_files.h"

namespace millrace::actions {

Result<void> LineFiles::append(std::string_view name, ByteView line) {
  const std::scoped_lock lock(mutex_);
  if (folder_ == nullptr) return fail(ErrorCode::invalid_argument, "the setting rules.file.dir names no folder");
  auto found = open_.find(name);
  if (found == open_.end()) {
    MR_TRY_ASSIGN(auto file, folder_->open(name, io::OpenMode::create));
    if (open_.size() >= kMostOpen) {
      const auto oldest = open_.begin();
      if (unsynced_.erase(oldest->first) != 0) MR_TRY(oldest->second->sync_data());
      open_.erase(oldest);
    }
    found = open_.emplace(std::string(name), std::move(file)).first;
  }
  line_.clear();
  line_.append(line);
  line_.push_back('\n');
  // The end is asked each time: somebody may have rotated or truncated the file.
  MR_TRY_ASSIGN(const std::uint64_t end, found->second->size());
  unsynced_.emplace(name);
  return found->second->write_at(end, line_.view());
}

Result<void> LineFiles::sync() {
  const std::scoped_lock lock(mutex_);
  for (const std::string& name : unsynced_) {
    if (const auto found = open_.find(name); found != open_.end()) MR_TRY(found->second->sync_data());
  }
  unsynced_.clear();
  return {};
}

}  // namespace millrace::actions

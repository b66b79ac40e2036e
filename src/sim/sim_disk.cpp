#include "sim/sim_disk.h"

#include <algorithm>
#include <set>

#include "io/path.h"
#include "sim/sim_file.h"

namespace millrace::sim {

using io::OpenMode;
using io::Operation;

namespace {

constexpr std::uint64_t kBlockBytes = 4096;

std::uint64_t blocks(std::uint64_t size) {
  return (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

}  // namespace

SimDisk::SimDisk(std::uint64_t seed, const Options& options, VirtualClock* clock, Trace* trace)
    : options_(options), rng_(seed), clock_(clock), trace_(trace) {
  root_->directory = true;
  root_->linked = true;
}

std::unexpected<Error> SimDisk::stopped_failure() const {
  return fail(ErrorCode::io_error, "the machine is stopped");
}

Result<SimDisk::Fate> SimDisk::begin(Operation kind, std::string_view path, std::uint64_t a, std::uint64_t b) {
  if (!running_) return stopped_failure();
  if (hook_) {
    hook_(kind);
    if (!running_) return stopped_failure();
  }
  ++operations_;
  if (trace_ != nullptr) {
    trace_->note("disk", static_cast<std::uint64_t>(kind), a, b);
    if (trace_->keeps_lines()) {
      static constexpr const char* kNames[] = {"open",           "open existing", "read",    "write",  "sync",
                                               "truncate",       "reserve",       "rename",  "remove", "make_directory",
                                               "sync_directory", "list",          "sync_all"};
      trace_->say("  #" + std::to_string(operations_) + " " + kNames[static_cast<std::size_t>(kind)] + " " +
                  std::string(path) + " " + std::to_string(a) + " " + std::to_string(b));
    }
  }
  if (clock_ != nullptr) {
    const bool syncs = kind == Operation::sync || kind == Operation::sync_directory || kind == Operation::sync_all;
    clock_->advance(syncs ? options_.sync_latency : options_.operation_latency);
  }
  if (operations_ != stop_at_) return Fate::happens;
  running_ = false;
  if (trace_ != nullptr) trace_->note("stopped in", static_cast<std::uint64_t>(kind));
  return rng_.chance(1, 2) ? Fate::cut_before : Fate::cut_after;
}

Result<void> SimDisk::finish(Fate fate) const {
  if (fate == Fate::happens) return {};
  return stopped_failure();
}

Result<SimDisk::Inode> SimDisk::find(std::string_view path) const {
  MR_TRY(io::check_path(path));
  Inode at = root_;
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto slash = rest.find('/');
    const auto it = at->entries.find(std::string(rest.substr(0, slash)));
    if (it == at->entries.end()) return fail(ErrorCode::not_found, "open", describe(path));
    at = it->second;
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return at;
}

Result<SimDisk::Inode> SimDisk::find_directory(std::string_view path) const {
  MR_TRY_ASSIGN(Inode inode, find(path));
  if (!inode->directory) return fail(ErrorCode::io_error, "not a directory", describe(path));
  return inode;
}

bool SimDisk::charge(SimInode& inode, std::uint64_t size) {
  const std::uint64_t wanted = blocks(std::max(size, inode.reserved));
  if (wanted > inode.charged && used_ + (wanted - inode.charged) > options_.capacity) {
    const std::uint64_t room = options_.capacity > used_ ? (options_.capacity - used_) / kBlockBytes * kBlockBytes : 0;
    used_ += room;
    inode.charged += room;
    return false;
  }
  used_ += wanted;
  used_ -= inode.charged;
  inode.charged = wanted;
  return true;
}

void SimDisk::uncharge_if_gone(SimInode& inode) {
  if (inode.linked || inode.handles != 0) return;
  used_ -= inode.charged;
  inode.charged = 0;
}

Result<std::unique_ptr<io::File>> SimDisk::open(std::string_view path, OpenMode mode) {
  if (!running_) return stopped_failure();
  MR_TRY(io::check_path(path));
  const bool creates = mode == OpenMode::create || mode == OpenMode::create_new;
  const bool writable = mode != OpenMode::read_only;
  MR_TRY_ASSIGN(const Inode parent, find_directory(io::parent_path(path)));
  const std::string name(io::base_name(path));
  auto it = parent->entries.find(name);
  if (it == parent->entries.end()) {
    if (!creates) return fail(ErrorCode::not_found, "open", describe(path));
    MR_TRY_ASSIGN(const Fate fate, begin(Operation::open, path));
    if (fate == Fate::cut_before) return stopped_failure();
    it = parent->entries.emplace(name, std::make_shared<SimInode>()).first;
    it->second->linked = true;
    names_.made(parent, name, it->second);
    if (fate == Fate::cut_after) return stopped_failure();
  } else if (mode == OpenMode::create_new) {
    return fail(ErrorCode::already_exists, "open", describe(path));
  }
  if (it->second->directory) return fail(ErrorCode::io_error, "is a directory", describe(path));
  return std::make_unique<SimFile>(*this, it->second, std::string(path), writable, false);
}

Result<void> SimDisk::rename(std::string_view from, std::string_view to) {
  MR_TRY(io::check_path(from));
  MR_TRY(io::check_path(to));
  MR_TRY_ASSIGN(const Fate fate, begin(Operation::rename, std::string(from) + " to " + std::string(to)));
  MR_TRY_ASSIGN(const Inode inode, find(from));
  MR_TRY_ASSIGN(const Inode source, find_directory(io::parent_path(from)));
  MR_TRY_ASSIGN(const Inode target, find_directory(io::parent_path(to)));
  const std::string old_name(io::base_name(from));
  const std::string new_name(io::base_name(to));
  const auto replaced = target->entries.find(new_name);
  if (replaced != target->entries.end()) {
    if (replaced->second == inode) return finish(fate);
    if (inode->directory || replaced->second->directory) return fail(ErrorCode::io_error, "rename", describe(to));
  }
  if (fate == Fate::cut_before) return finish(fate);
  if (replaced != target->entries.end()) {
    replaced->second->linked = false;
    uncharge_if_gone(*replaced->second);
  }
  source->entries.erase(old_name);
  target->entries[new_name] = inode;
  names_.renamed(source, old_name, target, new_name, inode);
  return finish(fate);
}

Result<void> SimDisk::remove_file(std::string_view path) {
  MR_TRY_ASSIGN(const Fate fate, begin(Operation::remove, path));
  MR_TRY_ASSIGN(const Inode inode, find(path));
  if (inode->directory) return fail(ErrorCode::io_error, "is a directory", describe(path));
  if (fate == Fate::cut_before) return finish(fate);
  MR_TRY_ASSIGN(const Inode parent, find_directory(io::parent_path(path)));
  const std::string name(io::base_name(path));
  parent->entries.erase(name);
  names_.removed(parent, name);
  inode->linked = false;
  uncharge_if_gone(*inode);
  return finish(fate);
}

Result<void> SimDisk::remove_entries(const Inode& directory, std::string_view path) {
  while (!directory->entries.empty()) {
    const auto [name, inode] = *directory->entries.begin();
    if (inode->directory) MR_TRY(remove_entries(inode, std::string(path) + "/" + name));
    // One operation each: a power cut in the middle leaves a part of the tree.
    MR_TRY_ASSIGN(const Fate fate, begin(Operation::remove, std::string(path) + "/" + name));
    if (fate == Fate::cut_before) return finish(fate);
    directory->entries.erase(name);
    names_.removed(directory, name);
    inode->linked = false;
    uncharge_if_gone(*inode);
    MR_TRY(finish(fate));
  }
  return {};
}

Result<void> SimDisk::remove_tree(std::string_view path) {
  if (!running_) return stopped_failure();
  MR_TRY_ASSIGN(const Inode inode, find(path));
  if (!inode->directory) return remove_file(path);
  MR_TRY(remove_entries(inode, path));
  MR_TRY_ASSIGN(const Fate fate, begin(Operation::remove, path));
  if (fate == Fate::cut_before) return finish(fate);
  MR_TRY_ASSIGN(const Inode parent, find_directory(io::parent_path(path)));
  const std::string name(io::base_name(path));
  parent->entries.erase(name);
  names_.removed(parent, name);
  inode->linked = false;
  return finish(fate);
}

Result<void> SimDisk::make_directory(std::string_view path) {
  if (!running_) return stopped_failure();
  MR_TRY(io::check_path(path));
  Inode at = root_;
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    auto it = at->entries.find(name);
    if (it == at->entries.end()) {
      MR_TRY_ASSIGN(const Fate fate, begin(Operation::make_directory, path));
      if (fate == Fate::cut_before) return finish(fate);
      auto made = std::make_shared<SimInode>();
      made->directory = true;
      made->linked = true;
      it = at->entries.emplace(name, made).first;
      names_.made(at, name, made);
      MR_TRY(finish(fate));
    }
    if (!it->second->directory) return fail(ErrorCode::io_error, "make directory", describe(path));
    at = it->second;
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return {};
}

Result<void> SimDisk::sync_directory(std::string_view path) {
  MR_TRY_ASSIGN(const Fate fate, begin(Operation::sync_directory, path));
  MR_TRY_ASSIGN(const Inode directory, find_directory(path));
  if (fate != Fate::cut_before) names_.sync(directory);
  return finish(fate);
}

std::vector<SimDisk::Inode> SimDisk::all_inodes() const {
  std::vector<Inode> found{root_};
  std::set<const SimInode*> seen{root_.get()};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Inode inode = found[i];
    for (const auto* entries : {&inode->entries, &inode->durable_entries}) {
      for (const auto& [name, child] : *entries) {
        if (seen.insert(child.get()).second) found.push_back(child);
      }
    }
  }
  return found;
}

Result<void> SimDisk::sync_all() {
  MR_TRY_ASSIGN(const Fate fate, begin(Operation::sync_all, ""));
  const std::vector<Inode> all = all_inodes();
  if (++syncs_ == failing_sync_) {
    for (const Inode& inode : all) {
      if (!inode->directory && !inode->pending.empty()) inode->fail_sync(rng_, evict_on_failed_sync_);
    }
    return fail(ErrorCode::io_error, "syncfs", describe(""));
  }
  if (fate == Fate::cut_before) return finish(fate);
  for (const Inode& inode : all) {
    if (inode->directory) {
      names_.sync(inode);
    } else {
      inode->sync();
    }
  }
  return finish(fate);
}

Result<std::vector<std::string>> SimDisk::list(std::string_view path) {
  if (!running_) return stopped_failure();
  MR_TRY_ASSIGN(const Inode directory, find_directory(path));
  std::vector<std::string> listed;
  for (const auto& [name, inode] : directory->entries) listed.push_back(name);
  return listed;
}

bool SimDisk::exists(std::string_view path) {
  return running_ && find(path).has_value();
}

Result<std::unique_ptr<io::File>> SimDisk::lock(std::string_view path) {
  MR_TRY(open(path, OpenMode::create));
  MR_TRY_ASSIGN(const Inode inode, find(path));
  if (inode->locked) return fail(ErrorCode::locked, "lock", describe(path));
  inode->locked = true;
  return std::make_unique<SimFile>(*this, inode, std::string(path), true, true);
}

Result<std::uint64_t> SimDisk::free_bytes() {
  if (!running_) return stopped_failure();
  return options_.capacity > used_ ? options_.capacity - used_ : 0;
}

void SimDisk::forget_handles(SimInode& directory) {
  for (const auto& [name, inode] : directory.entries) {
    inode->linked = true;
    inode->handles = 0;
    inode->locked = false;
    if (inode->directory) {
      forget_handles(*inode);
    } else {
      inode->charged = blocks(std::max<std::uint64_t>(inode->content.size(), inode->reserved));
      used_ += inode->charged;
    }
  }
}

void SimDisk::restart_process() {
  running_ = true;
  stop_at_ = 0;
  failing_sync_ = 0;
  ++epoch_;
  open_files_ = 0;
  used_ = 0;
  forget_handles(*root_);
}

void SimDisk::restart_after_power_cut() {
  names_.settle_by_chance(rng_);
  std::vector<Inode> left{root_};
  std::set<const SimInode*> seen;
  while (!left.empty()) {
    const Inode inode = std::move(left.back());
    left.pop_back();
    if (!seen.insert(inode.get()).second) continue;
    if (inode->directory) {
      inode->entries = inode->durable_entries;
      for (const auto& [name, child] : inode->entries) left.push_back(child);
    } else {
      inode->settle_by_chance(rng_);
      inode->content = inode->durable;
      inode->reserved = 0;
    }
  }
  restart_process();
}

bool SimDisk::flip_bit(std::string_view path, std::uint64_t byte, unsigned bit) {
  const auto inode = find(path);
  if (!inode || (*inode)->directory || byte >= (*inode)->content.size()) return false;
  const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
  (*inode)->content[byte] ^= mask;
  if (byte < (*inode)->durable.size()) (*inode)->durable[byte] ^= mask;
  return true;
}

std::uint64_t SimDisk::file_bytes(std::string_view path) const {
  const auto inode = find(path);
  return inode ? (*inode)->content.size() : 0;
}

std::uint64_t SimDisk::bytes_below(std::string_view prefix) const {
  std::uint64_t sum = 0;
  for (const std::string& path : all_files()) sum += path.starts_with(prefix) ? file_bytes(path) : 0;
  return sum;
}

std::vector<std::string> SimDisk::all_files() const {
  std::vector<std::string> files;
  std::vector<std::pair<std::string, Inode>> left{{"", root_}};
  while (!left.empty()) {
    const auto [path, inode] = std::move(left.back());
    left.pop_back();
    for (const auto& [name, child] : inode->entries) {
      const std::string full = path.empty() ? name : path + "/" + name;
      if (child->directory) {
        left.emplace_back(full, child);
      } else {
        files.push_back(full);
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace millrace::sim

// MemoryFileSystem: files as strings, for fuzzing, where a directory is copied and opened thousands of times a second.
// No faults, no notion of what is synced (that is the simulator's disk). Thread: one.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "io/file_system.h"

namespace millrace::storage {

class MemoryFileSystem final : public io::FileSystem {
 public:
  using Content = std::shared_ptr<std::string>;

  MemoryFileSystem() = default;
  /// A deep copy.
  MemoryFileSystem(const MemoryFileSystem& other) : directories_(other.directories_) {
    for (const auto& [path, content] : other.contents_) contents_[path] = std::make_shared<std::string>(*content);
  }
  MemoryFileSystem& operator=(const MemoryFileSystem&) = delete;

  [[nodiscard]] const std::map<std::string, Content, std::less<>>& contents() const { return contents_; }
  /// How many times a file was opened.
  [[nodiscard]] std::uint64_t opened() const { return opened_; }

  Result<std::unique_ptr<io::File>> open(std::string_view path, io::OpenMode mode) override {
    ++opened_;
    const auto it = contents_.find(path);
    if (it != contents_.end()) {
      if (mode == io::OpenMode::create_new) return fail(ErrorCode::already_exists, "file exists", std::string(path));
      return std::make_unique<MemoryFile>(it->second);
    }
    if (mode != io::OpenMode::create && mode != io::OpenMode::create_new) {
      return fail(ErrorCode::not_found, "no such file", std::string(path));
    }
    auto content = std::make_shared<std::string>();
    contents_[std::string(path)] = content;
    return std::make_unique<MemoryFile>(std::move(content));
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    const std::string prefix = std::string(from) + '/';
    std::map<std::string, Content, std::less<>> renamed;
    for (auto& [path, content] : contents_) {
      if (path == from) {
        renamed[std::string(to)] = content;
      } else if (path.starts_with(prefix)) {
        renamed[std::string(to) + path.substr(from.size())] = content;
      } else {
        renamed.try_emplace(path, content);
      }
    }
    contents_ = std::move(renamed);
    if (directories_.erase(std::string(from)) > 0) directories_.insert(std::string(to));
    return {};
  }
  Result<void> remove_file(std::string_view path) override {
    const auto it = contents_.find(path);
    if (it == contents_.end()) return fail(ErrorCode::not_found, "no such file", std::string(path));
    contents_.erase(it);
    return {};
  }
  Result<void> remove_tree(std::string_view path) override {
    const std::string prefix = std::string(path) + '/';
    std::erase_if(contents_, [&](const auto& item) { return item.first == path || item.first.starts_with(prefix); });
    std::erase_if(directories_, [&](const std::string& name) { return name == path || name.starts_with(prefix); });
    return {};
  }
  Result<void> make_directory(std::string_view path) override {
    directories_.insert(std::string(path));
    return {};
  }
  Result<void> sync_directory(std::string_view) override { return {}; }
  Result<void> sync_all() override { return {}; }
  Result<std::vector<std::string>> list(std::string_view path) override {
    const std::string prefix = path.empty() ? std::string() : std::string(path) + '/';
    std::set<std::string> names;
    const auto add = [&](const std::string& name) {
      if (name.size() > prefix.size() && name.starts_with(prefix)) {
        names.insert(name.substr(prefix.size(), name.find('/', prefix.size()) - prefix.size()));
      }
    };
    for (const auto& [name, content] : contents_) add(name);
    for (const std::string& name : directories_) add(name);
    return std::vector<std::string>(names.begin(), names.end());
  }
  [[nodiscard]] bool exists(std::string_view path) override {
    return contents_.contains(path) || directories_.contains(std::string(path));
  }
  Result<std::unique_ptr<io::File>> lock(std::string_view path) override { return open(path, io::OpenMode::create); }
  Result<std::uint64_t> free_bytes() override { return 1_GiB; }

 private:
  class MemoryFile final : public io::File {
   public:
    explicit MemoryFile(Content content) : content_(std::move(content)) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) override {
      if (offset >= content_->size()) return std::size_t{0};
      return content_->copy(reinterpret_cast<char*>(into.data()), into.size(), static_cast<std::size_t>(offset));
    }
    Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) override {
      auto at = static_cast<std::size_t>(offset);
      for (const ByteView piece : pieces) {
        if (content_->size() < at + piece.size()) content_->resize(at + piece.size());
        std::ranges::copy(as_text(piece), content_->begin() + static_cast<std::ptrdiff_t>(at));
        at += piece.size();
      }
      return {};
    }
    Result<void> sync_data() override { return {}; }
    Result<void> truncate(std::uint64_t size) override {
      content_->resize(static_cast<std::size_t>(size));
      return {};
    }
    Result<void> reserve(std::uint64_t, std::uint64_t) override { return {}; }
    void start_writeback(std::uint64_t, std::uint64_t) override {}
    Result<std::uint64_t> size() override { return content_->size(); }

   private:
    Content content_;
  };

  std::map<std::string, Content, std::less<>> contents_;
  std::uint64_t opened_ = 0;
  std::set<std::string> directories_;
};

}  // namespace millrace::storage

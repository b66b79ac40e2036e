// Paths: the payload members that a set of programs names, each once, numbered. A program holds numbers (slots); an
// Evaluation resolves each slot at most once per message, however many rules use it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::sql {

class Paths {
 public:
  using Path = std::vector<std::string>;
  std::uint32_t intern(const Path& path) {
    const auto [at, added] = index_.try_emplace(path, static_cast<std::uint32_t>(paths_.size()));
    if (added) paths_.push_back(path);
    return at->second;
  }
  [[nodiscard]] const Path& operator[](std::uint32_t slot) const { return paths_[slot]; }
  [[nodiscard]] std::size_t size() const { return paths_.size(); }

 private:
  std::map<Path, std::uint32_t> index_;
  std::vector<Path> paths_;
};

}  // namespace millrace::sql

// Paths: the payload members that a set of programs names, each once, numbered, and the words they use. A program holds
// numbers (slots); an Evaluation resolves each slot at most once per message, however many rules use it.
//
// Only grows; what it handed out stays where it is, so programs may run while others are compiled. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"

namespace millrace::sql {

class Paths {
 public:
  using Path = std::vector<std::string>;
  struct Slot {
    std::uint32_t index = 0;
    const Path* path = nullptr;
  };

  Slot intern(const Path& path) {
    return state_.with([&](State& state) {
      const auto [at, added] = state.slots.try_emplace(path, static_cast<std::uint32_t>(state.slots.size()));
      return Slot{at->second, &at->first};
    });
  }
  /// The same characters, for as long as this object lives.
  std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    return state_.with([&](State& state) -> std::string_view {
      const auto found = state.texts.find(text);
      return found != state.texts.end() ? *found : *state.texts.emplace(text).first;
    });
  }
  [[nodiscard]] std::size_t size() const {
    return state_.with([](const State& state) { return state.slots.size() + state.texts.size(); });
  }

 private:
  struct State {
    std::map<Path, std::uint32_t> slots;
    std::set<std::string, std::less<>> texts;
  };
  Guarded<State> state_;
};

}  // namespace millrace::sql

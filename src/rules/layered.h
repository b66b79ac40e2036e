// Layered: members under an index that cannot be changed, only built. New members go into a small layer that is built
// anew each time; it is merged into a larger one when it is full, and that into the base: adding one of 100,000 costs
// the building of at most kTop, rarely of kMiddle, hardly ever of all. Copies share the layers. Thread: one owner
// changes; copies that are never changed may be read by any.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace millrace::rules {

template <class Index>
class Layered {
 public:
  static constexpr std::size_t kTop = 160;  // so that fewer than one in a hundred additions builds more than these
  static constexpr std::size_t kMiddle = 2048;

  struct Layer {
    std::vector<std::uint32_t> members;  // ascending, each once
    Index index;
  };

  /// `build(span of members)` makes the index of a layer.
  template <class Build>
  void assign(std::vector<std::uint32_t> members, Build build) {
    layers_ = {};
    put(2, std::move(members), build);
  }
  /// `live(member)`: false for one that is gone, and is left behind at the next merge. A member may be added again: it
  /// then stands in two layers.
  template <class Build, class Live>
  void add(std::uint32_t member, Build build, Live live) {
    std::vector<std::uint32_t> members{member};
    std::size_t at = 0;
    for (const std::size_t limit : {kTop, kMiddle}) {
      take(at, members, live);
      if (members.size() <= limit) return put(at, std::move(members), build);
      layers_[at++].reset();
    }
    take(at, members, live);
    put(at, std::move(members), build);
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& layer : layers_) {
      if (layer) visit(*layer);
    }
  }
  /// When there is one layer only: its members.
  [[nodiscard]] const Layer* alone() const {
    return layers_[0] == nullptr && layers_[1] == nullptr ? layers_[2].get() : nullptr;
  }

 private:
  template <class Live>
  void take(std::size_t at, std::vector<std::uint32_t>& members, Live live) const {
    if (!layers_[at]) return;
    for (const std::uint32_t member : layers_[at]->members) {
      if (live(member)) members.push_back(member);
    }
  }
  template <class Build>
  void put(std::size_t at, std::vector<std::uint32_t> members, Build build) {
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
    members.shrink_to_fit();
    Index index = build(std::span<const std::uint32_t>(members));
    layers_[at] = std::make_shared<const Layer>(Layer{std::move(members), std::move(index)});
  }

  std::array<std::shared_ptr<const Layer>, 3> layers_;  // small, middle, base
};

}  // namespace millrace::rules

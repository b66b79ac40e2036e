// StrongId: an integer with a meaning. Two ids of different tags do not convert, compare or mix.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>

namespace millrace {

template <class Tag, std::integral Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const StrongId&) const = default;

  // A distance is a plain number: offset + count is an offset, offset - offset is a count.
  constexpr StrongId& operator+=(Rep distance) {
    value_ = static_cast<Rep>(value_ + distance);
    return *this;
  }
  constexpr StrongId& operator++() { return *this += 1; }
  friend constexpr StrongId operator+(StrongId id, Rep distance) { return id += distance; }
  friend constexpr StrongId operator-(StrongId id, Rep distance) {
    return StrongId(static_cast<Rep>(id.value_ - distance));
  }
  friend constexpr Rep operator-(StrongId a, StrongId b) { return static_cast<Rep>(a.value_ - b.value_); }

 private:
  Rep value_{};
};

}  // namespace millrace

template <class Tag, class Rep>
struct std::hash<millrace::StrongId<Tag, Rep>> {
  std::size_t operator()(millrace::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};

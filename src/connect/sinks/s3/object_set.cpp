#include "connect/sinks/s3/object_set.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace::connect::s3 {
namespace {

/// Itself, its name twice, its place in the map.
constexpr std::size_t kObjectBytes = 512;

}  // namespace

std::string Plan::note() const {
  return fmt::format("end={};clock={}", end.value(), clock.count());
}

std::optional<Plan> Plan::parse(std::string_view note) {
  std::int64_t end = 0;
  std::int64_t clock = 0;
  const auto field = [&note](std::string_view name, std::int64_t& value) {
    if (!note.starts_with(name)) return false;
    note.remove_prefix(name.size());
    const auto [rest, error] = std::from_chars(note.data(), note.data() + note.size(), value);
    if (error != std::errc()) return false;
    note.remove_prefix(static_cast<std::size_t>(rest - note.data()));
    return true;
  };
  if (!field("end=", end) || !field(";clock=", clock) || !note.empty()) return std::nullopt;
  return Plan{Offset(end), WallTime(clock)};
}

std::int64_t ObjectSet::bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [folder_name, object] : objects)
    bytes += static_cast<std::int64_t>(kObjectBytes + object->reserved_bytes());
  return bytes;
}

void ObjectSet::start_over() {
  begin = next;
  plan.reset();
  records = 0;
  objects.clear();
  spill.reset();
  topic.clear();
  folder.clear();
  current = nullptr;
  cutting = by_clock = plan_written = false;
}

}  // namespace millrace::connect::s3

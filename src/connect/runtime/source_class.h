// SourceClass: one row per kind of source, as SinkClass is for sinks.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "connect/runtime/source.h"

namespace millrace::connect {

struct SourceClass {
  std::string_view class_name;
  std::string_view version;
  ConfigRows rows;
  /// What rows cannot say: adds errors to the values of check(). Null: nothing.
  void (*check)(const Settings& settings, std::vector<ConfigValue>& values) = nullptr;
  /// How many tasks there are, at most tasks.max.
  std::size_t (*tasks)(const Settings& settings, std::size_t max);
  /// What is wrong with a position that somebody wants to set; empty: nothing. Null: everything goes.
  std::string (*check_position)(const Settings& settings, std::string_view partition,
                                std::string_view offset) = nullptr;
  std::unique_ptr<Source> (*make)(SourceContext context);
};

/// All kinds, sorted by class name.
std::span<const SourceClass* const> source_classes();

}  // namespace millrace::connect
